//! One user as a line of JSON, and what a line must be to become a user.

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use crate::hashing::Hasher;
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::model::locale::Locale;
use crate::model::password::PasswordHash;
use crate::model::user::{NORMAL_USER, UserState};
use crate::store::pg::users::{Credentials, ImportedUser};

/// The fields of a line. The names are the API's; some others that lie near are understood as well.
#[derive(Clone, Debug, Deserialize, Hash, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    #[serde(alias = "id", skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    email: String,
    #[serde(alias = "name", skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    #[serde(alias = "created_at", skip_serializing_if = "Option::is_none")]
    create_time: Option<String>,
    #[serde(alias = "verified_at", default)]
    verify_time: VerifyTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<String>,
}

/// When an address was proved.
#[derive(Clone, Debug, Default, Hash, Serialize)]
#[serde(untagged)]
enum VerifyTime {
    /// The line does not say: whoever imports it vouches for the address.
    #[default]
    NotSaid,
    /// Null, which is how other systems say that it was not.
    Never,
    At(String),
}

impl<'de> Deserialize<'de> for VerifyTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Never, Self::At))
    }
}

impl Record {
    /// Reads a JSON object. An array is refused, because its items would be taken for fields by their position.
    fn parse(line: &str) -> Result<Self, String> {
        let is_object = line.trim_start().starts_with('{');
        if !is_object && serde_json::from_str::<IgnoredAny>(line).is_ok() {
            return Err("must be a JSON object".to_owned());
        }
        serde_json::from_str(line).map_err(|error| without_line(&error))
    }
}

/// What lines are judged by.
pub(super) struct Judge<'a> {
    pub(super) hasher: &'a Hasher,
    pub(super) roles: &'a HashSet<String>,
    pub(super) now: DateTime<Utc>,
}

/// A user that a line has become.
pub(super) struct Given {
    pub(super) user: ImportedUser,
    /// Whether the line named the identifier, rather than leaving it to us.
    pub(super) is_named: bool,
    /// All that the line says, the address in its canonical form.
    pub(super) says: Record,
}

impl Judge<'_> {
    /// Reads a line; or says, field first, why it is refused.
    pub(super) fn read(&self, line: &str) -> Result<Given, String> {
        let record = Record::parse(line)?;
        let email = Email::parse(&record.email).map_err(|cause| format!("email: {cause}"))?;
        let says = Record { email: email.as_str().to_owned(), ..record.clone() };
        let created_at = record.create_time.map(|text| self.time("create_time", &text)).transpose()?;
        let verified_at = match record.verify_time {
            VerifyTime::Never => {
                return Err("verify_time: is null, and no address has a user before it is proved".into());
            }
            VerifyTime::At(text) => Some(self.time("verify_time", &text)?),
            VerifyTime::NotSaid => None,
        };
        let is_named = record.user_id.is_some();
        let user_id = record.user_id.map(|text| user_id(&text)).transpose()?;
        let created_at = created_at.unwrap_or(self.now);
        let display_name = record.display_name.as_deref().unwrap_or(email.local_part());
        let user = ImportedUser {
            user_id: user_id.unwrap_or_else(|| UserId::new(created_at)),
            display_name: DisplayName::parse(display_name).map_err(|cause| format!("display_name: {cause}"))?,
            locale: record.locale.map(|text| locale(&text)).transpose()?,
            state: record.state.map_or(Ok(UserState::Active), |name| state(&name))?,
            roles: self.roles(record.roles.unwrap_or_else(|| vec![NORMAL_USER.to_owned()]))?,
            created_at,
            verified_at: verified_at.unwrap_or(created_at),
            password_hash: record.password_hash.map(|text| self.password_hash(text)).transpose()?,
            email,
        };
        Ok(Given { user, is_named, says })
    }

    fn time(&self, field: &str, text: &str) -> Result<DateTime<Utc>, String> {
        let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc().trunc_subsecs(6));
        let time = time.map_err(|_| format!("{field}: must be a time such as 2026-01-31T12:00:00Z"))?;
        if time > self.now { Err(format!("{field}: lies in the future")) } else { Ok(time) }
    }

    fn roles(&self, mut names: Vec<String>) -> Result<Vec<String>, String> {
        names.sort_unstable();
        names.dedup();
        match names.iter().find(|name| !self.roles.contains(*name)) {
            Some(unknown) => Err(format!("roles: there is no role {unknown:?}")),
            None => Ok(names),
        }
    }

    fn password_hash(&self, text: String) -> Result<PasswordHash, String> {
        let hash = PasswordHash::from(text);
        self.hasher.examine(&hash).map_err(|cause| format!("password_hash: {cause}"))?;
        Ok(hash)
    }
}

fn user_id(text: &str) -> Result<UserId, String> {
    let user_id: UserId = text.parse().ok().filter(|_| text.len() == 36).ok_or("user_id: must be a UUID")?;
    // They stand for no one and for the last of all (RFC 9562, 5.9 and 5.10).
    let is_taken = user_id.uuid().is_nil() || user_id.uuid().is_max();
    if is_taken { Err("user_id: must be neither the nil nor the max UUID".to_owned()) } else { Ok(user_id) }
}

fn locale(text: &str) -> Result<Locale, String> {
    Locale::parse(text).map_err(|cause| format!("locale: {cause}"))
}

fn state(name: &str) -> Result<UserState, String> {
    UserState::from_name(name).ok_or_else(|| "state: must be ACTIVE or SUSPENDED".to_owned())
}

/// The parser counts lines of its own, and there is always one.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    if error.is_data() { what.to_owned() } else { format!("is not JSON: {what} at column {}", error.column()) }
}

impl From<Credentials> for Record {
    fn from(credentials: Credentials) -> Self {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        let Credentials { user, password_hash, .. } = credentials;
        Self {
            user_id: Some(user.user_id.to_string()),
            email: user.email.into(),
            display_name: Some(user.display_name.into()),
            locale: user.locale.map(String::from),
            state: Some(user.state.as_str().to_owned()),
            roles: Some(user.roles),
            create_time: Some(time(user.created_at)),
            verify_time: VerifyTime::At(time(user.verified_at)),
            password_hash: password_hash.map(String::from),
        }
    }
}
