//! Between the model and protobuf.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, Datelike, SubsecRound, Utc};
use prost_types::FieldMask;
use secrecy::ExposeSecret;

use super::fields::all;
use crate::clock;
use crate::error::{Error, Violation};
use crate::flows::{Tokens, expiry};
use crate::model::code::Code;
use crate::model::device::DeviceId;
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::line::Remark;
use crate::model::locale::Locale;
use crate::model::network::{NetworkAction, NetworkRule};
use crate::model::password::Password;
use crate::model::permission::NameInvalid;
use crate::model::role::{Role, RoleChange};
use crate::model::session::Session;
use crate::model::user::{ProfileChange, User, UserState};
use crate::proto::keyward::v1 as pb;
use crate::token::master::Master;
use crate::token::reset::ResetToken;

/// A point in time.
pub(super) fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
    }
}

/// A point in time that a request names; `field` is where it stands there.
pub(super) fn time(field: &'static str, timestamp: prost_types::Timestamp) -> Result<DateTime<Utc>, Error> {
    let nanos = u32::try_from(timestamp.nanos).ok();
    let time = nanos.and_then(|nanos| DateTime::from_timestamp(timestamp.seconds, nanos));
    // As exact as what is stored, and within the calendar of RFC 3339.
    let time = time.map(|time| time.trunc_subsecs(6)).filter(|time| (1..=9999).contains(&time.year()));
    time.ok_or_else(|| Error::invalid(field, "must be a time from 0001-01-01 to 9999-12-31"))
}

/// The end of something that is about to begin, if it has one; `field` is where it stands in the request.
pub(super) fn end(
    field: &'static str,
    timestamp: Option<prost_types::Timestamp>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Error> {
    let end = timestamp.map(|timestamp| time(field, timestamp)).transpose()?;
    expiry::check(field, end, now)?;
    Ok(end)
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

/// A reset token that was issued under one of the master keys.
pub(super) fn reset_token(text: &str, master: &Master) -> Result<ResetToken, Error> {
    ResetToken::verify(text, master).ok_or_else(|| Error::invalid("reset_token", "is not a reset token"))
}

/// A device that is named in a request, not in its metadata.
pub(super) fn device_id(text: &str) -> Result<DeviceId, Error> {
    DeviceId::parse(text).map_err(|cause| Error::invalid("device_id", cause.to_string()))
}

/// An identifier; `field` is where it stands in the request.
pub(super) fn id<T: FromStr>(field: &'static str, text: &str) -> Result<T, Error> {
    // Of the ways to write a UUID, the canonical one alone (RFC 9562, 4).
    text.parse().ok().filter(|_| text.len() == 36).ok_or_else(|| Error::invalid(field, "must be a UUID"))
}

/// A remark that somebody makes; `field` is where it stands in the request.
pub(super) fn remark(field: &'static str, text: &str) -> Result<Remark, Error> {
    Remark::parse(text).map_err(|cause| Error::invalid(field, cause.to_string()))
}

/// Names of roles or permissions; `field` is where they stand in the request.
pub(super) fn names<N: FromStr<Err = NameInvalid> + Ord>(
    field: &'static str,
    names: &[String],
) -> Result<BTreeSet<N>, Error> {
    let parsed: Vec<Result<N, NameInvalid>> = names.iter().map(|name| name.parse()).collect();
    let violation = |(at, name): (usize, &Result<N, NameInvalid>)| {
        name.as_ref().err().map(|cause| Violation::new(format!("{field}[{at}]"), cause.to_string()))
    };
    let violations: Vec<_> = parsed.iter().enumerate().filter_map(violation).collect();
    if violations.is_empty() { Ok(parsed.into_iter().flatten().collect()) } else { Err(Error::Invalid(violations)) }
}

/// The name of a role or a permission; `field` is where it stands in the request.
pub(super) fn name<N: FromStr<Err = NameInvalid>>(field: &'static str, name: &str) -> Result<N, Error> {
    name.parse().map_err(|cause: NameInvalid| Error::invalid(field, cause.to_string()))
}

/// The fields that an update mask (AIP-134) says are to change, and whether it names others; an empty one means every field
/// that is set. `known` are the fields that can change, each with whether it is set.
fn masked(mask: Option<&FieldMask>, known: &[(&'static str, bool)]) -> (Vec<&'static str>, Result<(), Error>) {
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    let unknown = paths.iter().find(|path| known.iter().all(|(field, _)| field != path));
    let judged = unknown.map_or(Ok(()), |path| Err(Error::invalid("update_mask", format!("cannot change {path:?}"))));
    let changes = |(field, set): &&(&'static str, bool)| {
        if paths.is_empty() { *set } else { paths.iter().any(|path| path == field) }
    };
    (known.iter().filter(changes).map(|(field, _)| *field).collect(), judged)
}

/// What is to change of a profile.
pub(super) fn profile_change(user: Option<&pb::User>, mask: Option<&FieldMask>) -> Result<ProfileChange, Error> {
    let unset = pb::User::default();
    let pb::User { display_name, locale, .. } = user.unwrap_or(&unset);
    let known = [("display_name", !display_name.is_empty()), ("locale", !locale.is_empty())];
    let (changes, mask) = masked(mask, &known);
    let changes = |field| changes.contains(&field);
    let display_name = changes("display_name").then(|| self::display_name("user.display_name", display_name));
    let locale = changes("locale").then(|| self::locale("user.locale", locale));
    let ((), display_name, locale) = all((mask, display_name.transpose(), locale.transpose()))?;
    Ok(ProfileChange { display_name, locale })
}

/// What is to change of a role.
pub(super) fn role_change(role: Option<&pb::Role>, mask: Option<&FieldMask>) -> Result<RoleChange, Error> {
    let unset = pb::Role::default();
    let pb::Role { description, permissions, .. } = role.unwrap_or(&unset);
    let known = [("description", !description.is_empty()), ("permissions", !permissions.is_empty())];
    let (changes, mask) = masked(mask, &known);
    let changes = |field| changes.contains(&field);
    let description = changes("description").then(|| remark("role.description", description));
    let permissions = changes("permissions").then(|| names("role.permissions", permissions));
    let ((), description, permissions) = all((mask, description.transpose(), permissions.transpose()))?;
    Ok(RoleChange { description, permissions })
}

impl From<Role> for pb::Role {
    fn from(role: Role) -> Self {
        Self {
            standing: role.name.is_standing(),
            name: role.name.to_string(),
            description: role.description.as_str().to_owned(),
            permissions: role.permissions.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<NetworkRule> for pb::NetworkRule {
    fn from(rule: NetworkRule) -> Self {
        let action = match rule.action {
            NetworkAction::Block => pb::network_rule::Action::Block,
            NetworkAction::Allow => pb::network_rule::Action::Allow,
        };
        Self {
            network_rule_id: rule.network_rule_id.to_string(),
            cidr: rule.network.to_string(),
            action: action.into(),
            reason: rule.reason.as_str().to_owned(),
            create_time: Some(timestamp(rule.created_at)),
            expire_time: rule.expires_at.map(timestamp),
        }
    }
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
