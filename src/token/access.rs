//! Access tokens: JWTs (RFC 7519) of the profile `at+jwt` (RFC 9068), bound to a session and its device.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Header, Validation, decode, decode_header, encode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys::Keys;
use crate::clock;
use crate::config::{MAX_ACCESS_TTL, Tokens};
use crate::model::device::DeviceId;
use crate::model::id::{SessionId, UserId};

/// The media type of the tokens, in their header.
const TYPE: &str = "at+jwt";

/// How long after its `exp` a token is still taken: for the difference between the clocks of two replicas.
pub const LEEWAY: Duration = Duration::from_secs(1);

/// Why a token is not an access token of ours.
#[derive(Debug, thiserror::Error)]
pub enum AccessTokenError {
    /// It is not of our type, or says what ours never say.
    #[error("not an access token of this service")]
    Foreign,
    /// It names a key that is not on the ring. It may be one of ours that this replica has not heard of yet.
    #[error("the access token names an unknown key")]
    UnknownKey,
    /// It names a key that verifies nothing any more: every token that the key signed in its time has expired.
    #[error("the access token names a retired key")]
    RetiredKey,
    /// It claims to live longer than any token of ours can, or to have been issued in the future.
    #[error("the access token has times that no token of this service has")]
    ImplausibleTimes,
    /// Its signature or a claim does not hold.
    #[error("the access token does not verify")]
    Unverifiable(#[source] jsonwebtoken::errors::Error),
}

/// What an access token is made for.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The user.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// The device that alone may present it.
    pub device_id: DeviceId,
    /// The user's roles.
    pub roles: Vec<String>,
    /// The revision of the user that these roles were read at.
    pub revision: i64,
}

/// When a token is made, and when the session that it belongs to ends: it does not outlive it.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Now.
    pub now: DateTime<Utc>,
    /// The end of the session.
    pub session_expires_at: DateTime<Utc>,
}

/// What a verified access token says. Whether it has expired or been revoked is a question for later.
#[derive(Clone, Debug)]
pub struct AccessClaims {
    /// Whom it was made for.
    pub grant: Grant,
    /// When it was made.
    pub issued_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// The `kid` of the key that signed it. The claims hold only as long as this key verifies.
    pub key_id: Arc<str>,
}

impl AccessClaims {
    /// Whether it has ended by `now`.
    #[must_use]
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        is_expired(self.expires_at, now)
    }
}

/// Whether a token that ends at `expires_at` has ended by `now`.
#[must_use]
pub fn is_expired(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now >= clock::add(expires_at, LEEWAY)
}

/// The claims as they are written; every one of them is required, but for `rev`.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// Required by RFC 9068. Absent in tokens of versions that did not write it, so it is not compared.
    #[serde(default)]
    client_id: String,
    sub: Uuid,
    sid: Uuid,
    did: String,
    roles: Vec<String>,
    /// Ours alone, to tell tokens apart that were issued within one second. Zero in those of versions that had none.
    #[serde(default)]
    rev: i64,
    iat: i64,
    exp: i64,
    jti: Uuid,
}

/// A new access token with its times, which are whole seconds.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: SecretString,
    /// When it was made.
    pub issued_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// A new access token.
///
/// # Errors
/// When signing fails.
pub fn issue(
    keys: &Keys,
    settings: &Tokens,
    grant: &Grant,
    Span { now, session_expires_at }: Span,
) -> Result<IssuedToken, AccessTokenError> {
    let issued_at = now.timestamp();
    let lifetime = i64::try_from(settings.access_ttl.as_secs()).unwrap_or(i64::MAX);
    let expires_at = issued_at.saturating_add(lifetime).min(session_expires_at.timestamp());
    let claims = Claims {
        iss: settings.issuer.clone(),
        aud: settings.audience.clone(),
        client_id: settings.client_id.clone(),
        sub: grant.user_id.uuid(),
        sid: grant.session_id.uuid(),
        did: grant.device_id.as_str().to_owned(),
        roles: grant.roles.clone(),
        rev: grant.revision,
        iat: issued_at,
        exp: expires_at,
        jti: Uuid::new_v4(),
    };
    let mut header = Header::new(keys.active.algorithm);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(keys.active.key_id.clone());
    let token = encode(&header, &claims, &keys.active.key).map_err(AccessTokenError::Unverifiable)?;
    let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or(now);
    Ok(IssuedToken { token: token.into(), issued_at: time(issued_at), expires_at: time(expires_at) })
}

