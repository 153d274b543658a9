//! The account: its profile, its password, its end.

use keyward::proto::keyward::v1::{
    ChangePasswordRequest, DeleteAccountRequest, ErrorReason, GetAccountRequest, ListSessionsRequest,
    UpdateAccountRequest, User,
};
use prost_types::FieldMask;
use tonic::Code;

use crate::Tour;
use crate::device::Device;
use crate::surprise::Surprise;

/// What the account is registered with.
pub(crate) const FIRST_PASSWORD: &str = "seven lamps over the canal";

/// What it is changed to.
pub(crate) const SECOND_PASSWORD: &str = "nine herons beside the weir";

/// What it is reset to.
pub(crate) const THIRD_PASSWORD: &str = "eleven boats under the moon";

/// Somebody does not know the password.
pub(crate) async fn wrong_password(tour: &Tour, phone: &Device) -> Result<(), Surprise> {
    tour.say.step("Log in with a wrong password", "An unknown address has the same answer, after the same work.");
    let attempt = phone.login(&tour.email, "the wrong password altogether");
    phone.refused(attempt, Code::Unauthenticated, ErrorReason::InvalidCredentials).await.map(drop)
}

/// Looks at the profile and changes it.
pub(crate) async fn update(tour: &Tour, laptop: &Device) -> Result<(), Surprise> {
    tour.say.step("Get the account", "Checking the access token costs no look into a database.");
    let before = laptop.call(GetAccountRequest {}).await?.user.unwrap_or_default();
    tour.check("it is called Ada", before.display_name == "Ada")?;

    tour.say.step("Update the account", "The mask names what is to change (AIP-134).");
    let user = User { display_name: "Ada Lovelace".to_owned(), locale: "en-GB".to_owned(), ..User::default() };
    let update_mask = Some(FieldMask { paths: vec!["display_name".to_owned(), "locale".to_owned()] });
    let request = UpdateAccountRequest { user: Some(user), update_mask };
    let after = laptop.call(request).await?.user.unwrap_or_default();
    let changed = after.display_name == "Ada Lovelace" && after.locale == "en-GB";
    tour.check("name and locale have changed", changed)?;
    tour.check("everything else is as it was", after.user_id == before.user_id && after.roles == before.roles)
}

/// Changes the password on one device, which ends the sessions of the others.
pub(crate) async fn change_password(tour: &mut Tour, laptop: &Device, watch: &Device) -> Result<(), Surprise> {
    tour.say.step("Change the password", "Whoever is signed in elsewhere may have known the old one: that ends.");
    let request =
        ChangePasswordRequest { current_password: FIRST_PASSWORD.to_owned(), new_password: SECOND_PASSWORD.to_owned() };
    laptop.call(request).await?;
    watch.is_out().await?;
    let left = laptop.call(ListSessionsRequest::default()).await?.sessions;
    let laptop_alone = matches!(left.as_slice(), [only] if only.session_id == laptop.session_id);
    tour.check("the session that changed it is the only one left", laptop_alone)?;
    tour.mail("Your password").await.map(drop)
}

/// Ends it all.
pub(crate) async fn delete(tour: &Tour, phone: &Device) -> Result<(), Surprise> {
    tour.say.step("Delete the account", "At once and for good; the address may be registered anew.");
    phone.call(DeleteAccountRequest { current_password: THIRD_PASSWORD.to_owned() }).await?;
    phone.is_out().await
}
