//! Mail by SMTP (RFC 5321), with TLS from the start or by STARTTLS, over connections that are kept for the next mail.

mod conversation;
mod refusal;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use rustls::pki_types::ServerName;
use tokio::time::{Instant, timeout_at};

use super::super::error::Stage;
use super::super::letter::Letter;
use super::super::{MailError, SendError};
use crate::certificates;
use crate::config::{SmtpEncryption, SmtpServer};
use conversation::Conversation;

pub(in crate::mail) use refusal::is_about_the_mail;

/// How many connections are kept open while there is nothing to send.
const IDLE_CONNECTIONS: usize = 4;

/// An SMTP server, and the connections to it that are idle.
///
/// A mail has a connection to itself while it is sent. Only a connection that has come to the end of a mail is used again: one
/// that was broken off in the middle is out of step with the server.
pub(in crate::mail) struct Smtp {
    server: SmtpServer,
    tls: TlsParameters,
    limit: Duration,
    idle: Mutex<Vec<Conversation>>,
}

impl Smtp {
    /// A mail may take `limit` in all, of which reaching one of the server's addresses may take a third.
    pub(in crate::mail) fn new(server: SmtpServer, limit: Duration) -> Result<Self, MailError> {
        let tls = tls_parameters(&server)?;
        Ok(Self { server, tls, limit, idle: Mutex::default() })
    }

    /// Hands a letter to the server.
    pub(in crate::mail) async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let deadline = Instant::now() + self.limit;
        let late = |stage| move |_elapsed| SendError::TimedOut { stage, limit: self.limit };
        let (envelope, message) = (letter.message.envelope(), letter.message.formatted());

        let mut conversation = timeout_at(deadline, self.connection()).await.map_err(late(Stage::Session))??;
        let handing_over = async {
            timeout_at(deadline, conversation.begin(envelope, &message)).await.map_err(late(Stage::Sender))??;
            timeout_at(deadline, conversation.finish(envelope, &message)).await.map_err(late(Stage::Recipient))?
        };
        let outcome = handing_over.await;
        match outcome {
            Ok(()) => self.keep(conversation),
            // What is out of step is not waited for.
            Err(SendError::TimedOut { .. }) => {}
            Err(_) => conversation.quit().await,
        }
        outcome
    }

    /// An idle connection that is alive, or a new one.
    async fn connection(&self) -> Result<Conversation, SendError> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(mut conversation) => {
                    if conversation.is_alive(self.limit / 3).await {
                        return Ok(conversation);
                    }
                }
                None => return Conversation::open(&self.server, &self.tls, self.limit / 3).await,
            }
        }
    }

    fn keep(&self, conversation: Conversation) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CONNECTIONS {
            idle.push(conversation);
        }
    }
}

/// How the server's certificate is checked: by the authorities that all of the service trusts, for the URL's host.
fn tls_parameters(server: &SmtpServer) -> Result<TlsParameters, MailError> {
    let mut builder = TlsParameters::builder(server.host.clone()).certificate_store(CertificateStore::None);
    if server.encryption != SmtpEncryption::None {
        ServerName::try_from(server.host.as_str()).map_err(|error| MailError::Tls(Box::new(error)))?;
        for authority in certificates::trusted().map_err(|error| MailError::Tls(Box::new(error)))? {
            let certificate =
                Certificate::from_der(authority.to_vec()).map_err(|error| MailError::Tls(Box::new(error)))?;
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| MailError::Tls(Box::new(error)))
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").field("limit", &self.limit).finish_non_exhaustive()
    }
}
