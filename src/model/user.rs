//! A user: the account holder.

use chrono::{DateTime, Utc};

use super::display_name::DisplayName;
use super::email::Email;
use super::id::UserId;
use super::locale::Locale;

/// The role that every user gets when its address is proved.
pub const NORMAL_USER: &str = "normal_user";

/// The role that holds every permission.
pub const ADMIN: &str = "admin";

/// A user as the service shows it; its password hash stays in the store.
#[derive(Clone, Debug)]
pub struct User {
    /// Its identifier.
    pub user_id: UserId,
    /// Its proved, canonical address.
    pub email: Email,
    /// What it is called.
    pub display_name: DisplayName,
    /// The language of its mail.
    pub locale: Option<Locale>,
    /// Whether it may log in.
    pub state: UserState,
    /// Its roles, sorted.
    pub roles: Vec<String>,
    /// Which state of the user these roles are of.
    pub basis: TokenBasis,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its name, locale, password, state or roles last changed.
    pub updated_at: DateTime<Utc>,
    /// When its address was proved.
    pub verified_at: DateTime<Utc>,
    /// When it last logged in.
    pub last_login_at: Option<DateTime<Utc>>,
}

/// What goes with a user's roles into its access tokens, read together with them: it tells tokens with these roles from
/// tokens with earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBasis {
    /// The revision of the user. It grows with every change.
    pub revision: i64,
    /// The earliest `iat` of a token with these roles, if they have ever changed.
    pub issued_from: Option<DateTime<Utc>>,
}

/// Whether a user may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// It may.
    Active,
    /// An administrator has suspended it.
    Suspended,
}

impl UserState {
    /// Every state there is.
    pub const ALL: [Self; 2] = [Self::Active, Self::Suspended];

    /// The name under which it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// What of a profile is to change; what is `None` stays.
#[derive(Debug, Default)]
pub struct ProfileChange {
    /// The new name.
    pub display_name: Option<DisplayName>,
    /// The new language, or none.
    pub locale: Option<Option<Locale>>,
}

impl ProfileChange {
    /// The names of the fields that it changes, with commas between them.
    #[must_use]
    pub fn fields(&self) -> String {
        let fields = [("display_name", self.display_name.is_some()), ("locale", self.locale.is_some())];
        fields.into_iter().filter_map(|(name, changes)| changes.then_some(name)).collect::<Vec<_>>().join(",")
    }
}
