//! VerifyEmail: a registration whose code is right becomes a user.

use chrono::{DateTime, Utc};

use super::audit::{self, Event};
use super::{codes, outbox};
use crate::app::App;
use crate::error::Error;
use crate::mail::Content;
use crate::model::audit::{Actor, EventKind, Subject};
use crate::model::code::{Code, CodeHash};
use crate::model::id::{RegistrationId, UserId};
use crate::model::origin::DeviceOrigin;
use crate::model::user::User;
use crate::store::pg::registrations::{self, CodeAttempt, Registration};
use crate::store::pg::users::NewUser;
use crate::store::pg::{Connection, user_devices, users};

/// A code presented for a registration.
#[derive(Debug)]
pub struct VerifyEmail {
    /// The registration.
    pub registration_id: RegistrationId,
    /// The code from the mail.
    pub code: Code,
}

/// Creates the user of a registration whose code is right, and drops every other registration of the address. The same code
/// from the same device again, while the code is good, is a reply that was lost: it gets the same user.
///
/// The attempt is counted in the transaction that creates the user: a crash in between spends neither.
///
/// # Errors
/// A wrong, expired or exhausted code, no such registration, or a failure of ours.
pub async fn verify_email(app: &App, from: &DeviceOrigin, request: VerifyEmail) -> Result<User, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let tried = try_code(app, &mut tx, from, &request, now).await?;
        if let Some(reason) = tried.as_ref().err().and_then(codes::refusal) {
            let subject = Subject::Registration(request.registration_id);
            let event = Event::new(EventKind::EmailVerificationFailed, subject).with("reason", reason);
            audit::record_limited(app, &mut tx, &from.act(Actor::Anonymous), [event], now).await?;
        }
        Ok(tried)
    }
    .await;
    let user = tx.end(outcome).await??;
    app.outbox_filled.notify_one();
    Ok(user)
}

/// The outer error rolls the attempt back, the inner one has cost it.
async fn try_code(
    app: &App,
    conn: &mut Connection,
    from: &DeviceOrigin,
    request: &VerifyEmail,
    now: DateTime<Utc>,
) -> Result<Result<User, Error>, Error> {
    let VerifyEmail { registration_id, code } = request;
    let attempts = app.config.codes.attempts.get();
    let user = match registrations::reserve_attempt(conn, *registration_id, attempts, now).await? {
        None => return Ok(Err(why_not_tried(conn, *registration_id, attempts, now).await?)),
        Some(CodeAttempt::First { registration, code_hash }) => {
            if !codes::matches(app, registration_id.uuid(), code, &code_hash) {
                return Ok(Err(Error::CodeInvalid));
            }
            let replay_hash = codes::replay_hash(app, registration_id.uuid(), code, &from.device_id);
            create(app, conn, from, (registration, replay_hash), now).await?
        }
        Some(CodeAttempt::Replay { replay_hash, user_id }) => {
            if !codes::is_replay(app, registration_id.uuid(), (code, &from.device_id), &replay_hash) {
                return Ok(Err(Error::CodeExpired));
            }
            registrations::release_attempt(conn, *registration_id).await?;
            find(conn, user_id).await?
        }
    };
    // Another registration of the address was verified first, or it had an account all along, or its user is gone.
    Ok(user.ok_or(Error::CodeExpired))
}

async fn find(conn: &mut Connection, user_id: Option<UserId>) -> Result<Option<User>, Error> {
    let Some(user_id) = user_id else { return Ok(None) };
    Ok(users::find(conn, user_id).await?.map(|credentials| credentials.user))
}

async fn create(
    app: &App,
    conn: &mut Connection,
    from: &DeviceOrigin,
    (registration, replay_hash): (Registration, CodeHash),
    now: DateTime<Utc>,
) -> Result<Option<User>, Error> {
    let new = NewUser {
        user_id: UserId::new(now),
        email: registration.email,
        display_name: registration.display_name,
        locale: registration.locale,
        password_hash: Some(registration.password_hash),
        roles: Vec::new(),
    };
    if !users::insert(conn, &new, now).await? {
        registrations::consume(conn, registration.registration_id, now).await?;
        return Ok(None);
    }
    registrations::complete(conn, registration.registration_id, new.user_id, &replay_hash, now).await?;
    registrations::consume_all_of(conn, &new.email, now).await?;
    user_devices::insert(conn, new.user_id, &from.device_id, None, now).await?;
    let user = users::find(conn, new.user_id).await?.ok_or(Error::UserNotFound)?.user;
    outbox::enqueue(app, conn, outbox::to_user(&user, Content::Welcome), now).await?;
    let verified = Event::new(EventKind::EmailVerified, Subject::User(user.user_id));
    let verified = verified.with("registration_id", registration.registration_id);
    audit::record(conn, &from.act(Actor::Anonymous), verified, now).await?;
    Ok(Some(user))
}

async fn why_not_tried(
    conn: &mut Connection,
    registration_id: RegistrationId,
    attempts: u16,
    now: DateTime<Utc>,
) -> Result<Error, Error> {
    let standing = registrations::find_standing(conn, registration_id).await?;
    Ok(match standing {
        None => Error::RegistrationNotFound,
        Some(standing) if standing.consumed || now >= standing.code_expires_at || now >= standing.expires_at => {
            Error::CodeExpired
        }
        Some(standing) if standing.code_attempts >= i16::try_from(attempts).unwrap_or(i16::MAX) => {
            Error::CodeAttemptsExhausted
        }
        // It was replaced in between; the one presented is not the one that counts now.
        Some(_) => Error::CodeInvalid,
    })
}
