//! Permissions: what a role or a service key may carry, and the form of their names, which roles have too.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest name, in bytes.
const MAX_LEN: usize = 64;

/// A permission by its name: one of Keyward's own, such as `users.read`, or one that another service defines.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Permission(String);

/// Why a text is not the name of a permission or a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be a lower-case letter, then up to 63 lower-case letters, digits, `_`, `.` or `-`")]
pub struct NameInvalid;

impl Permission {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Permission {
    type Err = NameInvalid;

    fn from_str(text: &str) -> Result<Self, NameInvalid> {
        name(text).map(Self)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Takes the name of a permission or a role.
pub(super) fn name(text: &str) -> Result<String, NameInvalid> {
    let begins_well = text.starts_with(|character: char| character.is_ascii_lowercase());
    let goes_on_well = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-'));
    (begins_well && goes_on_well && text.len() <= MAX_LEN).then(|| text.to_owned()).ok_or(NameInvalid)
}

#[cfg(test)]
mod tests {
    use super::{NameInvalid, Permission};

    #[test]
    fn names_are_short_plain_words() {
        let longest = "a".repeat(64);
        for good in ["users.read", "a", "course-42_x.y", longest.as_str()] {
            assert_eq!(good.parse::<Permission>().map(|permission| permission.to_string()), Ok(good.to_owned()));
        }
        let too_long = "a".repeat(65);
        for bad in ["", "Users.read", "4users", ".read", "users read", "ü", "users\n", too_long.as_str()] {
            assert_eq!(bad.parse::<Permission>(), Err(NameInvalid), "{bad:?}");
        }
    }
}
