//! Back in without the password: a code by mail, exchanged for a token, which sets a new one.

use keyward::proto::keyward::v1::{
    ErrorReason, RequestPasswordResetRequest, ResetPasswordRequest, VerifyPasswordResetCodeRequest,
};
use tonic::Code;

use crate::Tour;
use crate::account::{SECOND_PASSWORD, THIRD_PASSWORD};
use crate::device::Device;
use crate::surprise::Surprise;

/// The phone resets the password, which ends every session: the laptop's too.
pub(crate) async fn reset(tour: &mut Tour, phone: &Device, laptop: &Device) -> Result<(), Surprise> {
    tour.say.step("Request a password reset", "Again the answer does not tell whether there is an account.");
    let reset_id = phone.call(RequestPasswordResetRequest { email: tour.email.clone() }).await?.reset_id;
    let code = tour.mail("Reset your password").await?.code()?.to_owned();

    tour.say.step("Exchange the code for a reset token", "Six digits alone never set a password.");
    let reset_token = phone.call(VerifyPasswordResetCodeRequest { reset_id, code }).await?.reset_token;

    tour.say.step("Set a new password", "It ends every session, this time without exception.");
    phone.call(ResetPasswordRequest { reset_token, new_password: THIRD_PASSWORD.to_owned() }).await?;
    laptop.is_out().await?;
    tour.mail("Your password").await.map(drop)
}

/// The old password is worth nothing any more; both devices sign in with the new one.
pub(crate) async fn log_in(tour: &Tour, phone: &mut Device, laptop: &mut Device) -> Result<(), Surprise> {
    tour.say.step("Log in with the old password", "It was right until a moment ago.");
    let attempt = laptop.login(&tour.email, SECOND_PASSWORD);
    laptop.refused(attempt, Code::Unauthenticated, ErrorReason::InvalidCredentials).await?;

    tour.say.step("Log in with the new password", "Both devices start over: there is nobody left to make room.");
    for device in [phone, laptop] {
        let ended = device.session_id.clone();
        let evicted = device.log_in(&tour.email, THIRD_PASSWORD).await?.evicted_sessions;
        tour.check("it has a new session, and room for it", device.session_id != ended && evicted.is_empty())?;
    }
    Ok(())
}
