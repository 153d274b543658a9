//! What other services check access tokens with: answers about a token, and the keys that verify it.

use jsonwebtoken::jwk::Jwk;
use serde_json::Value;

use crate::error::{Error, TokenRefusal};
use crate::flows::introspection::Introspection;
use crate::proto::keyward::v1 as pb;
use crate::proto::keyward::v1::introspect_token_response::InactiveReason;
use crate::rpc::convert::timestamp;

/// A public key, in the members of RFC 7517.
pub(super) fn json_web_key(key: &Jwk) -> Result<pb::JsonWebKey, Error> {
    let members = serde_json::to_value(key).map_err(Error::internal)?;
    let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(pb::JsonWebKey {
        kty: text("kty"),
        r#use: text("use"),
        alg: text("alg"),
        kid: text("kid"),
        crv: text("crv"),
        x: text("x"),
        y: text("y"),
        n: text("n"),
        e: text("e"),
    })
}

impl From<Introspection> for pb::IntrospectTokenResponse {
    fn from(introspection: Introspection) -> Self {
        let (claims, permissions) = match introspection {
            Introspection::Active { claims, permissions } => (claims, permissions),
            Introspection::Inactive(refusal) => {
                return Self { inactive_reason: inactive_reason(refusal).into(), ..Self::default() };
            }
        };
        let mut roles = claims.grant.roles.clone();
        roles.sort();
        Self {
            active: true,
            inactive_reason: InactiveReason::Unspecified.into(),
            user_id: claims.grant.user_id.to_string(),
            session_id: claims.grant.session_id.to_string(),
            device_id: claims.grant.device_id.as_str().to_owned(),
            roles,
            permissions: permissions.into_iter().collect(),
            issue_time: Some(timestamp(claims.issued_at)),
            expire_time: Some(timestamp(claims.expires_at)),
        }
    }
}

const fn inactive_reason(refusal: TokenRefusal) -> InactiveReason {
    match refusal {
        TokenRefusal::Expired => InactiveReason::Expired,
        TokenRefusal::Revoked => InactiveReason::Revoked,
        TokenRefusal::Missing | TokenRefusal::Invalid | TokenRefusal::Reused | TokenRefusal::DeviceMismatch => {
            InactiveReason::Invalid
        }
    }
}
