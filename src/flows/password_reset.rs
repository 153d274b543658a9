//! RequestPasswordReset, VerifyPasswordResetCode and ResetPassword: a mailed code, a token for it, a new password for that.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::time::Instant;

use super::audit::{self, Event};
use super::codes::CodeRequest;
use super::{attempts, codes, outbox, passwords, revocations};
use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::mail::Content;
use crate::model::audit::{Actor, EventKind, Subject};
use crate::model::code::Code;
use crate::model::email::Email;
use crate::model::id::{ResetId, UserId};
use crate::model::operation::counted_network;
use crate::model::origin::DeviceOrigin;
use crate::model::password::{Password, PasswordHash};
use crate::model::session::EndReason;
use crate::model::user::User;
use crate::store::pg::password_resets::{self, CodeAttempt, Exchange, NewReset, Standing};
use crate::store::pg::sessions::{self, Ended};
use crate::store::pg::{Connection, code_quotas, user_devices, users};
use crate::token::reset::ResetToken;

/// When a request for a reset is answered, counted from its arrival. It costs a millisecond or two of work, so little that
/// the delivery of an earlier mail next to it would show in the time of the answer.
const ANSWER_AFTER: Duration = Duration::from_millis(100);

/// A reset whose code has been mailed, or so it looks.
#[derive(Debug)]
pub struct ResetRequested {
    /// The reset.
    pub reset_id: ResetId,
    /// When the code is no longer good.
    pub code_expires_at: DateTime<Utc>,
}

/// A code presented for a reset.
#[derive(Debug)]
pub struct VerifyResetCode {
    /// The reset.
    pub reset_id: ResetId,
    /// The code from the mail.
    pub code: Code,
}

/// What a right code is exchanged for.
#[derive(Debug)]
pub struct ResetAllowed {
    /// The token that sets a password, once.
    pub reset_token: SecretString,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Begins a reset and mails its code; for an address without an account the same, but the mail.
///
/// # Errors
/// Too many codes to the address, or a failure of ours.
pub async fn request(app: &App, from: &DeviceOrigin, email: Email) -> Result<ResetRequested, Error> {
    let arrived = Instant::now();
    let now = app.clock.now();
    let reset_id = ResetId::new(now);
    let (code, code_hash) = codes::generate(app, reset_id.uuid())?;
    let code_expires_at = clock::add(now, app.config.codes.ttl);
    let mut tx = app.pool.begin().await?;
    let outcome = async {
        let owner = users::hold_by_email(&mut tx, &email).await?;
        let code_request = CodeRequest { email: &email, from, operation: "request_password_reset" };
        codes::take_quota(app, &mut tx, code_request, now).await?;
        let user_id = owner.as_ref().map(|user| user.user_id);
        let address_hash = codes::address_hash(app, &email);
        let new = NewReset { reset_id, user_id, address_hash, code_hash, code_expires_at, expires_at: code_expires_at };
        password_resets::insert(&mut tx, &new, now).await?;
        let subject = user_id.map_or(Subject::Nothing, Subject::User);
        let event = Event::new(EventKind::PasswordResetRequested, subject);
        audit::record_limited(app, &mut tx, &from.act(Actor::Anonymous), [event], now).await?;
        let content = Content::ResetCode { code, expires_in: app.config.codes.ttl };
        if let Some(owner) = owner {
            return outbox::enqueue(app, &mut tx, outbox::to_user(&owner, content), now).await;
        }
        let mail = outbox::to_address(&email, from.origin.locale.as_ref(), content);
        outbox::enqueue_for_nobody(app, &mut tx, mail, now).await
    }
    .await;
    tx.end(outcome).await?;
    app.outbox_filled.notify_one();
    tokio::time::sleep_until(arrived + ANSWER_AFTER).await;
    Ok(ResetRequested { reset_id, code_expires_at })
}

/// Exchanges a right code for a reset token. The same code from the same device again, while the code is good, is a reply that
/// was lost: it gets the same token, whose end does not move.
///
/// # Errors
/// A wrong, expired or exhausted code, no such reset, or a failure of ours.
pub async fn verify_code(app: &App, from: &DeviceOrigin, request: VerifyResetCode) -> Result<ResetAllowed, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let Tried { owner, outcome } = try_code(app, &mut tx, from, &request, now).await?;
        let subject = owner.map_or(Subject::Nothing, Subject::User);
        let event = match &outcome {
            Ok(Exchanged { again: false, .. }) => Some(Event::new(EventKind::PasswordResetCodeVerified, subject)),
            Ok(Exchanged { again: true, .. }) => None,
            Err(error) => codes::refusal(error)
                .map(|reason| Event::new(EventKind::PasswordResetCodeFailed, subject).with("reason", reason)),
        };
        audit::record_limited(app, &mut tx, &from.act(Actor::Anonymous), event, now).await?;
        Ok(outcome)
    }
    .await;
    let outcome = tx.end(outcome).await?;
    // A wrong code may have caused a notice.
    app.outbox_filled.notify_one();
    let Exchanged { token, expires_at, .. } = outcome?;
    Ok(ResetAllowed { reset_token: token.issue(&app.master), expires_at })
}

