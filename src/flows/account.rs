//! GetAccount, UpdateAccount, ChangePassword and DeleteAccount: the signed-in user's own account.

use chrono::{DateTime, Utc};

use super::attempts::{self, Place, Trial};
use super::audit::{self, Event, MergeKey};
use super::{outbox, passwords, revocations, users};
use crate::app::App;
use crate::error::Error;
use crate::hashing::Verdict;
use crate::model::audit::{Act, Actor, EventKind, Subject};
use crate::model::caller::Caller;
use crate::model::origin::DeviceOrigin;
use crate::model::password::{Password, PasswordHash};
use crate::model::session::EndReason;
use crate::model::user::{ProfileChange, User};
use crate::store::pg::sessions::{self, Ended};
use crate::store::pg::users::{self as stored, Credentials};
use crate::store::pg::{Connection, password_resets};

/// The caller's account.
///
/// # Errors
/// It was deleted meanwhile, or a failure of ours.
pub async fn get(app: &App, caller: &Caller) -> Result<User, Error> {
    let found = stored::find(&mut *app.pool.get().await?, caller.user_id).await?;
    Ok(found.ok_or(Error::UserNotFound)?.user)
}

/// Changes the caller's profile.
///
/// # Errors
/// It was deleted meanwhile, or a failure of ours.
pub async fn update(app: &App, by: &Act, caller: &Caller, change: ProfileChange) -> Result<User, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome = async {
        let updated = stored::update_profile(&mut tx, caller.user_id, &change, now).await?;
        let user = updated.ok_or(Error::UserNotFound)?;
        let event = Event::new(EventKind::AccountUpdated, Subject::User(caller.user_id));
        let event = (!change.fields().is_empty()).then(|| event.with("fields", change.fields()));
        audit::record_all(&mut tx, by, event, now).await?;
        Ok(user)
    }
    .await;
    tx.end(outcome).await
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
    let by = from.act(Actor::User(caller.user_id));
    let outcome = async {
        let (user, old_hash) = prove(app, &by, caller, current).await?;
        let new_hash = passwords::hash_new(app, "new_password", new, &user.email, &user.display_name).await?;

        let now = app.clock.now();
        let mut tx = app.pool.begin().await?;
        let outcome = replace_password(app, &mut tx, (caller, from), (&old_hash, &new_hash), now).await;
        revocations::take_in(app, tx.end(outcome).await?, now);
        app.outbox_filled.notify_one();
        Ok(())
    }
    .await;
    note_failure(app, &by, caller, "ChangePassword", &outcome).await;
    outcome
}

/// Deletes the caller's account and everything of theirs; its sessions end at once.
///
/// # Errors
/// The wrong password, one that was tried too often, the last administrator, or a failure of ours.
pub async fn delete(app: &App, by: &Act, caller: &Caller, current: Password) -> Result<(), Error> {
    let outcome = async {
        let (user, password_hash) = prove(app, by, caller, current).await?;
        let now = app.clock.now();
        let mut tx = app.pool.begin().await?;
        let outcome = delete_all(app, &mut tx, by, (&user, password_hash), now).await;
        revocations::take_in(app, tx.end(outcome).await?, now);
        Ok(())
    }
    .await;
    note_failure(app, by, caller, "DeleteAccount", &outcome).await;
    outcome
}

/// Puts on record that the caller could not prove itself for this method, if that is why it failed.
async fn note_failure(app: &App, by: &Act, caller: &Caller, method: &'static str, outcome: &Result<(), Error>) {
    if let Err(error) = outcome {
        let event = Event::new(EventKind::ReauthenticationFailed, Subject::User(caller.user_id)).with("method", method);
        let device_id = caller.device_id.as_str().to_owned();
        let lockout = MergeKey::ReauthenticationLockedOut { user_id: caller.user_id, device_id };
        attempts::note_failure(app, by, event, error, Some(lockout)).await;
    }
}

/// The caller and its password hash, if `password` is right. A wrong one counts as a login that failed on the caller's device:
/// whoever has got hold of a session is to get no more guesses at the password than others.
async fn prove(app: &App, by: &Act, caller: &Caller, password: Password) -> Result<(User, PasswordHash), Error> {
    let found = stored::find(&mut *app.pool.get().await?, caller.user_id).await?;
    let email = found.ok_or(Error::UserNotFound)?.user.email;
    let trial = Trial { email: &email, device_id: &caller.device_id, place: Place::Session, by };
    let (found, reserved) = attempts::reserve(app, trial).await.map_err(|refused| refused.error)?;
    let credentials = found.ok_or(Error::UserNotFound)?;
    let owner = credentials.user.clone();
    let attempt = reserved.as_ref().map(|reserved| reserved.attempt.clone());
    let outcome = verify(app, credentials, password).await;
    attempts::conclude(app, reserved, &outcome, Some(&owner)).await;
    if let (Ok(_), Some(attempt)) = (&outcome, attempt) {
        attempts::forget(&mut *app.pool.get().await?, &attempt).await?;
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
    let user = stored::update_password(conn, caller.user_id, new_hash, Some(old_hash), now).await?;
    let user = user.ok_or(Error::InvalidCredentials)?;
    password_resets::consume_all_of(conn, caller.user_id, now).await?;
    attempts::lift(app, conn, &user.email).await?;
    let ending = revocations::ending(app, EndReason::PasswordChanged, now);
    let ended = sessions::end_all(conn, caller.user_id, Some(caller.session_id), ending).await?;
    let notice = outbox::password_changed(&from.origin, now);
    outbox::enqueue(app, conn, outbox::to_user(&user, notice), now).await?;
    let changed = Event::new(EventKind::PasswordChanged, Subject::User(caller.user_id));
    let revoked = audit::revoked(caller.user_id, ending.reason, &ended);
    audit::record_all(conn, &from.act(Actor::User(caller.user_id)), std::iter::once(changed).chain(revoked), now)
        .await?;
    Ok(ended)
}

async fn delete_all(
    app: &App,
    conn: &mut Connection,
    by: &Act,
    (user, password_hash): (&User, PasswordHash),
    now: DateTime<Utc>,
) -> Result<Ended, Error> {
    let locked = stored::lock(conn, user.user_id).await?.ok_or(Error::UserNotFound)?;
    // Whoever set another password in between has made the one presented a wrong one.
    if locked.password_hash != Some(password_hash) {
        return Err(Error::InvalidCredentials);
    }
    users::delete_all(app, conn, (by, EventKind::AccountDeleted), &locked.user, now).await
}
