//! GetAccount, UpdateAccount, ChangePassword and DeleteAccount: the signed-in user's own account.

use chrono::{DateTime, Utc};

use super::lockouts::{self, Trial};
use super::{outbox, passwords, revocations};
use crate::app::App;
use crate::error::Error;
use crate::hashing::Verdict;
use crate::model::caller::Caller;
use crate::model::origin::DeviceOrigin;
use crate::model::password::{Password, PasswordHash};
use crate::model::session::EndReason;
use crate::model::user::{ADMIN, ProfileChange, User};
use crate::store::pg::sessions::{self, Ended};
use crate::store::pg::users::{self, Credentials};
use crate::store::pg::{Connection, password_resets, registrations};

/// The caller's account.
///
/// # Errors
/// It was deleted meanwhile, or a failure of ours.
pub async fn get(app: &App, caller: &Caller) -> Result<User, Error> {
    let found = users::find(&mut *app.pool.get().await?, caller.user_id).await?;
    Ok(found.ok_or(Error::UserNotFound)?.user)
}

/// Changes the caller's profile.
///
/// # Errors
/// It was deleted meanwhile, or a failure of ours.
pub async fn update(app: &App, caller: &Caller, change: ProfileChange) -> Result<User, Error> {
    let now = app.clock.now();
    let updated = users::update_profile(&mut *app.pool.get().await?, caller.user_id, &change, now).await?;
    updated.ok_or(Error::UserNotFound)
}

/// Changes the caller's password, ends its other sessions, and tells it by mail.
///
/// # Errors
/// The wrong current password, one that was tried too often, a refused new one, or a failure of ours.
pub async fn change_password(
    app: &App,
    caller: &Caller,
    from: &DeviceOrigin,
    current: Password,
    new: Password,
) -> Result<(), Error> {
    let (user, old_hash) = prove(app, caller, current).await?;
    let new_hash = passwords::hash_new(app, "new_password", new, &user.email, &user.display_name).await?;

    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome = replace_password(app, &mut tx, (caller, from), (&old_hash, &new_hash), now).await;
    let ended = tx.end(outcome).await?;
    revocations::take_in(app, ended, now);
    app.outbox_filled.notify_one();
    Ok(())
}

/// Deletes the caller's account and everything of theirs; its sessions end at once.
///
/// # Errors
/// The wrong password, one that was tried too often, the last administrator, or a failure of ours.
pub async fn delete(app: &App, caller: &Caller, current: Password) -> Result<(), Error> {
    let (user, password_hash) = prove(app, caller, current).await?;
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome = delete_all(app, &mut tx, (&user, password_hash), now).await;
    let ended = tx.end(outcome).await?;
    revocations::take_in(app, ended, now);
    Ok(())
}

/// The caller and its password hash, if `password` is right. A wrong one counts as a login that failed on the caller's device:
/// whoever has got hold of a session is to get no more guesses at the password than others.
async fn prove(app: &App, caller: &Caller, password: Password) -> Result<(User, PasswordHash), Error> {
    let found = users::find(&mut *app.pool.get().await?, caller.user_id).await?;
    let email = found.ok_or(Error::UserNotFound)?.user.email;
    let trial = Trial { email: &email, device_id: &caller.device_id, origin: None };
    let (found, reserved) = lockouts::reserve(app, trial).await?;
    let credentials = found.ok_or(Error::UserNotFound)?;
    let owner = credentials.user.clone();
    let attempt = reserved.as_ref().map(|reserved| reserved.attempt.clone());
    let outcome = verify(app, credentials, password).await;
    lockouts::conclude(app, reserved, &outcome, Some(&owner)).await;
    if let (Ok(_), Some(attempt)) = (&outcome, attempt) {
        lockouts::forget(&mut *app.pool.get().await?, &attempt).await?;
    }
    outcome
}

async fn verify(app: &App, credentials: Credentials, password: Password) -> Result<(User, PasswordHash), Error> {
    let Credentials { user, password_hash, .. } = credentials;
    let verdict = app.hasher.verify(password, password_hash.as_ref()).await?;
    match (verdict, password_hash) {
        (Verdict::Right { .. }, Some(password_hash)) => Ok((user, password_hash)),
        _ => Err(Error::InvalidCredentials),
    }
}

async fn replace_password(
    app: &App,
    conn: &mut Connection,
    (caller, from): (&Caller, &DeviceOrigin),
    (old_hash, new_hash): (&PasswordHash, &PasswordHash),
    now: DateTime<Utc>,
) -> Result<Ended, Error> {
    // Somebody who changed it in between has made the current password a wrong one.
    let user = users::update_password(conn, caller.user_id, new_hash, Some(old_hash), now).await?;
    let user = user.ok_or(Error::InvalidCredentials)?;
    password_resets::consume_all_of(conn, caller.user_id, now).await?;
    lockouts::lift(app, conn, &user.email).await?;
    let ending = revocations::ending(app, EndReason::PasswordChanged, now);
    let ended = sessions::end_all(conn, caller.user_id, Some(caller.session_id), ending).await?;
    let notice = outbox::password_changed(&from.origin, now);
    outbox::enqueue(app, conn, outbox::to_user(&user, notice), now).await?;
    Ok(ended)
}

async fn delete_all(
    app: &App,
    conn: &mut Connection,
    (user, password_hash): (&User, PasswordHash),
    now: DateTime<Utc>,
) -> Result<Ended, Error> {
    let locked = users::lock(conn, user.user_id).await?.ok_or(Error::UserNotFound)?;
    // Whoever set another password in between has made the one presented a wrong one.
    if locked.password_hash != Some(password_hash) {
        return Err(Error::InvalidCredentials);
    }
    // Asked with the user locked, and the holders are locked too, so that neither a promotion nor another administrator who
    // leaves at the same moment goes unseen.
    if users::lock_holders(conn, ADMIN).await? == [user.user_id] {
        return Err(Error::LastAdmin);
    }
    let ending = revocations::ending(app, EndReason::Revoked, now);
    let ended = sessions::end_all(conn, user.user_id, None, ending).await?;
    registrations::delete_all_of(conn, &user.email).await?;
    lockouts::lift(app, conn, &user.email).await?;
    users::delete(conn, user.user_id).await?;
    Ok(ended)
}