/// An attempt at a code.
struct Tried {
    /// Whose reset it is, if it is a user's.
    owner: Option<UserId>,
    /// What came of it; an error has cost the attempt.
    outcome: Result<Exchanged, Error>,
}

/// A code that was right.
struct Exchanged {
    token: ResetToken,
    expires_at: DateTime<Utc>,
    /// Whether it had been exchanged before.
    again: bool,
}

/// Tries a code. An error rolls the attempt back.
async fn try_code(
    app: &App,
    conn: &mut Connection,
    from: &DeviceOrigin,
    request: &VerifyResetCode,
    now: DateTime<Utc>,
) -> Result<Tried, Error> {
    let VerifyResetCode { reset_id, code } = request;
    let attempts = app.config.codes.attempts.get();
    let Some(attempt) = password_resets::reserve_attempt(conn, *reset_id, attempts, now).await? else {
        let standing = password_resets::find_standing(conn, *reset_id).await?;
        let owner = standing.as_ref().and_then(|standing| standing.user_id);
        return Ok(Tried { owner, outcome: Err(why_not_tried(standing, attempts, now)) });
    };
    let owner = attempt.user_id;
    let outcome = judge(app, from, request, &attempt, now);
    count(app, conn, request, &attempt, now).await?;
    let outcome = match outcome {
        Ok(exchanged @ Exchanged { again: true, .. }) => {
            password_resets::release_attempt(conn, *reset_id).await?;
            Ok(exchanged)
        }
        Ok(exchanged) => {
            let replay_hash = codes::replay_hash(app, reset_id.uuid(), code, &from.device_id);
            let exchange = Exchange { replay_hash, token_expires_at: exchanged.expires_at };
            password_resets::exchange_code(conn, *reset_id, exchange).await?;
            Ok(exchanged)
        }
        Err(error) => Err(error),
    };
    Ok(Tried { owner, outcome })
}

/// Counts a code that is wrong by the address of its reset; a right one clears the count.
async fn count(
    app: &App,
    conn: &mut Connection,
    VerifyResetCode { reset_id, code }: &VerifyResetCode,
    attempt: &CodeAttempt,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(address_hash) = &attempt.address_hash else { return Ok(()) };
    if codes::matches(app, reset_id.uuid(), code, &attempt.code_hash) && attempt.user_id.is_some() {
        return Ok(code_quotas::clear_wrong(conn, address_hash).await?);
    }
    codes::count_wrong(app, conn, address_hash, attempt.user_id, now).await
}

/// Judges a code against what is kept of its reset.
fn judge(
    app: &App,
    from: &DeviceOrigin,
    VerifyResetCode { reset_id, code }: &VerifyResetCode,
    attempt: &CodeAttempt,
    now: DateTime<Utc>,
) -> Result<Exchanged, Error> {
    let token = ResetToken { reset_id: *reset_id };
    let Some(exchange) = attempt.exchange else {
        // The code of an address without an account was mailed to no address: a lucky guess at it is a wrong one.
        if !codes::matches(app, reset_id.uuid(), code, &attempt.code_hash) || attempt.user_id.is_none() {
            return Err(Error::CodeInvalid);
        }
        return Ok(Exchanged { token, expires_at: clock::add(now, app.config.codes.reset_token_ttl), again: false });
    };
    let replayed = codes::is_replay(app, reset_id.uuid(), (code, &from.device_id), &exchange.replay_hash);
    if !replayed || attempt.user_id.is_none() || now >= exchange.token_expires_at {
        return Err(Error::CodeExpired);
    }
    Ok(Exchanged { token, expires_at: exchange.token_expires_at, again: true })
}

