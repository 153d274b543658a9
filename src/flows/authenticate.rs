//! What every signed-in call does first: its access token is checked, without any I/O.

use std::sync::Arc;

use crate::app::App;
use crate::error::{Error, TokenRefusal};
use crate::model::caller::Caller;
use crate::model::device::DeviceId;
use crate::model::id::SessionId;
use crate::store::pg::sessions;
use crate::token::access::{self, AccessClaims};

/// Who presents `access_token` from `device_id`.
///
/// Asks the database only when the revocation feed is too old to be trusted.
///
/// # Errors
/// Any [`TokenRefusal`] but `Missing` and `Reused`; the database away while it is needed.
pub async fn authenticate(app: &App, access_token: &str, device_id: Option<&DeviceId>) -> Result<Caller, Error> {
    let claims = verified(app, access_token)?;
    if claims.is_expired(app.clock.now()) {
        return Err(TokenRefusal::Expired.into());
    }
    if device_id != Some(&claims.grant.device_id) {
        return Err(TokenRefusal::DeviceMismatch.into());
    }
    if is_revoked(app, claims.grant.session_id).await? {
        return Err(TokenRefusal::Revoked.into());
    }
    Ok(Caller {
        user_id: claims.grant.user_id,
        session_id: claims.grant.session_id,
        device_id: claims.grant.device_id.clone(),
        roles: claims.grant.roles.clone(),
        expires_at: claims.expires_at,
    })
}

fn verified(app: &App, access_token: &str) -> Result<Arc<AccessClaims>, Error> {
    let verify = || access::verify(&app.keys.current(), &app.config.tokens, access_token);
    app.verified_tokens.get_or_verify(access_token, verify).map_err(|error| {
        tracing::debug!(error = %error, "an access token does not verify");
        TokenRefusal::Invalid.into()
    })
}

async fn is_revoked(app: &App, session_id: SessionId) -> Result<bool, Error> {
    if app.revocations.contains(session_id) {
        return Ok(true);
    }
    if app.revocations.is_fresh(app.config.revocations.max_age) {
        return Ok(false);
    }
    let standing = sessions::find_standing(&mut *app.pool.get().await?, session_id).await?;
    Ok(standing.is_none_or(|standing| standing.ended_at.is_some()))
}
