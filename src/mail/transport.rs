//! The ways out: SMTP for production, standard error and files for development and tests.

use crate::config::{Mail as Config, MailTransport as Kind};

use super::letter::Letter;
use super::{MailError, SendError};

mod file;
mod log;
mod smtp;

pub(super) use smtp::is_about_the_mail;

/// The configured way out.
#[derive(Debug)]
pub(in crate::mail) enum Transport {
    /// To a server that passes it on.
    Smtp(Box<smtp::Smtp>),
    /// To standard error, for whoever sits before the terminal.
    Log,
    /// Into a directory, a file a mail.
    File(file::File),
}

impl Transport {
    /// The transport that `config` asks for.
    pub(in crate::mail) fn new(config: &Config) -> Result<Self, MailError> {
        Ok(match config.transport {
            Kind::Smtp => {
                let server = config.smtp_server().map_err(MailError::SmtpUrl)?.ok_or(MailError::SmtpUrlMissing)?;
                Self::Smtp(Box::new(smtp::Smtp::new(server, config.timeout)?))
            }
            Kind::Log => Self::Log,
            Kind::File => {
                let directory = config.directory.clone().ok_or(MailError::DirectoryMissing)?;
                Self::File(file::File::new(directory)?)
            }
        })
    }

    /// Hands a letter over. `Ok` means that it is out of our hands.
    pub(in crate::mail) async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        match self {
            Self::Smtp(smtp) => smtp.send(letter).await,
            Self::Log => log::send(letter),
            Self::File(file) => file.send(letter).await,
        }
    }
}
