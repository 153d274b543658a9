//! Whether the caller may call this method. Nothing behind it asks again, but for streams, which go on for long.

use std::sync::Arc;

use http::Request;
use tonic::body::Body;

use super::Gate;
use crate::app::App;
use crate::error::{Error, TokenRefusal};
use crate::flows::{audit, roles, service_keys};
use crate::model::audit::{Act, Actor};
use crate::model::caller::Authenticated;
use crate::model::device::DeviceId;
use crate::model::origin::Origin;
use crate::rpc::methods::{Access, MethodPolicy};

/// What the paths of administration begin with.
const ADMINISTRATION: &str = "/keyward.v1.AdminService/";

/// Lets pass whom the method's policy admits. Notes the use of a service key, and the want of a permission.
pub(in crate::rpc) async fn authorize(gate: Gate, request: Request<Body>) -> Result<Request<Body>, Error> {
    let policy = request.extensions().get::<Arc<MethodPolicy>>().ok_or(Error::MethodUnknown)?;
    let who = request.extensions().get::<Authenticated>();
    if let Some(Authenticated::Service(caller)) = who {
        service_keys::note_use(&gate.app, caller.service_key_id);
    }
    let admitted = admit(&gate.app, &policy.access, who).await;
    if let Some(method) = request.uri().path().strip_prefix(ADMINISTRATION) {
        note(&gate.app, method, act(&request, who)?, &admitted);
    }
    admitted.map(|()| request)
}

/// Whether a method of this access admits this caller. No I/O, unless the copy of what the roles permit is too old to be trusted
/// or lacks the permission.
pub(in crate::rpc) async fn admit(app: &App, access: &Access, who: Option<&Authenticated>) -> Result<(), Error> {
    let (permission, holds) = match (access, who) {
        (Access::Public, _) | (Access::User, Some(Authenticated::User(_))) => return Ok(()),
        (Access::User | Access::Permission(_), None) => return Err(TokenRefusal::Missing.into()),
        (Access::User, Some(Authenticated::Service(_))) => return Err(Error::UserRequired),
        (Access::Permission(permission), Some(Authenticated::User(caller))) => {
            (permission, roles::allow(app, &caller.roles, permission).await?)
        }
        (Access::Permission(permission), Some(Authenticated::Service(caller))) => (permission, caller.may(permission)),
    };
    if holds { Ok(()) } else { Err(Error::PermissionMissing { permission: permission.clone() }) }
}

/// Notes what is to be known of a call of administration: that a key was used for it, or that it was denied.
fn note(app: &App, method: &str, by: Act, admitted: &Result<(), Error>) {
    match (admitted, by.actor) {
        (Ok(()), Actor::ServiceKey(service_key_id)) => {
            service_keys::note_administration(app, service_key_id, method, by);
        }
        (Err(Error::PermissionMissing { permission }), _) => audit::note_denial(app, by, method, permission),
        _ => {}
    }
}

/// Who calls, and from where.
fn act(request: &Request<Body>, who: Option<&Authenticated>) -> Result<Act, Error> {
    let origin = request.extensions().get::<Origin>();
    let origin = origin.ok_or_else(|| Error::internal("a call came without an origin"))?;
    let actor = match who {
        Some(Authenticated::User(caller)) => Actor::User(caller.user_id),
        Some(Authenticated::Service(caller)) => Actor::ServiceKey(caller.service_key_id),
        None => Actor::Anonymous,
    };
    Ok(Act {
        actor,
        ip_address: Some(origin.ip_address),
        device_id: request.extensions().get::<DeviceId>().cloned(),
        request_id: origin.request_id.clone(),
    })
}
