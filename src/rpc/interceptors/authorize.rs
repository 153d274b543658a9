//! Whether the caller may call this method. Nothing behind it asks again, but for streams, which go on for long.

use std::sync::Arc;

use http::Request;
use tonic::body::Body;

use super::Gate;
use crate::app::App;
use crate::error::{Error, TokenRefusal};
use crate::flows::{roles, service_keys};
use crate::model::audit::{Act, Actor};
use crate::model::caller::{Authenticated, ServiceCaller};
use crate::model::device::DeviceId;
use crate::model::origin::Origin;
use crate::rpc::methods::{Access, MethodPolicy};

/// What the paths of administration begin with.
const ADMINISTRATION: &str = "/keyward.v1.AdminService/";

/// Lets pass whom the method's policy admits. Notes the use of a service key.
pub(in crate::rpc) async fn authorize(gate: Gate, request: Request<Body>) -> Result<Request<Body>, Error> {
    let policy = request.extensions().get::<Arc<MethodPolicy>>().ok_or(Error::MethodUnknown)?;
    let who = request.extensions().get::<Authenticated>();
    if let Some(Authenticated::Service(caller)) = who {
        service_keys::note_use(&gate.app, caller.service_key_id);
    }
    admit(&gate.app, &policy.access, who).await?;
    if let Some(Authenticated::Service(caller)) = who {
        note_administration(&gate.app, caller, &request)?;
    }
    Ok(request)
}

/// Whether a method of this access admits this caller. No I/O, unless the copy of what the roles permit is too old to be trusted.
pub(in crate::rpc) async fn admit(app: &App, access: &Access, who: Option<&Authenticated>) -> Result<(), Error> {
    if let (Access::Permission(_), Some(Authenticated::User(_))) = (access, who) {
        roles::be_fresh(app).await?;
    }
    let holds = |permission: &str| match who {
        Some(Authenticated::User(caller)) => app.permissions.current().allow(&caller.roles, permission),
        Some(Authenticated::Service(caller)) => caller.may(permission),
        None => false,
    };
    match (access, who) {
        (Access::Public, _) | (Access::User, Some(Authenticated::User(_))) => Ok(()),
        (Access::User | Access::Permission(_), None) => Err(TokenRefusal::Missing.into()),
        (Access::User, Some(Authenticated::Service(_))) => Err(Error::UserRequired),
        (Access::Permission(permission), Some(_)) if holds(permission) => Ok(()),
        (Access::Permission(permission), Some(_)) => Err(Error::PermissionMissing { permission: permission.clone() }),
    }
}

/// Notes that a key is used for administration, if this is a call of that.
fn note_administration(app: &App, caller: &ServiceCaller, request: &Request<Body>) -> Result<(), Error> {
    let Some(method) = request.uri().path().strip_prefix(ADMINISTRATION) else { return Ok(()) };
    let origin = request.extensions().get::<Origin>();
    let origin = origin.ok_or_else(|| Error::internal("a call came without an origin"))?;
    let by = Act {
        actor: Actor::ServiceKey(caller.service_key_id),
        ip_address: Some(origin.ip_address),
        device_id: request.extensions().get::<DeviceId>().cloned(),
        request_id: origin.request_id.clone(),
    };
    service_keys::note_administration(app, caller.service_key_id, method, by);
    Ok(())
}
