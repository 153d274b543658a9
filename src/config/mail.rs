//! `[mail]`: how mail leaves, and as whose.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::problems::Problems;
use super::{duration, optional_path, secret};

/// How mail leaves, and as whose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The way out.
    pub transport: MailTransport,
    /// The mail server, `smtp://..` or `smtps://..`; always there with [`MailTransport::Smtp`].
    #[serde(deserialize_with = "secret::optional")]
    pub smtp_url: Option<SecretString>,
    /// The file that `smtp_url` was read from, if it was.
    #[serde(deserialize_with = "optional_path")]
    pub smtp_url_file: Option<PathBuf>,
    /// The sender of every mail.
    #[serde(deserialize_with = "mailbox")]
    pub from: Mailbox,
    /// Where mails are written to; always there with [`MailTransport::File`].
    #[serde(deserialize_with = "optional_path")]
    pub directory: Option<PathBuf>,
    /// How long one delivery may take.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
    /// What the reader has an account at.
    pub product_name: String,
}

/// The ways that mail can leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTransport {
    /// To a mail server.
    Smtp,
    /// Printed, for development.
    Log,
    /// To a directory, one file a mail.
    File,
}

impl Mail {
    pub(super) fn check(&self, problems: &mut Problems) {
        match (&self.smtp_url, self.transport) {
            (Some(url), _) => {
                let known = ["smtp://", "smtps://"].iter().any(|scheme| url.expose_secret().starts_with(scheme));
                problems.require(known, "mail.smtp_url", "must begin with smtp:// or smtps://");
            }
            (None, MailTransport::Smtp) => {
                problems.add("mail.smtp_url", "is not set, and mail.transport is smtp: give it here or as SMTP_URL");
            }
            (None, MailTransport::Log | MailTransport::File) => {}
        }
        let misses_directory = self.transport == MailTransport::File && self.directory.is_none();
        problems.require(!misses_directory, "mail.directory", "is not set, and mail.transport is file");
        problems.span("mail.timeout", self.timeout, Duration::from_secs(1)..=Duration::from_mins(5));
        problems.text("mail.product_name", &self.product_name, 64);
    }
}

fn mailbox<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mailbox, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| D::Error::custom(format!("`{text}` is not a mailbox such as `Keyward <no-reply@example.org>`")))
}
