//! What ends the tour early: something that is not as it must be.

use std::io;
use std::path::PathBuf;

use keyward::proto::keyward::v1::ErrorReason;
use tonic::{Code, Status};

/// Something that must not be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Surprise {
    /// Nobody answers there, or not in gRPC.
    #[error("cannot connect to the service")]
    Connect(#[from] tonic::transport::Error),
    /// The protos that this program was built with are not whole.
    #[error("cannot read the descriptors of the API")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// A call that must succeed did not.
    #[error("{method} must succeed, and was refused: {}", status.message())]
    Refused {
        /// The method.
        method: &'static str,
        /// Its answer.
        status: Status,
    },
    /// A call that must be refused was not.
    #[error("{method} must be refused with {}, and succeeded", reason.as_str_name())]
    Accepted {
        /// The method.
        method: &'static str,
        /// Why it must be refused.
        reason: ErrorReason,
    },
    /// A call was refused for another reason than it must be.
    #[error("{method} must be refused with {} ({code:?}), and was with: {}", reason.as_str_name(), status.message())]
    RefusedOtherwise {
        /// The method.
        method: &'static str,
        /// The code that it must be refused with.
        code: Code,
        /// The reason that it must be refused for.
        reason: ErrorReason,
        /// Its answer.
        status: Status,
    },
    /// A fact that does not hold.
    #[error("it must be so that {0}, and it is not")]
    Fact(&'static str),
    /// The mailbox cannot be looked into.
    #[error("cannot read the mails in {directory}")]
    Mailbox {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A mail that must come did not.
    #[error("no mail {subject:?} has come to {to}")]
    NoMail {
        /// How its subject begins.
        subject: String,
        /// Whom it is for.
        to: String,
    },
    /// A mail that must hold a code holds none.
    #[error("there is no code in the mail {0:?}")]
    NoCode(String),
}