/// Checks a token's type, key, signature, issuer and audience, and that its times are ones that a token of ours can have. Does
/// not check whether the token has expired: [`AccessClaims::is_expired`] does.
///
/// # Errors
/// When any of them does not hold.
pub fn verify(
    keys: &Keys,
    settings: &Tokens,
    token: &str,
    now: DateTime<Utc>,
) -> Result<AccessClaims, AccessTokenError> {
    let header = decode_header(token).map_err(AccessTokenError::Unverifiable)?;
    let ours = header.typ.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case(TYPE)) && header.crit.is_none();
    let key_id = header.kid.filter(|_| ours).ok_or(AccessTokenError::Foreign)?;
    let key = keys.verifying.get(&key_id).ok_or(AccessTokenError::UnknownKey)?;
    if key.is_retired(now) {
        return Err(AccessTokenError::RetiredKey);
    }
    let mut validation = Validation::new(key.algorithm);
    validation.validate_exp = false;
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[&settings.issuer]);
    validation.set_audience(&[&settings.audience]);
    let claims = decode::<Claims>(token, &key.key, &validation).map_err(AccessTokenError::Unverifiable)?.claims;
    if !are_plausible(claims.iat, claims.exp, now) {
        return Err(AccessTokenError::ImplausibleTimes);
    }
    let time = |seconds| DateTime::from_timestamp(seconds, 0).ok_or(AccessTokenError::Foreign);
    Ok(AccessClaims {
        grant: Grant {
            user_id: claims.sub.into(),
            session_id: claims.sid.into(),
            device_id: DeviceId::parse(&claims.did).map_err(|_| AccessTokenError::Foreign)?,
            roles: claims.roles,
            revision: claims.rev,
        },
        issued_at: time(claims.iat)?,
        expires_at: time(claims.exp)?,
        key_id: key_id.into(),
    })
}

/// Whether a token of ours can have these times (`iat`, `exp`) at `now`. It limits what a leaked key is good for: a token that it
/// signs lives no longer than the largest `tokens.access_ttl`, whatever is configured.
fn are_plausible(issued_at: i64, expires_at: i64, now: DateTime<Utc>) -> bool {
    let lifetime = TimeDelta::try_seconds(expires_at.saturating_sub(issued_at));
    let ahead = TimeDelta::try_seconds(issued_at.saturating_sub(now.timestamp()));
    let at_most = |span: Option<TimeDelta>, bound: Duration| {
        span.is_some_and(|span| TimeDelta::from_std(bound).is_ok_and(|bound| span <= bound))
    };
    at_most(lifetime, MAX_ACCESS_TTL + LEEWAY) && at_most(ahead, LEEWAY)
}

/// From when on tokens are issued once a user's roles have changed at `now`: from the next whole second, so that `iat` alone
/// tells those from before.
#[must_use]
pub fn issued_from(now: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(now.timestamp().saturating_add(1), 0).unwrap_or(now)
}

/// When the last access token that exists at `now` has ended on every replica: how long its revocation must be known.
#[must_use]
pub fn all_expired_at(settings: &Tokens, now: DateTime<Utc>) -> DateTime<Utc> {
    /// More than the clocks of two replicas may differ.
    const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(1);
    clock::add(now, settings.access_ttl + LEEWAY) + CLOCK_SKEW
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::are_plausible;

    #[test]
    fn no_token_lives_longer_than_an_hour_or_comes_from_the_future() {
        const NOW: i64 = 1_900_000_000;
        let plausible = |issued_at, expires_at| {
            DateTime::from_timestamp(NOW, 0).is_some_and(|now| are_plausible(issued_at, expires_at, now))
        };
        assert!(plausible(NOW, NOW + 180));
        assert!(plausible(NOW, NOW + 3601));
        assert!(!plausible(NOW, NOW + 3602));
        assert!(plausible(NOW + 1, NOW + 181));
        assert!(!plausible(NOW + 2, NOW + 182));
        // Expired, which is another question.
        assert!(plausible(NOW - 86_400, NOW - 86_220));
        for (issued_at, expires_at) in [(i64::MIN, NOW), (0, i64::MAX), (i64::MAX, i64::MAX), (i64::MIN, i64::MAX)] {
            assert!(!plausible(issued_at, expires_at), "{issued_at} {expires_at}");
        }
    }
}
