//! Between the model and protobuf.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

use crate::clock;
use crate::error::Error;
use crate::flows::Tokens;
use crate::model::code::Code;
use crate::model::device::DeviceId;
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::locale::Locale;
use crate::model::password::Password;
use crate::model::session::Session;
use crate::model::user::{User, UserState};
use crate::proto::keyward::v1 as pb;

/// A point in time.
pub(super) fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
    }
}

/// An address that a person typed.
pub(super) fn email(text: &str) -> Result<Email, Error> {
    Email::parse(text).map_err(|cause| Error::invalid("email", cause.to_string()))
}

/// A password that somebody wants to have.
pub(super) fn new_password(field: &'static str, text: &str) -> Result<Password, Error> {
    Password::parse(text).map_err(|cause| Error::password(field, cause))
}

/// A name that somebody wants to have; `field` is where it stands in the request.
pub(super) fn display_name(field: &'static str, text: &str) -> Result<DisplayName, Error> {
    DisplayName::parse(text).map_err(|cause| Error::invalid(field, cause.to_string()))
}

/// A language; none for an empty text.
pub(super) fn locale(field: &'static str, text: &str) -> Result<Option<Locale>, Error> {
    let parse = |text| Locale::parse(text).map_err(|cause| Error::invalid(field, cause.to_string()));
    (!text.is_empty()).then(|| parse(text)).transpose()
}

/// A code that a person typed.
pub(super) fn code(text: &str) -> Result<Code, Error> {
    Code::parse(text).map_err(|cause| Error::invalid("code", cause.to_string()))
}

/// A device that is named in a request, not in its metadata.
pub(super) fn device_id(text: &str) -> Result<DeviceId, Error> {
    DeviceId::parse(text).map_err(|cause| Error::invalid("device_id", cause.to_string()))
}

/// An identifier; `field` is where it stands in the request.
pub(super) fn id<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, Error> {
    // Of the ways to write a UUID, the canonical one alone (RFC 9562, 4).
    text.parse().ok().filter(|_| text.len() == 36).ok_or_else(|| Error::invalid(field, "must be a UUID"))
}

impl From<User> for pb::User {
    fn from(user: User) -> Self {
        let state = match user.state {
            UserState::Active => pb::user::State::Active,
            UserState::Suspended => pb::user::State::Suspended,
        };
        Self {
            user_id: user.user_id.to_string(),
            email: user.email.as_str().to_owned(),
            display_name: user.display_name.as_str().to_owned(),
            locale: user.locale.map(|locale| locale.to_string()).unwrap_or_default(),
            state: state.into(),
            roles: user.roles,
            create_time: Some(timestamp(user.created_at)),
            update_time: Some(timestamp(user.updated_at)),
            verify_time: Some(timestamp(user.verified_at)),
            last_login_time: user.last_login_at.map(timestamp),
        }
    }
}

/// A session as its user sees it, from the session `current`, if it is one of the user's own that asks.
pub(super) fn session(session: Session, current: bool) -> pb::Session {
    pb::Session {
        session_id: session.session_id.to_string(),
        device_id: session.device_id.as_str().to_owned(),
        device_name: session.device_name.as_str().to_owned(),
        ip_address: session.ip_address.to_string(),
        user_agent: session.user_agent,
        create_time: Some(timestamp(session.created_at)),
        last_used_time: Some(timestamp(session.last_used_at)),
        expire_time: Some(timestamp(session.expires_at)),
        current,
    }
}

impl From<Tokens> for pb::Tokens {
    fn from(tokens: Tokens) -> Self {
        let lifetime = clock::until(tokens.access_token_expires_at, tokens.access_token_issued_at);
        Self {
            access_token: tokens.access_token.expose_secret().to_owned(),
            access_token_expire_time: Some(timestamp(tokens.access_token_expires_at)),
            expires_in: prost_types::Duration::try_from(lifetime).ok(),
            refresh_token: tokens.refresh_token.expose_secret().to_owned(),
            refresh_token_expire_time: Some(timestamp(tokens.refresh_token_expires_at)),
            token_type: "Bearer".to_owned(),
        }
    }
}
