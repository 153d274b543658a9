//! A service key: what an internal service authenticates with. Its secret is made elsewhere and known to nobody here.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::display_name::disturbs_text;
use super::id::ServiceKeyId;
use super::permission::Permission;

/// A service key as administrators see it.
#[derive(Clone, Debug)]
pub struct ServiceKey {
    /// Its identifier.
    pub service_key_id: ServiceKeyId,
    /// What it is called.
    pub name: ServiceKeyName,
    /// Its first characters, to find it by in a configuration.
    pub key_prefix: String,
    /// What it permits.
    pub permissions: BTreeSet<Permission>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; `None` when it is good until it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, true to a minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What a key is called, for people to recognise it by: one line, 1 to 100 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceKeyName(String);

/// Why a text is not taken as a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ServiceKeyNameInvalid {
    /// Nothing but spaces, or more than [`ServiceKeyName::MAX_CHARS`].
    #[error("must have 1 to {} characters", ServiceKeyName::MAX_CHARS)]
    Length,
    /// Holds a line break, another control character, or one that turns the direction of the text around it.
    #[error("must hold no line breaks, control characters or characters that override the direction of text")]
    ControlCharacter,
}

impl ServiceKeyName {
    /// The longest name, in Unicode characters.
    pub const MAX_CHARS: usize = 100;

    /// Takes a name as it was typed, without the spaces around it.
    ///
    /// # Errors
    /// When it is empty or too long, or would disturb the list that it is shown in.
    pub fn parse(text: &str) -> Result<Self, ServiceKeyNameInvalid> {
        let text = text.trim();
        if text.chars().any(disturbs_text) {
            return Err(ServiceKeyNameInvalid::ControlCharacter);
        }
        if !(1..=Self::MAX_CHARS).contains(&text.chars().count()) {
            return Err(ServiceKeyNameInvalid::Length);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{ServiceKeyName, ServiceKeyNameInvalid};

    #[test]
    fn a_name_is_one_line_and_not_empty() {
        assert_eq!(ServiceKeyName::parse(" orders, production ").unwrap().as_str(), "orders, production");
        ServiceKeyName::parse(&"ß".repeat(100)).unwrap();
        for text in ["", "  ", &"ß".repeat(101)] {
            assert_eq!(ServiceKeyName::parse(text), Err(ServiceKeyNameInvalid::Length), "{text:?}");
        }
        for text in ["a\nb", "a\u{1b}[2Jb", "a\u{202e}b"] {
            assert_eq!(ServiceKeyName::parse(text), Err(ServiceKeyNameInvalid::ControlCharacter), "{text:?}");
        }
    }
}
