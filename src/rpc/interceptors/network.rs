//! Whether the client's network may call at all.

use http::Request;
use tonic::body::Body;

use super::Gate;
use crate::error::Error;
use crate::flows::networks;
use crate::model::network::NetworkVerdict;
use crate::model::origin::Origin;

/// What the paths of the health service begin with: a probe asks after the service, from wherever it comes.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Refuses calls from blocked networks, to every method but health's. Leaves the [`NetworkVerdict`] of the others, for
/// those who limit calls by address.
pub(in crate::rpc) async fn network(gate: Gate, mut request: Request<Body>) -> Result<Request<Body>, Error> {
    let verdict = if request.uri().path().starts_with(HEALTH) {
        NetworkVerdict::Neutral
    } else {
        let origin = request.extensions().get::<Origin>();
        let origin = origin.ok_or_else(|| Error::internal("a call came without an origin"))?;
        networks::judge(&gate.app, origin.ip_address)?
    };
    request.extensions_mut().insert(verdict);
    Ok(request)
}
