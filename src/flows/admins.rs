//! The first administrator, made from the command line since nobody may make one over the network yet.

use super::passwords;
use crate::app::App;
use crate::error::Error;
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::model::password::Password;
use crate::model::user::ADMIN;
use crate::store::pg::users::{self, NewUser};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminCreated {
    /// A new user, who is an administrator.
    Created(UserId),
    /// The address has an account: its password stays, and it is an administrator now.
    Promoted(UserId),
    /// It was an administrator already.
    Unchanged(UserId),
}

/// Makes the holder of an address an administrator, with this password if it has no account yet.
///
/// # Errors
/// A refused password, or a failure of ours.
pub async fn create(
    app: &App,
    email: Email,
    display_name: DisplayName,
    password: Password,
) -> Result<AdminCreated, Error> {
    let password_hash = passwords::hash_new(app, "password", password, &email, &display_name).await?;
    let now = app.clock.now();
    let user_id = UserId::new(now);
    let roles = vec![ADMIN.to_owned()];
    let new = NewUser { user_id, email, display_name, locale: None, password_hash, roles };
    let mut tx = app.pool.begin().await?;
    let outcome = async {
        if users::insert(&mut tx, &new, now).await? {
            return Ok(AdminCreated::Created(user_id));
        }
        let holder = users::find_by_email(&mut tx, &new.email).await?.ok_or(Error::UserNotFound)?;
        let user_id = holder.user.user_id;
        let given = users::give_role(&mut tx, user_id, ADMIN, now).await?;
        Ok(if given { AdminCreated::Promoted(user_id) } else { AdminCreated::Unchanged(user_id) })
    }
    .await;
    tx.end(outcome).await
}

/// Whether this address holds an administrator's account.
///
/// # Errors
/// A failure of ours.
pub async fn exists(app: &App, email: &Email) -> Result<bool, Error> {
    let found = users::find_by_email(&mut *app.pool.get().await?, email).await?;
    Ok(found.is_some_and(|credentials| credentials.user.roles.iter().any(|role| role == ADMIN)))
}