fn why_not_tried(standing: Option<Standing>, attempts: u16, now: DateTime<Utc>) -> Error {
    match standing {
        None => Error::ResetNotFound,
        Some(standing) if standing.consumed || now >= standing.code_expires_at => Error::CodeExpired,
        Some(standing) if standing.code_attempts >= i16::try_from(attempts).unwrap_or(i16::MAX) => {
            Error::CodeAttemptsExhausted
        }
        Some(_) => Error::CodeInvalid,
    }
}

/// Sets a new password with a reset token: every session ends, every outstanding code and token is dropped, and the owner
/// is told.
///
/// A refused password does not use the token up.
///
/// # Errors
/// A token that is expired or used, a refused password, or a failure of ours.
pub async fn reset_password(
    app: &App,
    from: &DeviceOrigin,
    token: ResetToken,
    new_password: Password,
) -> Result<(), Error> {
    let owner = owner_of(app, token).await?;
    let password_hash =
        passwords::hash_new(app, "new_password", new_password, &owner.email, &owner.display_name).await?;

    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome = set_password(app, &mut tx, from, (owner.user_id, token, &password_hash), now).await;
    let ended = tx.end(outcome).await?;
    revocations::take_in(app, ended, now);
    app.outbox_filled.notify_one();
    Ok(())
}

/// Who may set a password with this token: asked before the new one is hashed, so that nobody gets hashing for nothing.
async fn owner_of(app: &App, token: ResetToken) -> Result<User, Error> {
    let mut conn = app.pool.get().await?;
    let user_id = password_resets::find_owner(&mut conn, token.reset_id, app.clock.now()).await?;
    let user_id = user_id.ok_or(Error::ResetTokenExpired)?;
    Ok(users::find(&mut conn, user_id).await?.ok_or(Error::ResetTokenExpired)?.user)
}

async fn set_password(
    app: &App,
    conn: &mut Connection,
    from: &DeviceOrigin,
    (owner, token, password_hash): (UserId, ResetToken, &PasswordHash),
    now: DateTime<Utc>,
) -> Result<Ended, Error> {
    // Whoever sets a password locks the user first and its resets after, lest two of them wait for each other.
    users::lock(conn, owner).await?.ok_or(Error::ResetTokenExpired)?;
    let user_id = password_resets::take_token(conn, token.reset_id, now).await?.ok_or(Error::ResetTokenExpired)?;
    let user = users::update_password(conn, user_id, password_hash, None, now).await?;
    let user = user.ok_or(Error::ResetTokenExpired)?;
    password_resets::consume_all_of(conn, user_id, now).await?;
    attempts::lift(app, conn, &user.email).await?;
    let ending = revocations::ending(app, EndReason::PasswordChanged, now);
    let ended = sessions::end_all(conn, user_id, None, ending).await?;
    // Any of the devices may be a thief's. Who has the mailbox is the owner: strangers who go on guessing are not to lock this
    // device out before it logs in.
    user_devices::delete_all_of(conn, user_id).await?;
    let network = counted_network(from.origin.ip_address);
    user_devices::insert(conn, user_id, &from.device_id, Some(network), now).await?;
    let notice = outbox::password_changed(&from.origin, now);
    outbox::enqueue(app, conn, outbox::to_user(&user, notice), now).await?;
    let reset = Event::new(EventKind::PasswordReset, Subject::User(user_id));
    let revoked = audit::revoked(user_id, ending.reason, &ended);
    audit::record_all(conn, &from.act(Actor::Anonymous), std::iter::once(reset).chain(revoked), now).await?;
    Ok(ended)
}
