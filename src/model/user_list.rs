//! Lists of users: which of them, in which order, and where a page begins.

use chrono::{DateTime, Utc};
use unicode_normalization::UnicodeNormalization;

use super::id::UserId;
use super::role::RoleName;
use super::user::{User, UserState};

/// Which users, and in which order.
#[derive(Clone, Debug, Default)]
pub struct UserList {
    /// Only those whose address or name begins so.
    pub prefix: Option<SearchPrefix>,
    /// Only those in this state.
    pub state: Option<UserState>,
    /// Only those with this role.
    pub role: Option<RoleName>,
    /// The order.
    pub order: UserOrder,
}

/// What an address or a name is searched by, in the form that both are compared in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPrefix(String);

impl SearchPrefix {
    /// What a person typed; `None` when that is nothing.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim_start();
        (!text.is_empty()).then(|| Self(fold(text)))
    }

    /// The text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text in the form that searches compare: normalised (NFC), in lower case. Each character by itself, so that the beginning of a
/// text is folded to the beginning of what the whole is folded to: the two small sigmas of Greek are one here, and the dot that
/// lower case leaves above a Turkish capital I is none.
#[must_use]
pub(super) fn fold(text: &str) -> String {
    let lower = text.nfc().flat_map(char::to_lowercase);
    lower.filter(|char| *char != '\u{307}').map(|char| if char == 'ς' { 'σ' } else { char }).collect()
}

/// The order of a list; users of the same time come by their identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserOrder {
    /// What decides.
    pub by: UserTime,
    /// Whether the latest comes first.
    pub descending: bool,
}

impl Default for UserOrder {
    fn default() -> Self {
        Self { by: UserTime::Created, descending: true }
    }
}

/// The times that users can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserTime {
    /// When it was created.
    Created,
    /// When it last logged in; never is earlier than any time.
    LastLogin,
}

/// A user's place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserPlace {
    /// The time that decides.
    pub at: Option<DateTime<Utc>>,
    /// The user.
    pub user_id: UserId,
}

impl UserOrder {
    /// Where `user` stands in a list of this order.
    #[must_use]
    pub const fn place(self, user: &User) -> UserPlace {
        let at = match self.by {
            UserTime::Created => Some(user.created_at),
            UserTime::LastLogin => user.last_login_at,
        };
        UserPlace { at, user_id: user.user_id }
    }
}

#[cfg(test)]
mod tests {
    use super::{SearchPrefix, fold};

    #[test]
    fn a_search_knows_no_case() {
        let folded = |text| SearchPrefix::new(text).map(|prefix| prefix.0);
        assert_eq!(folded(" Zoe\u{308} ÅGREN "), Some("zoë ågren ".to_owned()));
        assert_eq!(folded("Ann@Example.com"), Some("ann@example.com".to_owned()));
        assert_eq!((folded(""), folded("  ")), (None, None));
    }

    #[test]
    fn the_beginning_of_a_name_finds_it() {
        for (name, typed) in
            [("ΟΔΟΣΑ", "ΟΔΟΣ"), ("ΟΔΟΣ", "οδος"), ("İstanbul", "istan"), ("ISTANBUL", "ıstan"), ("Straße", "STRA")]
        {
            let begins = fold(name).starts_with(&fold(typed));
            assert_eq!(begins, name != "ISTANBUL", "{typed} for {name}");
        }
    }
}
