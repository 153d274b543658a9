//! Who is calling, once proved: a user, or an internal service. What is a user's own takes a [`Caller`], and so can never be
//! given a service key.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::device::DeviceId;
use super::id::{ServiceKeyId, SessionId, UserId};
use super::permission::Permission;

/// A user with a verified, unrevoked access token, presented by the device that it was issued to.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The session whose access token was presented.
    pub session_id: SessionId,
    /// The device that the session is bound to.
    pub device_id: DeviceId,
    /// The user's roles when the token was issued.
    pub roles: Vec<String>,
    /// The revision of the user that these roles were read at.
    pub revision: i64,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
    /// The `kid` of the key that signed the access token.
    pub key_id: Arc<str>,
}

/// An internal service with a good service key.
#[derive(Clone, Debug)]
pub struct ServiceCaller {
    /// The key.
    pub service_key_id: ServiceKeyId,
    /// What it permits.
    pub permissions: Arc<BTreeSet<Permission>>,
}

impl ServiceCaller {
    /// Whether the key permits this.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|held| held.as_str() == permission)
    }
}

/// Whoever has proved who it is.
#[derive(Clone, Debug)]
pub enum Authenticated {
    /// A user.
    User(Caller),
    /// An internal service.
    Service(ServiceCaller),
}
