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
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its name, locale, password, state or roles last changed.
    pub updated_at: DateTime<Utc>,
    /// When its address was proved.
    pub verified_at: DateTime<Utc>,
    /// When it last logged in.
    pub last_login_at: Option<DateTime<Utc>>,
}

/// Whether a user may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// It may.
    Active,
    /// An administrator has suspended it.
    Suspended,
}

/// What of a profile is to change; what is `None` stays.
#[derive(Debug, Default)]
pub struct ProfileChange {
    /// The new name.
    pub display_name: Option<DisplayName>,
    /// The new language, or none.
    pub locale: Option<Option<Locale>>,
}
