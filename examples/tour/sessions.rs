//! Sessions: a device signs in, stays signed in, makes room for others, and signs out.

use keyward::proto::keyward::v1::{ErrorReason, GetAccountRequest, ListSessionsRequest, LogoutRequest};
use tonic::Code;

use crate::Tour;
use crate::account::FIRST_PASSWORD;
use crate::device::{Device, session_id};
use crate::surprise::Surprise;

/// The first device signs in.
pub(crate) async fn log_in(tour: &Tour, phone: &mut Device) -> Result<(), Surprise> {
    tour.say.step("Log in", "The tokens work together with the device-id that they were issued to.");
    let logged_in = phone.log_in(&tour.email, FIRST_PASSWORD).await?;
    let session = logged_in.session.unwrap_or_default();
    tour.check("the session is bound to the device", session.device_id == phone.id && session.current)?;
    tour.check("nobody had to make room", logged_in.evicted_sessions.is_empty())
}

/// Renews the tokens, and repeats that as if the answer had been lost.
pub(crate) async fn refresh(tour: &Tour, phone: &mut Device) -> Result<(), Surprise> {
    tour.say.step("Refresh the tokens", "The session goes on with new tokens; the refresh token is used up.");
    let first = phone.call(phone.renewal()).await?;
    let successor = first.tokens.unwrap_or_default();
    tour.check("the session is the same", session_id(first.session.as_ref()) == phone.session_id)?;

    tour.say.step("Refresh with the old token again", "A lost answer can be asked for once more, for ten seconds.");
    let again = phone.call(phone.renewal()).await?.tokens.unwrap_or_default();
    tour.check("it has the same successor", again.refresh_token == successor.refresh_token)?;
    phone.keep(again);
    Ok(())
}

/// Sees where the account is signed in.
pub(crate) async fn list(tour: &Tour, phone: &Device) -> Result<(), Surprise> {
    tour.say.step("List the sessions", "One device so far.");
    let sessions = phone.call(ListSessionsRequest::default()).await?.sessions;
    let only_here = matches!(sessions.as_slice(), [only] if only.session_id == phone.session_id && only.current);
    tour.check("the only session is this one", only_here)
}

/// Five more devices sign in, and the sixth of all finds no room. Returns the first and the last of the five.
pub(crate) async fn log_in_from_five_more(tour: &mut Tour, phone: &Device) -> Result<[Device; 2], Surprise> {
    tour.say.step("Log in from four more devices", "Five devices are as many as an account may have.");
    let mut laptop = tour.device("Laptop");
    log_in_with_room(tour, &mut laptop).await?;
    for name in ["Tablet", "Desktop", "Television"] {
        log_in_with_room(tour, &mut tour.device(name)).await?;
    }

    tour.say.step("Log in from a sixth device", "The session that was used longest ago has to go.");
    let mut watch = tour.device("Watch");
    let evicted = watch.log_in(&tour.email, FIRST_PASSWORD).await?.evicted_sessions;
    let phone_alone = matches!(evicted.as_slice(), [only] if only.session_id == phone.session_id);
    tour.check("the phone is evicted, and nobody else", phone_alone)?;

    tour.say.step("Go on with the evicted session", "Its access token has minutes to live, and is refused at once.");
    phone.is_out().await?;
    hear_of_new_device(tour).await?;
    Ok([laptop, watch])
}

async fn log_in_with_room(tour: &Tour, device: &mut Device) -> Result<(), Surprise> {
    let logged_in = device.log_in(&tour.email, FIRST_PASSWORD).await?;
    tour.check("nobody had to make room", logged_in.evicted_sessions.is_empty())
}

/// The owner hears of every device that is new to the account; the mail about the last one is shown.
async fn hear_of_new_device(tour: &mut Tour) -> Result<(), Surprise> {
    tour.say
        .step("Read the mail about the sixth device", "The owner is told of each device that is new to the account.");
    let about_watch = loop {
        let mail = tour.mailbox.next("A new device logged in").await?;
        if mail.text.contains("Watch") {
            break mail;
        }
    };
    tour.say.mail(&about_watch);
    Ok(())
}

/// A device signs out.
pub(crate) async fn log_out(tour: &Tour, laptop: &Device) -> Result<(), Surprise> {
    tour.say.step("Log out", "Both tokens are worthless from now on.");
    laptop.call(GetAccountRequest {}).await?;
    laptop.call(LogoutRequest {}).await?;
    laptop.is_out().await?;
    laptop.refused(laptop.renewal(), Code::Unauthenticated, ErrorReason::TokenRevoked).await.map(drop)
}
