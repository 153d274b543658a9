//! SetUserRoles: what a user may do from now on, also with the tokens that it has.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::error::Error;
use crate::flows::{admins, audit, names, revocations, roles as all_roles};
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::model::id::UserId;
use crate::model::role::{RoleName, RolesChange};
use crate::model::user::{TokenBasis, User};
use crate::store::pg::{Connection, roles, users};
use crate::token::access;

/// Changes a user's roles. Access tokens issued before are refused: here at once, by every other process after its next look at
/// the feed. A user that has these roles already keeps its tokens.
///
/// # Errors
/// No such user or role, the last administrator, or a failure of ours.
pub async fn set_roles(app: &App, by: &Act, user_id: UserId, change: RolesChange) -> Result<User, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome = set(app, &mut tx, by, (user_id, &change), now).await;
    let (user, basis) = tx.end(outcome).await?;
    if let Some(basis) = basis {
        revocations::take_in_stale(app, user_id, basis, now);
    }
    Ok(user)
}

/// The user as it is then, and what its tokens stand on if that is new.
async fn set(
    app: &App,
    conn: &mut Connection,
    by: &Act,
    (user_id, change): (UserId, &RolesChange),
    now: DateTime<Utc>,
) -> Result<(User, Option<TokenBasis>), Error> {
    let user = users::lock(conn, user_id).await?.ok_or(Error::UserNotFound)?.user;
    let before = user.roles.iter().map(|role| role.parse()).collect::<Result<BTreeSet<RoleName>, _>>();
    let before = before.map_err(Error::internal)?;
    let after = change.applied_to(&before);
    let existing = roles::hold_all(conn, &after).await?;
    if let Some(missing) = after.iter().find(|role| !existing.contains(*role)) {
        return Err(all_roles::not_found(missing));
    }
    if after == before {
        return Ok((user, None));
    }
    if !after.iter().any(RoleName::is_admin) {
        admins::spare(conn, &user).await?;
    }
    let basis = users::update_roles(conn, user_id, &after, access::issued_from(now), now).await?;
    let basis = basis.ok_or(Error::UserNotFound)?;
    revocations::write_stale(app, conn, user_id, basis, now).await?;
    let event = Event::new(EventKind::UserRolesSet, Subject::User(user_id))
        .with("old_roles", names(&before))
        .with("new_roles", names(&after));
    audit::record(conn, by, event, now).await?;
    let user = users::find(conn, user_id).await?.ok_or(Error::UserNotFound)?.user;
    Ok((user, Some(basis)))
}
