//! New passwords, wherever they come from: judged and hashed in one turn of the hashing pool.

use crate::app::App;
use crate::error::Error;
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::password::{Password, PasswordHash};
use crate::policy;

/// The hash of a password that this person wants to have; `field` is where it stands in the request.
pub(super) async fn hash_new(
    app: &App,
    field: &'static str,
    password: Password,
    email: &Email,
    display_name: &DisplayName,
) -> Result<PasswordHash, Error> {
    let (email, display_name) = (email.clone(), display_name.clone());
    let check = move |password: &Password| policy::password::check(password, &email, display_name.as_str());
    app.hasher.hash_if(password, check).await?.map_err(|cause| Error::weak_password(field, cause))
}

/// Judges a password whose owner is not known, because other fields of its request are wrong; `field` is where it stands.
///
/// # Errors
/// A refused password, or a failure of the hashing pool.
pub async fn check_alone(app: &App, field: &'static str, password: Password) -> Result<(), Error> {
    let check = move || policy::password::check_alone(&password);
    app.hasher.run(check).await?.map_err(|cause| Error::weak_password(field, cause))
}
