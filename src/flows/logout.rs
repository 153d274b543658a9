//! Logout: the caller's own session ends.

use super::revocations;
use crate::app::App;
use crate::error::Error;
use crate::model::caller::Caller;
use crate::model::session::EndReason;
use crate::store::pg::sessions;

/// Ends the session whose access token was presented.
///
/// # Errors
/// A failure of ours.
pub async fn logout(app: &App, caller: &Caller) -> Result<(), Error> {
    let now = app.clock.now();
    let ending = revocations::ending(app, EndReason::Logout, now);
    let mut conn = app.pool.get().await?;
    let ended = sessions::end_one(&mut conn, caller.user_id, caller.session_id, ending).await?;
    revocations::take_in(app, ended, now);
    Ok(())
}
