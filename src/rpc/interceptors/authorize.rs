//! Whether the caller may call this method. Nothing behind it asks again.

use std::sync::Arc;

use http::Request;
use tonic::body::Body;

use super::Gate;
use crate::error::{Error, TokenRefusal};
use crate::model::caller::Caller;
use crate::rpc::methods::{Access, MethodPolicy};

/// Lets pass whom the method's policy admits.
pub(in crate::rpc) async fn authorize(gate: Gate, request: Request<Body>) -> Result<Request<Body>, Error> {
    let policy = request.extensions().get::<Arc<MethodPolicy>>().ok_or(Error::MethodUnknown)?;
    let caller = request.extensions().get::<Caller>();
    match (&policy.access, caller) {
        (Access::Public, _) | (Access::User, Some(_)) => Ok(request),
        (Access::Permission(permission), Some(caller)) if gate.app.permissions.allow(&caller.roles, permission) => {
            Ok(request)
        }
        (Access::Permission(permission), Some(_)) => {
            Err(Error::PermissionMissing { permission: Some(permission.clone()) })
        }
        (Access::User | Access::Permission(_), None) => Err(TokenRefusal::Missing.into()),
    }
}
