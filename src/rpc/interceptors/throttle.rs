//! How often a device and an address may call, and how often they may guess wrong: one round trip before the call, and one
//! after it where something can be guessed.

use std::sync::Arc;

use http::{Extensions, HeaderMap, Request, Response};
use tonic::Status;
use tonic::body::Body;

use super::admission::Place;
use super::authenticate::bearer;
use super::deadline::Deadline;
use super::{Gate, Next, trace};
use crate::app::App;
use crate::error::Error;
use crate::flows::limits::{self, Admission, Conclusion, LimitedCall, Reserved};
use crate::flows::service_keys;
use crate::model::audit::{Act, Actor};
use crate::model::device::DeviceId;
use crate::model::network::NetworkVerdict;
use crate::model::origin::{DeviceOrigin, Origin};
use crate::rpc::attempts;
use crate::rpc::methods::{Access, MethodPolicy, Throttle};
use crate::token::service_key;

/// Serves the call if it is within its limits. One that can be a guess is served on a task of its own, which outlasts a client that
/// goes away: the failure that was reserved for the guess is settled by the outcome, not by the client. The task ends with
/// `server.request_timeout`, and keeps the call's place until then. The message has arrived before.
pub(in crate::rpc) async fn throttle(gate: Gate, request: Request<Body>, next: Next) -> Response<Body> {
    let policy = request.extensions().get::<Arc<MethodPolicy>>();
    let operation = policy.and_then(|policy| policy.throttle.operation(false));
    let guesses = operation.is_some_and(|it| limits::can_be_guessed_at(&gate.app, it));
    if !guesses {
        return serve(gate, request, next).await;
    }
    let tasks = gate.app.tasks.clone();
    let (place, deadline) =
        (request.extensions().get::<Place>().cloned(), request.extensions().get::<Deadline>().copied());
    let Some(Deadline { work, .. }) = deadline else {
        return Status::from(Error::internal("a call came without a deadline")).into_http();
    };
    let serving = tasks.spawn(trace::carried_on(async move {
        let served = tokio::time::timeout_at(work, serve(gate, request, next)).await;
        drop(place);
        served.unwrap_or_else(|_| Status::from(Error::DeadlineExceeded).into_http())
    }));
    serving.await.unwrap_or_else(|cause| Status::from(Error::internal(cause)).into_http())
}

async fn serve(gate: Gate, mut request: Request<Body>, next: Next) -> Response<Body> {
    let admission = match admit(&gate.app, request.extensions(), request.headers()).await {
        Ok(admission) => admission,
        Err(error) => return Status::from(error).into_http(),
    };
    // Whether the device is one that the account knows, and so is spared, only the flow can tell.
    if let Some(address_lockout) = admission.address_lockout {
        request.extensions_mut().insert(address_lockout);
    }
    let (Some(reserved), Some(by)) = (admission.reserved, stranger(request.extensions())) else {
        return next.run(request).await;
    };
    let mut attempt = Attempt { app: gate.app, by, reserved: Some(reserved) };
    let response = next.run(request).await;
    attempt.end(attempts::conclusion(&response)).await;
    response
}

async fn admit(app: &App, extensions: &Extensions, headers: &HeaderMap) -> Result<Admission, Error> {
    let policy = extensions.get::<Arc<MethodPolicy>>().ok_or(Error::MethodUnknown)?;
    let Some(operation) = policy.throttle.operation(is_from_known_service(app, policy, headers)) else {
        return Ok(Admission::default());
    };
    let origin = extensions.get::<Origin>().ok_or_else(|| Error::internal("a call came without an origin"))?;
    let device_id = extensions.get().filter(|_| !is_for_a_service(policy, headers));
    let network = extensions.get::<NetworkVerdict>().copied().unwrap_or_default();
    limits::admit(app, LimitedCall { operation, origin, device_id, network }).await
}

/// Who guesses, for the audit trail: it has proved nothing yet.
fn stranger(extensions: &Extensions) -> Option<Act> {
    let origin = extensions.get::<Origin>()?.clone();
    Some(DeviceOrigin { origin, device_id: extensions.get::<DeviceId>()?.clone() }.act(Actor::Anonymous))
}

/// Whether the call comes with a service key, to a method that takes one: an internal service calls for many, and is no
/// device. Whether the key is a good one shows later; what claims to be one and is not is counted by its address. Where known
/// services draw from no throttle, what is left is counted by device too.
fn is_for_a_service(policy: &MethodPolicy, headers: &HeaderMap) -> bool {
    policy.throttle != Throttle::ButKnownServices
        && matches!(policy.access, Access::Permission(_))
        && bearer(headers).is_ok_and(service_key::is_meant)
}

/// Whether the call comes with a good service key that is in memory, to a method that is not throttled for such.
fn is_from_known_service(app: &App, policy: &MethodPolicy, headers: &HeaderMap) -> bool {
    policy.throttle == Throttle::ButKnownServices
        && bearer(headers).is_ok_and(|token| service_keys::is_known(app, token))
}

/// An attempt in flight. Dropped with a call that panicked or took too long, it is given back.
struct Attempt {
    app: Arc<App>,
    by: Act,
    reserved: Option<Reserved>,
}

impl Attempt {
    async fn end(&mut self, conclusion: Conclusion) {
        let Some(reserved) = self.reserved.take() else { return };
        let (app, by) = (self.app.clone(), self.by.clone());
        // On a task of its own, because the deadline of the call must not cancel it halfway and lose a failure.
        let concluding = self.app.tasks.spawn(async move { limits::conclude(&app, &by, reserved, conclusion).await });
        if let Err(cause) = concluding.await {
            tracing::error!(error = %cause, "an attempt could not be concluded");
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(reserved) = self.reserved.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (app, by) = (self.app.clone(), self.by.clone());
            let concluding = async move { limits::conclude(&app, &by, reserved, Conclusion::GivenBack).await };
            // Waited for when the service stops.
            self.app.tasks.spawn_on(concluding, &runtime);
        }
    }
}
