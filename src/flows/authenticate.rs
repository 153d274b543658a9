//! What every call that asks for somebody does first: its access token or service key is checked, without any I/O.

use std::sync::Arc;

use super::{service_keys, signing_keys};
use crate::app::App;
use crate::error::{Error, TokenRefusal};
use crate::model::caller::{Authenticated, Caller};
use crate::model::device::DeviceId;
use crate::store::pg::sessions;
use crate::token::access::{self, AccessClaims, AccessTokenError, Grant};
use crate::token::service_key;

/// Who presents `bearer`, a user's access token or a service key, from `device_id`, which matters to the token alone.
///
/// Asks the database only when what is in memory is too old to be trusted, or does not know the key of a token.
///
/// # Errors
/// Any [`TokenRefusal`] but `Missing` and `Reused`; no device with an access token; the database away while it is needed.
pub async fn authenticate(app: &App, bearer: &str, device_id: Option<&DeviceId>) -> Result<Authenticated, Error> {
    if service_key::is_meant(bearer) {
        return service_keys::authenticate(app, bearer).await.map(Authenticated::Service);
    }
    user(app, bearer, device_id).await.map(Authenticated::User)
}

/// Whether who authenticated before could do so again: for what goes on longer than a call.
///
/// # Errors
/// As [`authenticate`].
pub async fn still_good(app: &App, who: &Authenticated) -> Result<(), Error> {
    match who {
        Authenticated::Service(caller) => service_keys::still_good(app, caller).await,
        Authenticated::User(caller) if access::is_expired(caller.expires_at, app.clock.now()) => {
            Err(TokenRefusal::Expired.into())
        }
        Authenticated::User(caller) if is_revoked(app, &grant(caller), &caller.key_id).await? => {
            Err(TokenRefusal::Revoked.into())
        }
        Authenticated::User(_) => Ok(()),
    }
}

async fn user(app: &App, access_token: &str, device_id: Option<&DeviceId>) -> Result<Caller, Error> {
    let claims = unexpired(app, access_token).await?;
    let device_id = device_id.ok_or(Error::DeviceIdRequired)?;
    if *device_id != claims.grant.device_id {
        return Err(TokenRefusal::DeviceMismatch.into());
    }
    if is_revoked(app, &claims.grant, &claims.key_id).await? {
        return Err(TokenRefusal::Revoked.into());
    }
    Ok(Caller {
        user_id: claims.grant.user_id,
        session_id: claims.grant.session_id,
        device_id: claims.grant.device_id.clone(),
        roles: claims.grant.roles.clone(),
        revision: claims.grant.revision,
        expires_at: claims.expires_at,
        key_id: claims.key_id.clone(),
    })
}

fn grant(caller: &Caller) -> Grant {
    let Caller { user_id, session_id, device_id, roles, revision, .. } = caller.clone();
    Grant { user_id, session_id, device_id, roles, revision }
}

/// What an access token says that verifies and has not expired.
pub(super) async fn unexpired(app: &App, access_token: &str) -> Result<Arc<AccessClaims>, Error> {
    let claims = verified(app, access_token).await?;
    if claims.is_expired(app.clock.now()) { Err(TokenRefusal::Expired.into()) } else { Ok(claims) }
}

/// What an access token says, once its signature has been verified. Another replica may have signed it with a key that this
/// one has not heard of yet.
async fn verified(app: &App, access_token: &str) -> Result<Arc<AccessClaims>, Error> {
    let now = app.clock.now();
    let check = || {
        let keys = app.keys.current();
        let verify = || access::verify(&keys, &app.config.tokens, access_token, now);
        app.verified_tokens.get_or_verify(access_token, (&keys, now), verify)
    };
    let mut claims = check();
    if matches!(claims, Err(AccessTokenError::UnknownKey)) {
        signing_keys::look_up(app).await?;
        claims = check();
    }
    claims.map_err(|error| {
        tracing::debug!(error = %error, "an access token does not verify");
        TokenRefusal::Invalid.into()
    })
}

/// Whether an access token with this grant, signed with the key of this `kid`, has been revoked: its session has ended, its
/// roles are stale, or its key is gone.
pub(super) async fn is_revoked(app: &App, grant: &Grant, key_id: &str) -> Result<bool, Error> {
    if app.revocations.contain(grant) {
        return Ok(true);
    }
    signing_keys::be_fresh(app).await?;
    if !app.keys.current().verify_with(key_id, app.clock.now()) {
        return Ok(true);
    }
    if app.revocations.is_fresh(app.config.revocations.max_age) {
        return Ok(false);
    }
    Ok(!sessions::is_live(&mut *app.pool.get().await?, grant.session_id, grant.revision).await?)
}
