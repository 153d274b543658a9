//! What the method demands. Unknown paths end here.

use http::Request;
use tonic::body::Body;

use super::Gate;
use crate::error::Error;

/// Leaves the method's [`MethodPolicy`](crate::rpc::methods::MethodPolicy), shared.
pub(in crate::rpc) async fn method(gate: Gate, mut request: Request<Body>) -> Result<Request<Body>, Error> {
    let policy = gate.methods.get(request.uri().path()).ok_or(Error::MethodUnknown)?;
    request.extensions_mut().insert(policy);
    Ok(request)
}
