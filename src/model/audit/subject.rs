//! What things are done to.

use super::UNSPECIFIED;
use crate::model::id::{NetworkRuleId, RegistrationId, ServiceKeyId, SessionId, UserId};

/// What something was done to, by its identifier, which may outlive it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Nothing in particular.
    Nothing,
    /// A user.
    User(UserId),
    /// A session.
    Session(SessionId),
    /// A registration.
    Registration(RegistrationId),
    /// A role, by its name.
    Role(String),
    /// A network rule.
    NetworkRule(NetworkRuleId),
    /// A lockout.
    Lockout(String),
    /// A service key.
    ServiceKey(ServiceKeyId),
    /// A signing key.
    SigningKey(String),
    /// Something of a type that only a newer version knows. Read and never written.
    Unknown(String),
}

impl Subject {
    /// The name under which this type of subject is stored; none for nothing.
    #[must_use]
    pub const fn type_name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Nothing => return None,
            Self::User(_) => "USER",
            Self::Session(_) => "SESSION",
            Self::Registration(_) => "REGISTRATION",
            Self::Role(_) => "ROLE",
            Self::NetworkRule(_) => "NETWORK_RULE",
            Self::Lockout(_) => "LOCKOUT",
            Self::ServiceKey(_) => "SERVICE_KEY",
            Self::SigningKey(_) => "SIGNING_KEY",
            Self::Unknown(_) => UNSPECIFIED,
        })
    }

    /// Its identifier, as text; none for nothing.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        Some(match self {
            Self::Nothing => return None,
            Self::User(id) => id.to_string(),
            Self::Session(id) => id.to_string(),
            Self::Registration(id) => id.to_string(),
            Self::NetworkRule(id) => id.to_string(),
            Self::ServiceKey(id) => id.to_string(),
            Self::Role(name) => name.clone(),
            Self::Lockout(id) | Self::SigningKey(id) | Self::Unknown(id) => id.clone(),
        })
    }

    /// The subject that is stored so.
    #[must_use]
    pub fn from_stored(type_name: Option<&str>, id: Option<&str>) -> Self {
        let (Some(type_name), Some(id)) = (type_name, id) else { return Self::Nothing };
        let known = match type_name {
            "USER" => id.parse().ok().map(Self::User),
            "SESSION" => id.parse().ok().map(Self::Session),
            "REGISTRATION" => id.parse().ok().map(Self::Registration),
            "ROLE" => Some(Self::Role(id.to_owned())),
            "NETWORK_RULE" => id.parse().ok().map(Self::NetworkRule),
            "LOCKOUT" => Some(Self::Lockout(id.to_owned())),
            "SERVICE_KEY" => id.parse().ok().map(Self::ServiceKey),
            "SIGNING_KEY" => Some(Self::SigningKey(id.to_owned())),
            _ => None,
        };
        known.unwrap_or_else(|| Self::Unknown(id.to_owned()))
    }
}
