//! A client installation: the generated clients, with the metadata that it sends.

use keyward::proto::keyward::v1::account_service_client::AccountServiceClient;
use keyward::proto::keyward::v1::admin_service_client::AdminServiceClient;
use keyward::proto::keyward::v1::auth_service_client::AuthServiceClient;
use keyward::proto::keyward::v1::session_service_client::SessionServiceClient;
use tonic::metadata::{AsciiMetadataValue, KeyAndValueRef, MetadataMap};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::replica::Replica;

/// What the generated clients of a device call through.
pub(crate) type Wire = InterceptedService<Channel, Headers>;

/// A client, with the metadata that it sends with every call. The calls themselves are in [`super::calls`]; for what they
/// do not cover there are the generated clients.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    channel: Channel,
    headers: Headers,
}

impl Device {
    /// One that sends no metadata yet.
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, headers: Headers::default() }
    }

    /// The same, sending this value for the key, and no other.
    pub(crate) fn with(mut self, key: &'static str, value: &str) -> Self {
        self.headers.0.insert(key, ascii(value));
        self
    }

    /// The same, sending this value for the key besides those that it sends already.
    pub(crate) fn with_another(mut self, key: &'static str, value: &str) -> Self {
        self.headers.0.append(key, ascii(value));
        self
    }

    /// The same, without this key.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.headers.0.remove(key);
        self
    }

    /// The same, presenting this token.
    pub(crate) fn bearing(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// The same, calling another replica.
    pub(crate) fn at(mut self, replica: &Replica) -> Self {
        self.channel = replica.channel();
        self
    }

    /// The same, calling over this connection.
    pub(crate) fn over(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    /// AuthService.
    pub(crate) fn auth(&self) -> AuthServiceClient<Wire> {
        AuthServiceClient::new(self.wire())
    }

    /// SessionService.
    pub(crate) fn sessions(&self) -> SessionServiceClient<Wire> {
        SessionServiceClient::new(self.wire())
    }

    /// AccountService.
    pub(crate) fn account(&self) -> AccountServiceClient<Wire> {
        AccountServiceClient::new(self.wire())
    }

    /// AdminService.
    pub(crate) fn admin(&self) -> AdminServiceClient<Wire> {
        AdminServiceClient::new(self.wire())
    }

    /// For clients of other services on the same port, such as health and reflection.
    pub(crate) fn wire(&self) -> Wire {
        InterceptedService::new(self.channel.clone(), self.headers.clone())
    }
}

/// Adds a device's metadata to its calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers(MetadataMap);

impl Interceptor for Headers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for entry in self.0.iter() {
            if let KeyAndValueRef::Ascii(key, value) = entry {
                request.metadata_mut().append(key, value.clone());
            }
        }
        Ok(request)
    }
}

/// Any bytes that HTTP lets pass, so that tests can send what clients should not.
fn ascii(value: &str) -> AsciiMetadataValue {
    AsciiMetadataValue::try_from(value.as_bytes()).unwrap()
}
