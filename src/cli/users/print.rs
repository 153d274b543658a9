//! Users and sessions on standard output: for people as tables, for programs as JSON under the names of the API.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Failure;
use crate::cli::print;
use crate::cli::shown::{table, time};
use crate::model::id::UserId;
use crate::model::session::Session;
use crate::model::user::User;

/// A list of users.
pub(super) fn users(users: &[User], json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&users.iter().map(user_json).collect());
    }
    let rows: Vec<_> = users
        .iter()
        .map(|user| {
            [
                user.user_id.to_string(),
                user.state.as_str().to_owned(),
                time(user.created_at),
                moment(user.last_login_at),
                user.email.as_str().to_owned(),
                user.display_name.as_str().to_owned(),
                user.roles.join(","),
            ]
        })
        .collect();
    print(&table(["ID", "STATE", "CREATED", "LAST LOGIN", "EMAIL", "NAME", "ROLES"], &rows))
}

/// One user.
pub(super) fn user(user: &User, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&user_json(user));
    }
    let locale = user.locale.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let rows = [
        ["ID".to_owned(), user.user_id.to_string()],
        ["Email".to_owned(), user.email.as_str().to_owned()],
        ["Name".to_owned(), user.display_name.as_str().to_owned()],
        ["Language".to_owned(), locale],
        ["State".to_owned(), user.state.as_str().to_owned()],
        ["Roles".to_owned(), user.roles.join(",")],
        ["Created".to_owned(), time(user.created_at)],
        ["Updated".to_owned(), time(user.updated_at)],
        ["Verified".to_owned(), time(user.verified_at)],
        ["Last login".to_owned(), moment(user.last_login_at)],
    ];
    print(&table(["FIELD", "VALUE"], &rows))
}

/// A user's roles, one a line.
pub(super) fn roles(user: &User, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&json!(user.roles));
    }
    let lines: Vec<_> = user.roles.iter().map(|role| format!("{role}\n")).collect();
    print(&lines.concat())
}

/// A user's sessions.
pub(super) fn sessions(sessions: &[Session], json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&sessions.iter().map(session_json).collect());
    }
    let rows: Vec<_> = sessions
        .iter()
        .map(|session| {
            [
                session.session_id.to_string(),
                session.device_id.as_str().to_owned(),
                session.device_name.as_str().to_owned(),
                session.ip_address.to_string(),
                time(session.created_at),
                time(session.last_used_at),
                time(session.expires_at),
            ]
        })
        .collect();
    print(&table(["ID", "DEVICE", "NAME", "ADDRESS", "CREATED", "LAST USED", "EXPIRES"], &rows))
}

/// A user in a sentence.
pub(super) fn name(user: &User) -> String {
    format!("{} ({})", user.user_id, user.email.as_str())
}

/// That a user was deleted.
pub(super) fn deleted(user: &User, json: bool) -> Result<(), Failure> {
    if json { print_json(&json!({ "user_id": user.user_id })) } else { print(&format!("deleted {}\n", name(user))) }
}

/// That a user's sessions were ended.
pub(super) fn revoked(user_id: UserId, count: usize, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&json!({ "user_id": user_id, "revoked_count": count }));
    }
    print(&format!("ended {count} sessions of {user_id}\n"))
}

fn moment(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "never".to_owned(), time)
}

fn user_json(user: &User) -> Value {
    json!({
        "user_id": user.user_id,
        "email": user.email.as_str(),
        "display_name": user.display_name.as_str(),
        "locale": user.locale.as_ref().map(ToString::to_string),
        "state": user.state.as_str(),
        "roles": user.roles,
        "create_time": time(user.created_at),
        "update_time": time(user.updated_at),
        "verify_time": time(user.verified_at),
        "last_login_time": user.last_login_at.map(time),
    })
}

fn session_json(session: &Session) -> Value {
    json!({
        "session_id": session.session_id,
        "device_id": session.device_id.as_str(),
        "device_name": session.device_name.as_str(),
        "ip_address": session.ip_address.to_string(),
        "user_agent": session.user_agent,
        "create_time": time(session.created_at),
        "last_used_time": time(session.last_used_at),
        "expire_time": time(session.expires_at),
    })
}

fn print_json(value: &Value) -> Result<(), Failure> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}
