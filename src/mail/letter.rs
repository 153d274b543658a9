//! A mail ready to go: an Internet message (RFC 5322, MIME) that every transport carries as it is.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::address::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};

use super::{Mail, Rendered, SendError};
use crate::model::id::MailId;

/// One mail on its way.
pub(super) struct Letter {
    /// Which mail this is.
    pub(super) id: MailId,
    /// When it is sent.
    pub(super) sent_at: DateTime<Utc>,
    /// The plain text, for a reader without a mail program.
    pub(super) text: String,
    /// The message: headers, text and HTML.
    pub(super) message: Message,
}

impl Letter {
    /// Puts a message together. Whatever is the same (also the MIME boundary) makes the same message, byte by byte.
    pub(super) fn compose(
        from: &Mailbox,
        id: MailId,
        mail: &Mail,
        rendered: Rendered,
        now: DateTime<Utc>,
    ) -> Result<Self, SendError> {
        let to: Address = mail.to.as_str().parse().map_err(SendError::Address)?;
        let alternatives = MultiPart::alternative().boundary(format!("=_{}", id.uuid().simple()));
        let Rendered { subject, text, html } = rendered;
        let message = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .date(SystemTime::from(now))
            .message_id(Some(format!("<{id}@{}>", from.email.domain())))
            // No holiday notices, please (RFC 3834).
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(alternatives.singlepart(SinglePart::plain(text.clone())).singlepart(SinglePart::html(html)))
            .map_err(SendError::Message)?;
        Ok(Self { id, sent_at: now, text, message })
    }

    /// A header's text, or nothing when there is no such header.
    pub(super) fn header(&self, name: &str) -> &str {
        self.message.headers().get_raw(name).unwrap_or_default()
    }
}
