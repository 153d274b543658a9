//! ListUserSessions and RevokeUserSessions: where a user is signed in.

use crate::app::App;
use crate::error::Error;
use crate::flows::{audit, revocations};
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::model::id::{SessionId, UserId};
use crate::model::session::{EndReason, Session};
use crate::store::pg::{sessions, users};

/// A user's live sessions, latest login first, from the one after `before`; at most `limit`.
///
/// # Errors
/// No such user, or a failure of ours.
pub async fn list_sessions(
    app: &App,
    user_id: UserId,
    before: Option<SessionId>,
    limit: u32,
) -> Result<Vec<Session>, Error> {
    let now = app.clock.now();
    let mut conn = app.pool.get().await?;
    users::find(&mut conn, user_id).await?.ok_or(Error::UserNotFound)?;
    Ok(sessions::find_page(&mut conn, user_id, before, limit, now).await?)
}

/// Ends all sessions of a user; returns how many.
///
/// # Errors
/// No such user, or a failure of ours.
pub async fn revoke_sessions(app: &App, by: &Act, user_id: UserId) -> Result<usize, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        users::lock(&mut tx, user_id).await?.ok_or(Error::UserNotFound)?;
        let ending = revocations::ending(app, EndReason::Revoked, now);
        let ended = sessions::end_all(&mut tx, user_id, None, ending).await?;
        let event = Event::new(EventKind::UserSessionsRevoked, Subject::User(user_id)).with("count", ended.len());
        let revoked = audit::revoked(user_id, ending.reason, &ended);
        audit::record_all(&mut tx, by, std::iter::once(event).chain(revoked), now).await?;
        Ok(ended)
    }
    .await;
    let ended = tx.end(outcome).await?;
    let count = ended.len();
    revocations::take_in(app, ended, now);
    Ok(count)
}
