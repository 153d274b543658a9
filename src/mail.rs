//! Mail to users: what there is to tell ([`Content`]), its wording ([`Renderer`]), and its way out ([`Mailer`]).
//!
//! When a mail is sent, how often it is tried and where it waits meanwhile (the outbox) is not decided here: this module
//! neither stores nor repeats anything.

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;

use crate::config;
use crate::model::email::Email;
use crate::model::id::MailId;

mod content;
mod error;
mod fold;
mod language;
mod letter;
mod render;
mod reply;
mod transport;
mod untrusted;

#[cfg(test)]
mod tests;

pub use content::Content;
pub use error::{Fault, MailError, RenderError, SendError, Stage};
pub use render::{Rendered, Renderer};
pub use reply::Reply;

use letter::Letter;
use transport::Transport;

/// One mail: what is to be told, and to whom.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The address that it goes to.
    pub to: Email,
    /// The language that the reader wishes (a BCP 47 tag); the closest one that there is gets used, English at last.
    pub locale: Option<String>,
    /// The account holder's name, for the greeting. Ignored in mails to an address that is not proven to be theirs.
    pub display_name: Option<String>,
    /// What it says.
    pub content: Content,
}

/// Words mails and hands them to the configured transport.
#[derive(Debug)]
pub struct Mailer {
    renderer: Renderer,
    from: Mailbox,
    transport: Transport,
}

impl Mailer {
    /// A mailer as configured. Checks all that can be checked without a connection, and makes the directory of the
    /// file transport.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense (see [`MailError`]), or the directory cannot be made.
    pub fn new(config: &config::Mail) -> Result<Self, MailError> {
        Ok(Self {
            renderer: Renderer::new(&config.product_name)?,
            from: config.from.clone(),
            transport: Transport::new(config)?,
        })
    }

    /// Sends one mail, dated `now`. The same `id` gives the same Message-ID, so that a mail that had to be sent twice
    /// can be told from two mails. Dropping the future gives up the attempt; the mail may have left nevertheless.
    ///
    /// # Errors
    ///
    /// When the mail was not taken over. [`SendError::fault`] says whether trying again may help.
    pub async fn send(&self, id: MailId, mail: &Mail, now: DateTime<Utc>) -> Result<(), SendError> {
        let rendered = self.renderer.render(mail)?;
        let letter = Letter::compose(&self.from, id, mail, rendered, now)?;
        self.transport.send(&letter).await
    }
}
