//! Logout and RevokeRefreshToken: the session ends that a token belongs to.

use super::{audit, revocations};
use crate::app::App;
use crate::error::Error;
use crate::model::audit::{Act, EventKind};
use crate::model::caller::Caller;
use crate::model::id::SessionId;
use crate::model::session::EndReason;
use crate::store::pg::sessions;
use crate::token::refresh::RefreshToken;

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

/// Ends the session that a refresh token names, whatever its generation, age or device. A token that is not ours, and one of a
/// session that has ended, change nothing and are no error (RFC 7009, 2.2).
///
/// # Errors
/// A failure of ours.
pub async fn revoke_refresh_token(app: &App, by: &Act, refresh_token: &str) -> Result<(), Error> {
    let Some(token) = RefreshToken::verify(refresh_token, &app.master) else { return Ok(()) };
    let now = app.clock.now();
    let ending = revocations::ending(app, EndReason::Logout, now);
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let ended = sessions::end_by_id(&mut tx, token.session_id, ending).await?;
        let logged_out = ended.map(|user_id| audit::of_session(EventKind::LoggedOut, user_id, token.session_id));
        audit::record_all(&mut tx, by, logged_out, now).await?;
        Ok(ended.map(|_| token.session_id))
    }
    .await;
    let ended = tx.end(outcome).await?;
    revocations::take_in(app, ended, now);
    Ok(())
}
