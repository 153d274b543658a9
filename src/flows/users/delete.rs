//! DeleteUser: a user and everything of theirs.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::error::Error;
use crate::flows::{admins, attempts, audit, names, revocations};
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::model::id::UserId;
use crate::model::session::EndReason;
use crate::model::user::User;
use crate::store::pg::sessions::{self, Ended};
use crate::store::pg::{Connection, registrations, users};

/// Deletes a user and everything of theirs; its sessions end at once.
///
/// # Errors
/// No such user, the last administrator, or a failure of ours.
pub async fn delete(app: &App, by: &Act, user_id: UserId) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let user = users::lock(&mut tx, user_id).await?.ok_or(Error::UserNotFound)?.user;
        delete_all(app, &mut tx, (by, EventKind::UserDeleted), &user, now).await
    }
    .await;
    let ended = tx.end(outcome).await?;
    revocations::take_in(app, ended, now);
    Ok(())
}

/// Deletes everything of a user whose row is locked, unless it is the last administrator, and puts it on record as this kind of
/// event.
pub(in crate::flows) async fn delete_all(
    app: &App,
    conn: &mut Connection,
    (by, kind): (&Act, EventKind),
    user: &User,
    now: DateTime<Utc>,
) -> Result<Ended, Error> {
    admins::spare(conn, user).await?;
    let ending = revocations::ending(app, EndReason::Revoked, now);
    let ended = sessions::end_all(conn, user.user_id, None, ending).await?;
    registrations::erase_all_of(conn, &user.email, now).await?;
    attempts::lift(app, conn, &user.email).await?;
    users::delete(conn, user.user_id).await?;
    let deleted = Event::new(kind, Subject::User(user.user_id)).with("roles", names(&user.roles));
    let revoked = audit::revoked(user.user_id, ending.reason, &ended);
    audit::record_all(conn, by, std::iter::once(deleted).chain(revoked), now).await?;
    Ok(ended)
}
