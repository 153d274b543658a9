//! `[mail]`: how mail leaves, and as whose.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::problems::Problems;
use super::{SmtpServer, SmtpUrlInvalid, duration, optional_path, secret};

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
    /// The page where an invited user sets a password.
    #[serde(deserialize_with = "optional_text")]
    pub invitation_url: Option<String>,
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
                if let Err(invalid) = SmtpServer::parse(url.expose_secret()) {
                    problems.add("mail.smtp_url", invalid.to_string());
                }
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
        if let Some(url) = &self.invitation_url {
            let known = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
            let plain = |byte: u8| byte.is_ascii_graphic() && !b"#\"'<>\\^`{|}".contains(&byte);
            let plain = url.len() <= 512 && url.bytes().all(plain);
            let rule = "must begin with http:// or https://, have at most 512 characters, all of them such as URLs may hold, \
                        and no fragment";
            problems.require(known && plain, "mail.invitation_url", rule);
        }
    }

    /// The mail server, when there is one.
    ///
    /// # Errors
    /// [`SmtpUrlInvalid`], which a validated configuration does not hold.
    pub fn smtp_server(&self) -> Result<Option<SmtpServer>, SmtpUrlInvalid> {
        self.smtp_url.as_ref().map(|url| SmtpServer::parse(url.expose_secret())).transpose()
    }

    /// The link to the page where an invited user sets a password. It names the reset, and leaves the code to be typed: what is
    /// in a link stays in histories and logs.
    #[must_use]
    pub fn invitation_link(&self, reset_id: impl std::fmt::Display) -> Option<String> {
        let url = self.invitation_url.as_ref()?;
        let separator = if url.contains('?') { '&' } else { '?' };
        Some(format!("{url}{separator}reset_id={reset_id}"))
    }
}

fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then_some(text))
}

fn mailbox<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mailbox, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| D::Error::custom(format!("`{text}` is not a mailbox such as `Keyward <no-reply@example.org>`")))
}
