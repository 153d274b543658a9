//! People: somebody with an account, and a device on which somebody is signed in.

use std::ops::Deref;

use keyward::proto::keyward::v1::{LoginResponse, Session, Tokens, User};

use super::device::Device;
use super::refusal::Refusal;
use super::replica::Replica;

/// Somebody who has an account, with the password [`PASSWORD`](super::PASSWORD).
#[derive(Clone, Debug)]
pub(crate) struct Person {
    desk: Device,
    /// The account, as it was when it was made.
    pub(crate) user: User,
}

impl Person {
    pub(super) fn new(desk: Device, user: User) -> Self {
        Self { desk, user }
    }

    /// The address.
    pub(crate) fn email(&self) -> &str {
        &self.user.email
    }

    /// Logs in on a device with this id; as an installation would, which then calls with its access token.
    pub(crate) async fn sign_in(&self, device_id: &str) -> SignedIn {
        let device = self.desk.clone().with("device-id", device_id);
        let login = device.login(self.email()).await.unwrap();
        SignedIn::new(device, login)
    }
}

/// A device on which somebody is signed in. Its calls carry the access token.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    device: Device,
    /// The session that the login has given.
    pub(crate) session: Session,
    /// The tokens that it holds now.
    pub(crate) tokens: Tokens,
    /// The sessions that had to make room for it.
    pub(crate) evicted: Vec<Session>,
}

impl SignedIn {
    pub(crate) fn new(device: Device, login: LoginResponse) -> Self {
        let tokens = login.tokens.unwrap();
        let device = device.bearing(&tokens.access_token);
        Self { device, session: login.session.unwrap(), tokens, evicted: login.evicted_sessions }
    }

    /// The same, calling another replica.
    pub(crate) fn at_replica(mut self, replica: &Replica) -> Self {
        self.device = self.device.at(replica);
        self
    }

    /// Exchanges its tokens for new ones, and calls with those from now on.
    pub(crate) async fn renew(&mut self) -> Result<(), Refusal> {
        let renewed = self.device.refresh(&self.tokens.refresh_token).await?;
        self.tokens = renewed.tokens.unwrap();
        self.session = renewed.session.unwrap();
        self.device = self.device.clone().bearing(&self.tokens.access_token);
        Ok(())
    }
}

impl Deref for SignedIn {
    type Target = Device;

    fn deref(&self) -> &Device {
        &self.device
    }
}
