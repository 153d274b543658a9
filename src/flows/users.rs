//! Other people's accounts: ListUsers, GetUser and UpdateUser here, what changes more in the files below.

mod create;
mod delete;
mod roles;
mod sessions;
mod state;

pub use create::{NewAccount, create};
pub use delete::delete;
pub(super) use delete::delete_all;
pub use roles::set_roles;
pub use sessions::{list_sessions, revoke_sessions};
pub use state::{reinstate, suspend};

use super::audit;
use crate::app::App;
use crate::error::Error;
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::model::user::{ProfileChange, User};
use crate::model::user_list::{UserList, UserPlace};
use crate::store::pg::users;

/// Users in the order of the list, from the one after `after`; at most `limit`.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, list: &UserList, after: Option<UserPlace>, limit: u32) -> Result<Vec<User>, Error> {
    Ok(users::find_page(&mut *app.pool.get().await?, list, after, limit).await?)
}

/// A user.
///
/// # Errors
/// No such user, or a failure of ours.
pub async fn get(app: &App, user_id: UserId) -> Result<User, Error> {
    let found = users::find(&mut *app.pool.get().await?, user_id).await?;
    Ok(found.ok_or(Error::UserNotFound)?.user)
}

/// The user of an address.
///
/// # Errors
/// No such user, or a failure of ours.
pub async fn get_by_email(app: &App, email: &Email) -> Result<User, Error> {
    let found = users::find_by_email(&mut *app.pool.get().await?, email).await?;
    Ok(found.ok_or(Error::UserNotFound)?.user)
}

/// Changes a user's profile.
///
/// # Errors
/// No such user, or a failure of ours.
pub async fn update(app: &App, by: &Act, user_id: UserId, change: ProfileChange) -> Result<User, Error> {
    let now = app.clock.now();
    let fields = change.fields();
    if fields.is_empty() {
        return get(app, user_id).await;
    }
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let updated = users::update_profile(&mut tx, user_id, &change, now).await?;
        let user = updated.ok_or(Error::UserNotFound)?;
        // Which fields, and not what they say: the trail outlives the person.
        let event = Event::new(EventKind::UserUpdated, Subject::User(user_id)).with("fields", fields);
        audit::record(&mut tx, by, event, now).await?;
        Ok(user)
    }
    .await;
    tx.end(outcome).await
}
