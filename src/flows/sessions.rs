//! ListSessions, RevokeSession and RevokeAllSessions: a user's own devices.

use super::{audit, revocations};
use crate::app::App;
use crate::error::Error;
use crate::model::audit::Act;
use crate::model::caller::Caller;
use crate::model::device::DeviceId;
use crate::model::id::SessionId;
use crate::model::session::{EndReason, Session};
use crate::store::pg::sessions;

/// The caller's live sessions, latest login first, from the one after `before`; at most `limit`.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, caller: &Caller, before: Option<SessionId>, limit: u32) -> Result<Vec<Session>, Error> {
    let now = app.clock.now();
    Ok(sessions::find_page(&mut *app.pool.get().await?, caller.user_id, before, limit, now).await?)
}

/// Which session to revoke.
#[derive(Debug)]
pub enum Target {
    /// This one.
    Session(SessionId),
    /// The one on this device.
    Device(DeviceId),
}

/// Ends one of the caller's sessions.
///
/// # Errors
/// Not one of the caller's live sessions, or a failure of ours.
pub async fn revoke(app: &App, by: &Act, caller: &Caller, target: Target) -> Result<(), Error> {
    let now = app.clock.now();
    let ending = revocations::ending(app, EndReason::Revoked, now);
    let mut tx = app.pool.begin().await?;
    let outcome = async {
        let ended = match target {
            Target::Session(session_id) => sessions::end_one(&mut tx, caller.user_id, session_id, ending).await?,
            Target::Device(device_id) => sessions::end_by_device(&mut tx, caller.user_id, device_id, ending).await?,
        };
        if ended.is_empty() {
            return Err(Error::SessionNotFound);
        }
        audit::record_all(&mut tx, by, audit::revoked(caller.user_id, ending.reason, &ended), now).await?;
        Ok(ended)
    }
    .await;
    revocations::take_in(app, tx.end(outcome).await?, now);
    Ok(())
}

/// Ends the caller's sessions, this one too unless `keep_current`; returns how many.
///
/// # Errors
/// A failure of ours.
pub async fn revoke_all(app: &App, by: &Act, caller: &Caller, keep_current: bool) -> Result<usize, Error> {
    let now = app.clock.now();
    let ending = revocations::ending(app, EndReason::Revoked, now);
    let except = keep_current.then_some(caller.session_id);
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let ended = sessions::end_all(&mut tx, caller.user_id, except, ending).await?;
        audit::record_all(&mut tx, by, audit::revoked(caller.user_id, ending.reason, &ended), now).await?;
        Ok(ended)
    }
    .await;
    let ended = tx.end(outcome).await?;
    let count = ended.len();
    revocations::take_in(app, ended, now);
    Ok(count)
}
