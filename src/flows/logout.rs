//! Logout: the caller's own session ends.

use super::{audit, revocations};
use crate::app::App;
use crate::error::Error;
use crate::model::audit::{Act, EventKind};
use crate::model::caller::Caller;
use crate::model::id::SessionId;
use crate::model::session::EndReason;
use crate::store::pg::sessions;

/// Ends the session whose access token was presented.
///
/// # Errors
/// A failure of ours.
pub async fn logout(app: &App, by: &Act, caller: &Caller) -> Result<(), Error> {
    let now = app.clock.now();
    let ending = revocations::ending(app, EndReason::Logout, now);
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let ended = sessions::end_one(&mut tx, caller.user_id, caller.session_id, ending).await?;
        let logged_out = |session_id: &SessionId| audit::of_session(EventKind::LoggedOut, caller.user_id, *session_id);
        audit::record_all(&mut tx, by, ended.iter().map(logged_out), now).await?;
        Ok(ended)
    }
    .await;
    let ended = tx.end(outcome).await?;
    revocations::take_in(app, ended, now);
    Ok(())
}
