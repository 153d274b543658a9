//! Administrators: the first one, made from the command line since nobody may make one over the network yet, and the last one,
//! who stays.

use chrono::{DateTime, Utc};

use super::audit::{self, Event};
use super::{passwords, revocations};
use crate::app::App;
use crate::error::Error;
use crate::model::audit::{Act, EventKind, Subject};
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::model::password::Password;
use crate::model::user::{ADMIN, User, UserState};
use crate::store::pg::Connection;
use crate::store::pg::users::{self, NewUser};
use crate::token::access;

/// Who had the address before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The user.
    pub user_id: UserId,
    /// Whether it can log in: it is not suspended, and has a password.
    pub can_log_in: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminCreated {
    /// A new user, who is an administrator.
    Created(UserId),
    /// The address has an account: its password stays, and it is an administrator now.
    Promoted(Holder),
    /// It was an administrator already.
    Unchanged(Holder),
}

/// Makes the holder of an address an administrator, with this password if it has no account yet.
///
/// # Errors
/// A refused password, or a failure of ours.
pub async fn create(
    app: &App,
    email: Email,
    display_name: DisplayName,
    password: Password,
) -> Result<AdminCreated, Error> {
    let password_hash = passwords::hash_new(app, "password", password, &email, &display_name).await?;
    let now = app.clock.now();
    let user_id = UserId::new(now);
    let roles = vec![ADMIN.to_owned()];
    let new = NewUser { user_id, email, display_name, locale: None, password_hash: Some(password_hash), roles };
    let mut tx = app.pool.begin().await?;
    let outcome = async {
        if users::insert(&mut tx, &new, now).await? {
            record(&mut tx, EventKind::UserCreated, user_id, now).await?;
            return Ok(AdminCreated::Created(user_id));
        }
        let found = users::find_by_email(&mut tx, &new.email).await?.ok_or(Error::UserNotFound)?;
        // Before its roles, as whoever else changes them does.
        let found = users::lock(&mut tx, found.user.user_id).await?.ok_or(Error::UserNotFound)?;
        let user_id = found.user.user_id;
        let can_log_in = found.user.state == UserState::Active && found.password_hash.is_some();
        let holder = Holder { user_id, can_log_in };
        let Some(basis) = users::give_role(&mut tx, user_id, ADMIN, access::issued_from(now), now).await? else {
            return Ok(AdminCreated::Unchanged(holder));
        };
        revocations::write_stale(app, &mut tx, user_id, basis, now).await?;
        record(&mut tx, EventKind::UserRolesSet, user_id, now).await?;
        Ok(AdminCreated::Promoted(holder))
    }
    .await;
    tx.end(outcome).await
}

/// Refuses to go on with what would leave nobody who can log in as an administrator: taking the role from `user`, suspending or
/// deleting it. Its row is locked, so that it does not become one meanwhile; of several who go at once, one waits here for the
/// other.
pub(super) async fn spare(conn: &mut Connection, user: &User) -> Result<(), Error> {
    let is_admin = user.roles.iter().any(|role| role == ADMIN);
    if is_admin && users::lock_holders(conn, ADMIN).await? == [user.user_id] {
        return Err(Error::LastAdmin);
    }
    Ok(())
}

/// Puts on record what the operator did, with the roles that the user has now.
async fn record(conn: &mut Connection, kind: EventKind, user_id: UserId, now: DateTime<Utc>) -> Result<(), Error> {
    let user = users::find(conn, user_id).await?.ok_or(Error::UserNotFound)?.user;
    let event = Event::new(kind, Subject::User(user_id)).with("roles", user.roles.join(","));
    audit::record(conn, &Act::operator(), event, now).await
}

/// Whether this address holds an administrator's account.
///
/// # Errors
/// A failure of ours.
pub async fn exists(app: &App, email: &Email) -> Result<bool, Error> {
    let found = users::find_by_email(&mut *app.pool.get().await?, email).await?;
    Ok(found.is_some_and(|credentials| credentials.user.roles.iter().any(|role| role == ADMIN)))
}
