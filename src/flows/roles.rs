//! ListRoles, CreateRole, UpdateRole and DeleteRole, and the copy of all permissions that every call is judged by.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::audit;
use super::copied::Copied;
use crate::app::App;
use crate::error::Error;
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::model::role::{Role, RoleChange, RoleName};
use crate::policy::access::Permissions;
use crate::store::pg::feed_versions::{self, Feed};
use crate::store::pg::{Connection, roles};

/// What each role may do, in memory.
pub type CopiedPermissions = Copied<Permissions>;

/// Roles in alphabetical order, from the one after `after`; at most `limit`.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, after: Option<&RoleName>, limit: u32) -> Result<Vec<Role>, Error> {
    Ok(roles::find_page(&mut *app.pool.get().await?, after, limit).await?)
}

/// Creates a role.
///
/// # Errors
/// There is one of its name, or a failure of ours.
pub async fn create(app: &App, by: &Act, role: Role) -> Result<Role, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome = async {
        if !roles::insert(&mut tx, &role).await? {
            return Err(Error::RoleExists);
        }
        let event = Event::new(EventKind::RoleCreated, subject(&role.name)).with("permissions", permissions(&role));
        conclude(&mut tx, by, event, now).await?;
        Ok(role)
    }
    .await;
    let role = tx.end(outcome).await?;
    take_in(app).await;
    Ok(role)
}

/// Changes what a role is for or permits. This process obeys at once, every other one after its next look at the feed: it is
/// about every token with the role, those issued before too.
///
/// # Errors
/// No such role, the permissions of `admin`, or a failure of ours.
pub async fn update(app: &App, by: &Act, name: &RoleName, change: RoleChange) -> Result<Role, Error> {
    if name.is_admin() && change.permissions.is_some() {
        return Err(Error::RoleStanding);
    }
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let before = roles::lock(&mut tx, name).await?.ok_or_else(|| not_found(name))?;
        let after = changed(&before, change);
        if after == before {
            return Ok(before);
        }
        roles::update(&mut tx, &after).await?;
        conclude(&mut tx, by, difference(&before, &after), now).await?;
        Ok(after)
    }
    .await;
    let role = tx.end(outcome).await?;
    take_in(app).await;
    Ok(role)
}

/// Deletes a role that no user has.
///
/// # Errors
/// No such role, one that always exists or that users have, or a failure of ours.
pub async fn delete(app: &App, by: &Act, name: &RoleName) -> Result<(), Error> {
    if name.is_standing() {
        return Err(Error::RoleStanding);
    }
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome: Result<(), Error> = async {
        // Nobody can be given the role while it is locked.
        let role = roles::lock_away(&mut tx, name).await?.ok_or_else(|| not_found(name))?;
        if roles::is_held(&mut tx, name).await? {
            return Err(Error::RoleInUse);
        }
        roles::delete(&mut tx, name).await?;
        let event = Event::new(EventKind::RoleDeleted, subject(name)).with("permissions", permissions(&role));
        conclude(&mut tx, by, event, now).await
    }
    .await;
    tx.end(outcome).await?;
    take_in(app).await;
    Ok(())
}

/// That there is no such role.
pub(super) fn not_found(name: &RoleName) -> Error {
    Error::RoleNotFound { role: name.to_string() }
}

/// Reads the permissions again if they have changed; one round trip when they have not. Called at start, it loads them.
///
/// # Errors
/// When the database fails; the permissions read last then stay in force.
pub async fn follow(app: &App) -> Result<(), Error> {
    let following = app.permissions.follow(&app.job_pool, Feed::Roles, |mut conn| async move {
        let pairs = roles::find_permissions(&mut conn).await?;
        Ok(pairs.into_iter().collect())
    });
    following.await
}

/// Whether one of `held` carries `permission`. Asks the database only when the copy is too old to be trusted, or says no: another
/// replica may have given a role the permission a moment ago.
///
/// # Errors
/// When the database fails while it is needed.
pub async fn allow(app: &App, held: &[String], permission: &str) -> Result<bool, Error> {
    be_fresh(app).await?;
    if app.permissions.current().allow(held, permission) {
        return Ok(true);
    }
    app.permissions.look_up(follow(app)).await?;
    Ok(app.permissions.current().allow(held, permission))
}

/// All that the roles `held` permit. Asks the database only when the copy is too old to be trusted, or lacks one of the roles.
///
/// # Errors
/// When the database fails while it is needed.
pub async fn permissions_of(app: &App, held: &[String]) -> Result<BTreeSet<String>, Error> {
    be_fresh(app).await?;
    if !app.permissions.current().know(held) {
        app.permissions.look_up(follow(app)).await?;
    }
    Ok(app.permissions.current().of(held))
}

/// Makes sure that the copy is one that can be trusted: reads the permissions again when that was too long ago.
async fn be_fresh(app: &App) -> Result<(), Error> {
    if app.permissions.is_fresh(app.config.revocations.max_age) { Ok(()) } else { follow(app).await }
}

/// Makes a change felt here that has been committed. It stands even if this fails: the feed's job brings it then.
async fn take_in(app: &App) {
    if let Err(error) = follow(app).await {
        tracing::debug!(error = %error, "the permissions could not be read after a change");
    }
}

/// What every change of a role ends with.
async fn conclude(conn: &mut Connection, by: &Act, event: Event, now: DateTime<Utc>) -> Result<(), Error> {
    audit::record(conn, by, event, now).await?;
    feed_versions::update(conn, Feed::Roles, Uuid::new_v4()).await?;
    Ok(())
}

fn changed(before: &Role, change: RoleChange) -> Role {
    let RoleChange { description, permissions } = change;
    Role {
        name: before.name.clone(),
        description: description.unwrap_or_else(|| before.description.clone()),
        permissions: permissions.unwrap_or_else(|| before.permissions.clone()),
    }
}

fn difference(before: &Role, after: &Role) -> Event {
    let mut event = Event::new(EventKind::RoleUpdated, subject(&after.name));
    if before.permissions != after.permissions {
        event = event.with("old_permissions", permissions(before)).with("new_permissions", permissions(after));
    }
    if before.description != after.description {
        event = event.with("old_description", before.description.as_str());
        event = event.with("new_description", after.description.as_str());
    }
    event
}

fn subject(name: &RoleName) -> Subject {
    Subject::Role(name.to_string())
}

fn permissions(role: &Role) -> String {
    super::names(&role.permissions)
}
