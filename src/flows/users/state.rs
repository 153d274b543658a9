//! SuspendUser and ReinstateUser: whether a user may log in.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::error::Error;
use crate::flows::{admins, audit, revocations};
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::model::id::UserId;
use crate::model::session::EndReason;
use crate::model::user::{User, UserState};
use crate::store::pg::sessions::{self, Ended};
use crate::store::pg::{Connection, users};

/// Suspends a user: its sessions end at once, and it cannot log in. One who is suspended already stays so.
///
/// # Errors
/// No such user, the last administrator, or a failure of ours.
pub async fn suspend(app: &App, by: &Act, user_id: UserId) -> Result<User, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome = suspend_locked(app, &mut tx, by, user_id, now).await;
    let (user, ended) = tx.end(outcome).await?;
    revocations::take_in(app, ended, now);
    Ok(user)
}

async fn suspend_locked(
    app: &App,
    conn: &mut Connection,
    by: &Act,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<(User, Ended), Error> {
    let user = users::lock(conn, user_id).await?.ok_or(Error::UserNotFound)?.user;
    if user.state == UserState::Suspended {
        return Ok((user, Ended::new()));
    }
    admins::spare(conn, &user).await?;
    let suspended = users::update_state(conn, user_id, UserState::Suspended, now).await?;
    let user = suspended.ok_or(Error::UserNotFound)?;
    let ending = revocations::ending(app, EndReason::Suspended, now);
    let ended = sessions::end_all(conn, user_id, None, ending).await?;
    let suspended = Event::new(EventKind::UserSuspended, Subject::User(user_id));
    let revoked = audit::revoked(user_id, ending.reason, &ended);
    audit::record_all(conn, by, std::iter::once(suspended).chain(revoked), now).await?;
    Ok((user, ended))
}

/// Lets a suspended user log in again. One who may log in already may go on.
///
/// # Errors
/// No such user, or a failure of ours.
pub async fn reinstate(app: &App, by: &Act, user_id: UserId) -> Result<User, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let user = users::lock(&mut tx, user_id).await?.ok_or(Error::UserNotFound)?.user;
        if user.state == UserState::Active {
            return Ok(user);
        }
        let reinstated = users::update_state(&mut tx, user_id, UserState::Active, now).await?;
        let event = Event::new(EventKind::UserReinstated, Subject::User(user_id));
        audit::record(&mut tx, by, event, now).await?;
        reinstated.ok_or(Error::UserNotFound)
    }
    .await;
    tx.end(outcome).await
}
