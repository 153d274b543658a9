//! Which device is calling.

use std::sync::Arc;

use http::Request;
use tonic::body::Body;

use super::Gate;
use crate::error::Error;
use crate::model::device::DeviceId;
use crate::rpc::methods::MethodPolicy;

/// Leaves the [`DeviceId`] of the call, if it names one; refuses a malformed one everywhere, a missing one where the method
/// needs it.
pub(in crate::rpc) async fn device(_: Gate, mut request: Request<Body>) -> Result<Request<Body>, Error> {
    let mut given = request.headers().get_all("device-id").iter();
    let device_id = match (given.next(), given.next()) {
        (None, _) => None,
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| Error::DeviceIdInvalid)?;
            Some(DeviceId::parse(text).map_err(|_| Error::DeviceIdInvalid)?)
        }
        // Two of them, and whichever were taken, somebody in between may have taken the other.
        (Some(_), Some(_)) => return Err(Error::DeviceIdInvalid),
    };
    match device_id {
        Some(device_id) => {
            request.extensions_mut().insert(device_id);
        }
        None if request.extensions().get::<Arc<MethodPolicy>>().is_some_and(|policy| policy.needs_device) => {
            return Err(Error::DeviceIdRequired);
        }
        None => {}
    }
    Ok(request)
}
