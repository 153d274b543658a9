//! One connection to a mail server, and the stages of handing a mail over (RFC 5321, 3.3).
//!
//! Each stage is a step of its own, because what a refusal means depends on the stage: lettre's `send` does not say which one
//! it was.

use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout};

use super::super::super::SendError;
use super::super::super::error::Stage;
use crate::config::{SmtpEncryption, SmtpServer};

/// How long an idle connection is kept. Servers hang up after minutes.
const KEPT: Duration = Duration::from_mins(1);

/// How long saying goodbye may take.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);

/// An open connection, logged in.
pub(super) struct Conversation {
    connection: AsyncSmtpConnection,
    last_used_at: Instant,
}

impl Conversation {
    /// Connects, encrypts as the URL demands, and logs in. Each address of the server may take `limit`.
    pub(super) async fn open(server: &SmtpServer, tls: &TlsParameters, limit: Duration) -> Result<Self, SendError> {
        let addresses =
            tokio::net::lookup_host((server.host.as_str(), server.port)).await.map_err(SendError::LookUp)?;
        let addresses: Vec<_> = addresses.collect();
        let hello = server.hello_name.clone().map_or_else(ClientId::default, ClientId::Domain);
        let from_start = (server.encryption == SmtpEncryption::Implicit).then(|| tls.clone());
        let session = |error| SendError::at(Stage::Session, error);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(addresses.as_slice(), Some(limit), &hello, from_start, None)
                .await
                .map_err(session)?;
        let upgrades = match server.encryption {
            SmtpEncryption::Required => true,
            SmtpEncryption::Opportunistic => connection.can_starttls(),
            SmtpEncryption::None | SmtpEncryption::Implicit => false,
        };
        if upgrades {
            connection.starttls(tls.clone(), &hello).await.map_err(session)?;
        }
        if let Some((user, password)) = &server.credentials {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await.map_err(session)?;
        }
        Ok(Self { connection, last_used_at: Instant::now() })
    }

    /// Whether the server still listens, asked of a connection that was idle; waits for at most `limit`.
    pub(super) async fn is_alive(&mut self, limit: Duration) -> bool {
        self.last_used_at.elapsed() < KEPT && timeout(limit, self.connection.test_connected()).await == Ok(true)
    }

    /// Begins a mail: names the sender.
    pub(super) async fn begin(&mut self, envelope: &Envelope, message: &[u8]) -> Result<(), SendError> {
        let mut parameters = Vec::new();
        let supports = |extension| self.connection.server_info().supports_feature(extension);
        if envelope.from().is_some_and(|from| !from.to_string().is_ascii()) && supports(Extension::SmtpUtfEight) {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !message.is_ascii() && supports(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let command = Mail::new(envelope.from().cloned(), parameters);
        self.connection.command(command).await.map_err(|error| SendError::at(Stage::Sender, error))?;
        Ok(())
    }

    /// Names the recipient and hands the message over.
    pub(super) async fn finish(&mut self, envelope: &Envelope, message: &[u8]) -> Result<(), SendError> {
        for recipient in envelope.to() {
            let command = Rcpt::new(recipient.clone(), Vec::new());
            self.connection.command(command).await.map_err(|error| SendError::at(Stage::Recipient, error))?;
        }
        self.connection.command(Data).await.map_err(|error| SendError::at(Stage::Data, error))?;
        self.connection.message(message).await.map_err(|error| SendError::at(Stage::Message, error))?;
        self.last_used_at = Instant::now();
        Ok(())
    }

    /// Says goodbye, in vain where the connection is broken.
    pub(super) async fn quit(mut self) {
        let _given_up = timeout(QUIT_TIMEOUT, self.connection.abort()).await;
    }
}
