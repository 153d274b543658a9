//! What can go wrong with mail: at start-up, and for one mail. No variant holds an address or a word of a mail.

use std::io;
use std::time::Duration;

use lettre::address::AddressError;
use thiserror::Error;

use super::reply::Reply;
use super::transport::is_about_the_mail;
use crate::config::SmtpUrlInvalid;

/// Why mail cannot be set up as configured.
#[derive(Debug, Error)]
pub enum MailError {
    /// `mail.transport` is `smtp`, and there is no `mail.smtp_url`.
    #[error("mail.smtp_url is needed for the smtp transport")]
    SmtpUrlMissing,
    /// `mail.smtp_url` is no URL of a mail server.
    #[error("mail.smtp_url {0}")]
    SmtpUrl(SmtpUrlInvalid),
    /// TLS cannot be had: the host is no name of a certificate, or the trusted authorities cannot be read.
    #[error("mail.smtp_url demands TLS, which cannot be set up")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
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

/// The stages of handing a mail over by SMTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Connecting, the greeting, EHLO, STARTTLS, the login: the same for every mail.
    Session,
    /// Naming the sender, which is the same for every mail.
    Sender,
    /// Naming the recipient.
    Recipient,
    /// Asking to hand over the message.
    Data,
    /// The message.
    Message,
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
    /// The server refused this mail or its recipient for good (5yz, RFC 5321).
    #[error("the SMTP server refused the mail: {0}")]
    Refused(Reply),
    /// The server refuses mail of ours, for a reason that an operator has to mend.
    #[error("the SMTP server refused {}: {reply}; this has to be mended there, or in mail.smtp_url or mail.from", .stage.name())]
    Rejected {
        /// At which stage.
        stage: Stage,
        /// What it replied.
        reply: Reply,
    },
    /// The server does not take this mail now (4yz).
    #[error("the SMTP server put off {}: {reply}", .stage.name())]
    PutOff {
        /// At which stage.
        stage: Stage,
        /// What it replied.
        reply: Reply,
    },
    /// The server answered with something that is not SMTP. Its words are withheld, since they may quote an address.
    #[error("the SMTP server answered {} with something other than SMTP", .0.name())]
    Garbled(Stage),
    /// The server ended the connection in the middle.
    #[error("the SMTP server hung up at {}", .0.name())]
    HungUp(Stage),
    /// The server does not offer what `mail.smtp_url` demands: STARTTLS, or a way to log in.
    #[error("the SMTP server does not offer what mail.smtp_url demands")]
    Unsupported(#[source] lettre::transport::smtp::Error),
    /// The server's name could not be resolved.
    #[error("the look-up of the SMTP server's name failed")]
    LookUp(#[source] io::Error),
    /// TLS could not be agreed on, or the server's certificate is not trusted.
    #[error("the TLS handshake with the SMTP server failed")]
    Handshake(#[source] lettre::transport::smtp::Error),
    /// The server could not be reached, or the connection broke.
    #[error("the connection to the SMTP server failed at {}", .stage.name())]
    Connection {
        /// At which stage.
        stage: Stage,
        /// Why.
        source: lettre::transport::smtp::Error,
    },
    /// The server was too slow.
    #[error("the SMTP server did not take the mail within {limit:?}; it was slow at {}", .stage.name())]
    TimedOut {
        /// At which stage, [`Stage::Recipient`] standing for all later ones.
        stage: Stage,
        /// How long it had.
        limit: Duration,
    },
    /// The mail could not be written to its file, or to standard error.
    #[error("the mail could not be written")]
    Write(#[source] io::Error),
}

/// Whose fault it is that a mail was not sent, and so what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The mail's or its recipient's: sending it again is in vain.
    Mail,
    /// Nobody's for long: it may pass, for this mail alone.
    Passing,
    /// Ours, which an operator has to mend, for this mail and perhaps for others.
    Ours,
    /// The way out as a whole: no mail can leave.
    WayOut,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "the session",
            Self::Sender => "the sender",
            Self::Recipient => "the recipient",
            Self::Data => "DATA",
            Self::Message => "the message",
        }
    }

    /// Whether what fails here fails for every mail alike.
    const fn is_of_all_mails(self) -> bool {
        matches!(self, Self::Session | Self::Sender)
    }
}

impl SendError {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Render(_) | Self::Address(_) | Self::Message(_) | Self::Refused(_) => Fault::Mail,
            Self::Rejected { stage, .. } if !stage.is_of_all_mails() => Fault::Ours,
            Self::PutOff { stage, .. }
            | Self::Garbled(stage)
            | Self::HungUp(stage)
            | Self::Connection { stage, .. }
            | Self::TimedOut { stage, .. }
                if !stage.is_of_all_mails() =>
            {
                Fault::Passing
            }
            Self::Rejected { .. }
            | Self::PutOff { .. }
            | Self::Garbled(_)
            | Self::HungUp(_)
            | Self::Connection { .. }
            | Self::TimedOut { .. }
            | Self::Unsupported(_)
            | Self::LookUp(_)
            | Self::Handshake(_)
            | Self::Write(_) => Fault::WayOut,
        }
    }

    /// Whether it lasts until an operator mends it, so that the log has to be loud about it.
    #[must_use]
    pub const fn needs_an_operator(&self) -> bool {
        matches!(self, Self::Rejected { .. } | Self::Unsupported(_) | Self::Handshake(_))
    }

    /// With all its causes, for the log. lettre's errors quote their causes themselves.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        text
    }

    /// What lettre says of a stage.
    pub(super) fn at(stage: Stage, error: lettre::transport::smtp::Error) -> Self {
        let quoted = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        match error.status() {
            Some(code) => {
                let reply = Reply::read(code.into(), &quoted);
                if error.is_transient() {
                    Self::PutOff { stage, reply }
                } else if is_about_the_mail(stage, &reply) {
                    Self::Refused(reply)
                } else {
                    Self::Rejected { stage, reply }
                }
            }
            None if error.is_response() && quoted == "incomplete response" => Self::HungUp(stage),
            None if error.is_response() => Self::Garbled(stage),
            None if error.is_client() => Self::Unsupported(error),
            None if is_tls(&error) => Self::Handshake(error),
            None => Self::Connection { stage, source: error },
        }
    }
}

/// Whether an error of TLS is among the causes. It hides within an I/O error.
fn is_tls(error: &lettre::transport::smtp::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(known) = cause {
        let within = known.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if known.is::<rustls::Error>() || within.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
        {
            return true;
        }
        cause = known.source();
    }
    error.is_tls()
}
