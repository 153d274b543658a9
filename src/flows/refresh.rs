//! RefreshTokens: one statement when all is well.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{Tokens, audit, outbox, revocations, tokens};
use crate::app::App;
use crate::clock;
use crate::config;
use crate::error::{Error, TokenRefusal};
use crate::mail::Content;
use crate::model::audit::{Act, Actor, EventKind};
use crate::model::id::SessionId;
use crate::model::lockout::LockoutKey;
use crate::model::operation::{LimitKind, Operation};
use crate::model::origin::DeviceOrigin;
use crate::model::session::{EndReason, Session};
use crate::model::user::UserState;
use crate::policy::lockout::SessionRule;
use crate::policy::rotation::{self, Verdict};
use crate::store::pg::sessions::{self, Ended, Rotated, Rotation, SessionStanding};
use crate::store::pg::{Connection, users};
use crate::token::refresh::RefreshToken;

/// The scope of a session, which only this flow knows.
const SESSION: &str = "session";

/// A session after its refresh.
#[derive(Debug)]
pub struct Refreshed {
    /// The session.
    pub session: Session,
    /// Its new tokens.
    pub tokens: Tokens,
}

/// Exchanges a refresh token for its successor. The one before the current gets the same successor again for a little
/// while; an older one ends the session.
///
/// # Errors
/// Any [`TokenRefusal`] but `Missing`, [`Error::LockedOut`] for the session, or a failure of ours.
pub async fn refresh(app: &App, from: &DeviceOrigin, refresh_token: SecretString) -> Result<Refreshed, Error> {
    // A forged token ends here, without any I/O.
    let token = RefreshToken::verify(refresh_token.expose_secret(), &app.master).ok_or(TokenRefusal::Invalid)?;
    let now = app.clock.now();
    let rotation = Rotation {
        session_id: token.session_id,
        generation: token.generation,
        device_id: from.device_id.clone(),
        ip_address: from.origin.ip_address,
        user_agent: from.origin.user_agent.clone(),
        idle_expires_at: clock::add(now, app.config.tokens.refresh_idle_ttl),
    };
    let mut conn = app.pool.get().await?;
    if let Some(rotated) = sessions::rotate(&mut conn, &rotation, now).await? {
        drop(conn);
        return refreshed(app, rotated, now).await;
    }
    let standing = sessions::find_standing(&mut conn, token.session_id).await?;
    drop(conn);
    let standing = standing.ok_or(TokenRefusal::Revoked)?;
    if let Some(until) = standing.refresh_locked_until.filter(|until| now < *until) {
        return Err(locked(app, until, now));
    }
    let by = from.act(Actor::Anonymous);
    match judge(app, from, token, &standing, now) {
        Verdict::SameSuccessor => refreshed(app, standing.current, now).await,
        Verdict::Reused => {
            end(app, &by, token, &standing.current.session, now).await?;
            count_failure(app, &by, &standing.current.session, now).await?;
            Err(TokenRefusal::Reused.into())
        }
        Verdict::DeviceMismatch => {
            count_failure(app, &by, &standing.current.session, now).await?;
            Err(TokenRefusal::DeviceMismatch.into())
        }
        Verdict::Revoked => Err(TokenRefusal::Revoked.into()),
        Verdict::Expired => Err(TokenRefusal::Expired.into()),
    }
}

/// The refusal of a session whose refresh is locked.
fn locked(app: &App, until: DateTime<Utc>, now: DateTime<Utc>) -> Error {
    let operation = Operation::Refresh.as_str();
    app.metrics.refused(operation, SESSION, LimitKind::Lockout.as_str());
    Error::LockedOut { operation, scope: SESSION, retry_after: clock::until(until, now), until_reset: false }
}

/// Counts a failure against the session that the token names, whatever device and address it comes from. A lockout that begins
/// with it goes on record.
async fn count_failure(app: &App, by: &Act, session: &Session, now: DateTime<Utc>) -> Result<(), Error> {
    let config::SessionLockout { failures, window, lock } = app.config.lockout.session;
    if !app.config.lockout.enabled || failures == 0 {
        return Ok(());
    }
    let rule = SessionRule { failures, window, lock };
    let mut conn = app.pool.get().await?;
    if let Some(until) = sessions::add_refresh_failure(&mut conn, session.session_id, rule, now).await? {
        let key = LockoutKey::Session(session.session_id);
        let event = audit::locked_out(&key, Operation::Refresh, SESSION, until).with("user_id", session.user_id);
        audit::record(&mut conn, by, event, now).await?;
    }
    Ok(())
}

async fn refreshed(app: &App, rotated: Rotated, now: DateTime<Utc>) -> Result<Refreshed, Error> {
    let Rotated { session, generation, roles, basis } = rotated;
    let tokens = tokens::issue(app, &session, generation, (roles, basis), now).await?;
    Ok(Refreshed { session, tokens })
}

fn judge(
    app: &App,
    from: &DeviceOrigin,
    token: RefreshToken,
    standing: &SessionStanding,
    now: DateTime<Utc>,
) -> Verdict {
    let session = &standing.current.session;
    let seen = rotation::Standing {
        same_device: session.device_id == from.device_id,
        ended: standing.ended_at.is_some() || standing.user_state != UserState::Active,
        expires_at: session.expires_at,
        generation: standing.current.generation,
        rotated_at: standing.rotated_at,
    };
    rotation::judge(token.generation, &seen, app.config.tokens.refresh_grace, now)
}

/// Ends the session of a token that was used twice, and tells its owner.
async fn end(app: &App, by: &Act, token: RefreshToken, session: &Session, now: DateTime<Utc>) -> Result<(), Error> {
    let mut tx = app.pool.begin().await?;
    let outcome = end_and_tell(app, &mut tx, by, (token, session), now).await;
    let ended = tx.end(outcome).await?;
    tracing::warn!(
        session.id = %session.session_id,
        user.id = %session.user_id,
        "an outdated refresh token was presented; its session has been ended"
    );
    revocations::take_in(app, ended, now);
    app.outbox_filled.notify_one();
    Ok(())
}

async fn end_and_tell(
    app: &App,
    conn: &mut Connection,
    by: &Act,
    (token, session): (RefreshToken, &Session),
    now: DateTime<Utc>,
) -> Result<Ended, Error> {
    let ending = revocations::ending(app, EndReason::TokenReused, now);
    let ended = sessions::end_reused(conn, token.session_id, token.generation, ending).await?;
    let reused = |session_id: &SessionId| audit::of_session(EventKind::TokenReused, session.user_id, *session_id);
    audit::record_all(conn, by, ended.iter().map(reused), now).await?;
    // Empty when another presentation of the token was faster: it has told the owner.
    if !ended.is_empty()
        && let Some(owner) = users::find(conn, session.user_id).await?
    {
        let device_name = Some(session.device_name.as_str().to_owned());
        let mail = outbox::to_user(&owner.user, Content::SessionEnded { device_name, at: now });
        outbox::enqueue(app, conn, mail, now).await?;
    }
    Ok(ended)
}
