//! CreateUser: a user whose address an administrator vouches for, with a password or an invitation to set one.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::flows::{audit, codes, outbox, passwords};
use crate::mail::Content;
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::id::{ResetId, UserId};
use crate::model::locale::Locale;
use crate::model::password::Password;
use crate::model::user::User;
use crate::store::pg::password_resets::{self, NewReset};
use crate::store::pg::users::{self, NewUser};
use crate::store::pg::{Connection, registrations};

/// A user to create.
#[derive(Debug)]
pub struct NewAccount {
    /// Its address.
    pub email: Email,
    /// What it is called.
    pub display_name: DisplayName,
    /// The language of its mail.
    pub locale: Option<Locale>,
    /// Its password; without one it is invited.
    pub password: Option<Password>,
}

/// Creates a user. One without a password is mailed a code that leads, as after a request for a reset, to a password.
///
/// # Errors
/// The address has an account, a refused password, or a failure of ours.
pub async fn create(app: &App, by: &Act, account: NewAccount) -> Result<User, Error> {
    let NewAccount { email, display_name, locale, password } = account;
    let password_hash = match password {
        Some(password) => Some(passwords::hash_new(app, "password", password, &email, &display_name).await?),
        None => None,
    };
    let now = app.clock.now();
    let new = NewUser { user_id: UserId::new(now), email, display_name, locale, password_hash, roles: Vec::new() };
    let mut tx = app.pool.begin().await?;
    let outcome = insert(app, &mut tx, by, &new, now).await;
    let user = tx.end(outcome).await?;
    app.outbox_filled.notify_one();
    Ok(user)
}

async fn insert(app: &App, conn: &mut Connection, by: &Act, new: &NewUser, now: DateTime<Utc>) -> Result<User, Error> {
    if !users::insert(conn, new, now).await? {
        return Err(Error::EmailTaken);
    }
    registrations::consume_all_of(conn, &new.email, now).await?;
    let user = users::find(conn, new.user_id).await?.ok_or(Error::UserNotFound)?.user;
    let invited = new.password_hash.is_none();
    if invited {
        invite(app, conn, &user, now).await?;
    }
    let event = Event::new(EventKind::UserCreated, Subject::User(user.user_id)).with("invited", invited);
    audit::record(conn, by, event, now).await?;
    Ok(user)
}

/// Begins the reset that gives a user its first password, and mails what is needed for it.
async fn invite(app: &App, conn: &mut Connection, user: &User, now: DateTime<Utc>) -> Result<(), Error> {
    let reset_id = ResetId::new(now);
    let (code, code_hash) = codes::generate(app, reset_id.uuid())?;
    let expires_in = app.config.codes.invitation_ttl;
    let code_expires_at = clock::add(now, expires_in);
    let user_id = Some(user.user_id);
    let address_hash = codes::address_hash(app, &user.email);
    let new = NewReset { reset_id, user_id, address_hash, code_hash, code_expires_at, expires_at: code_expires_at };
    password_resets::insert(conn, &new, now).await?;
    let link = app.config.mail.invitation_link(reset_id);
    let content = Content::Invitation { reset_id, code, expires_in, link };
    outbox::enqueue(app, conn, outbox::to_user(user, content), now).await
}
