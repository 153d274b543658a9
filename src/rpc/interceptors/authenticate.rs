//! Who is calling, where the method asks for somebody.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Request};
use tonic::body::Body;

use super::Gate;
use crate::error::{Error, TokenRefusal};
use crate::flows;
use crate::model::caller::Authenticated;
use crate::model::device::DeviceId;
use crate::rpc::methods::{Access, MethodPolicy};

/// Leaves who is [`Authenticated`], and the [`Caller`](crate::model::caller::Caller) if it is a user. What a client sends to a
/// public method is not looked at.
pub(in crate::rpc) async fn authenticate(gate: Gate, mut request: Request<Body>) -> Result<Request<Body>, Error> {
    let policy = request.extensions().get::<Arc<MethodPolicy>>();
    if policy.is_none_or(|policy| policy.access == Access::Public) {
        return Ok(request);
    }
    let token = bearer(request.headers())?;
    let device_id = request.extensions().get::<DeviceId>();
    let who = flows::authenticate::authenticate(&gate.app, token, device_id).await?;
    if let Authenticated::User(caller) = &who {
        request.extensions_mut().insert(caller.clone());
    }
    request.extensions_mut().insert(who);
    Ok(request)
}

/// The token of `authorization: Bearer <token>` (RFC 6750); the scheme in any case.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, TokenRefusal> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let value = given.next().ok_or(TokenRefusal::Missing)?;
    if given.next().is_some() {
        return Err(TokenRefusal::Invalid);
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(TokenRefusal::Invalid)?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token).ok_or(TokenRefusal::Invalid)
}
