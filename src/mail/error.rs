//! What can go wrong with mail: at start-up, and for one mail. No variant holds an address or a word of a mail.

use std::fmt;
use std::io;
use std::time::Duration;

use lettre::address::AddressError;
use lettre::transport::smtp::response::Code;
use thiserror::Error;

/// Why mail cannot be set up as configured.
#[derive(Debug, Error)]
pub enum MailError {
    /// `mail.transport` is `smtp`, and there is no `mail.smtp_url`.
    #[error("mail.smtp_url is needed for the smtp transport")]
    SmtpUrlMissing,
    /// `mail.smtp_url` has a parameter other than `tls`, which would be ignored, and with it the encryption meant.
    #[error("mail.smtp_url knows one parameter only: tls=required or tls=opportunistic")]
    SmtpUrlParameter,
    /// `mail.smtp_url` is not `smtp://..` or `smtps://..`.
    #[error("mail.smtp_url is not an SMTP URL")]
    SmtpUrl(#[source] lettre::transport::smtp::Error),
    /// `mail.transport` is `file`, and there is no `mail.directory`.
    #[error("mail.directory is needed for the file transport")]
    DirectoryMissing,
    /// `mail.directory` cannot be made.
    #[error("mail.directory cannot be made")]
    Directory(#[source] io::Error),
    /// The wording cannot be used with `mail.product_name`, or at all.
    #[error(transparent)]
    Render(#[from] RenderError),
}

/// Why a mail cannot be worded.
#[derive(Debug, Error)]
pub enum RenderError {
    /// The product's name would spoil the mails.
    #[error("mail.product_name needs 1 to 64 printable characters, and no six digits in a row")]
    ProductName,
    /// A template is broken, or wants something that it does not get.
    #[error("a mail template failed")]
    Template(#[from] minijinja::Error),
}

/// Why a mail was not sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// The mail cannot be worded.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The recipient's address has a form that mail cannot be sent to.
    #[error("the recipient's address cannot be used in mail")]
    Address(#[source] AddressError),
    /// The message cannot be put together.
    #[error("the message cannot be put together")]
    Message(#[source] lettre::error::Error),
    /// The server refused this mail for good (5yz, RFC 5321).
    #[error("the SMTP server refused the mail: {0}")]
    Refused(Reply),
    /// The server does not take this mail now (4yz), or does not take any from us (it wants other credentials).
    #[error("the SMTP server put the mail off: {0}")]
    PutOff(Reply),
    /// The server answered with something that is not SMTP. Its words are withheld, since they may quote an address.
    #[error("the SMTP server answered with something other than SMTP")]
    Garbled,
    /// The server could not be reached, or the connection broke.
    #[error("the connection to the SMTP server failed")]
    Connection(#[source] lettre::transport::smtp::Error),
    /// The server was too slow.
    #[error("the SMTP server did not take the mail within {0:?}")]
    TimedOut(Duration),
    /// The mail could not be written to its file, or to standard error.
    #[error("the mail could not be written")]
    Write(#[source] io::Error),
}

impl SendError {
    /// Whether sending the same mail again is in vain.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        match self {
            Self::Render(_) | Self::Address(_) | Self::Message(_) | Self::Refused(_) => true,
            Self::PutOff(_) | Self::Garbled | Self::Connection(_) | Self::TimedOut(_) | Self::Write(_) => false,
        }
    }
}

impl From<lettre::transport::smtp::Error> for SendError {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        match error.status() {
            Some(code) => {
                let reply = Reply::new(code, &error);
                if error.is_permanent() && !reply.is_about_us() { Self::Refused(reply) } else { Self::PutOff(reply) }
            }
            None if error.is_response() => Self::Garbled,
            None => Self::Connection(error),
        }
    }
}

/// A server's reply without its text, which likes to quote the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    status: Option<String>,
}

impl Reply {
    fn new(code: Code, error: &lettre::transport::smtp::Error) -> Self {
        let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        Self { code: code.into(), status: text.split_whitespace().next().filter(|w| is_status(w)).map(str::to_owned) }
    }

    /// The reply code (RFC 5321), such as 550.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code (RFC 3463), such as `5.1.1`, when the server gave one.
    #[must_use]
    pub fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// Whether it is our credentials that are refused and not the mail (RFC 4954): an operator will mend that.
    const fn is_about_us(&self) -> bool {
        matches!(self.code, 530 | 534 | 535 | 538)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        self.status.iter().try_for_each(|status| write!(f, " {status}"))
    }
}

/// Whether `word` has the form of an enhanced status code: class, subject and detail.
fn is_status(word: &str) -> bool {
    let mut parts = word.split('.');
    matches!(parts.next(), Some("4" | "5"))
        && parts.clone().count() == 2
        && parts.all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
}
