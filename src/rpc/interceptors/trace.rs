//! The outermost interceptor: gives the call its request id and its span, and logs its end.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use http::{HeaderValue, Request, Response};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::Instrument;
use uuid::Uuid;

use super::{Gate, Next};
use crate::error::Error;

/// The key under which a request id comes and goes.
const REQUEST_ID: &str = "x-request-id";

/// A request id longer than this is replaced.
const MAX_REQUEST_ID_LENGTH: usize = 128;

tokio::task_local! {
    static CURRENT: String;
}

/// The request id of the call that is being served; empty outside of one.
pub(in crate::rpc) fn request_id() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// Does something for a call that goes on after its handler has returned, under its request id.
pub(in crate::rpc) fn with_request_id<T>(request_id: &str, act: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(request_id.to_owned(), act)
}

/// The rest of a call, to be run on a task of its own: under the same request id, and in the same span.
pub(in crate::rpc) fn carried_on<F: Future>(rest: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(request_id(), rest).in_current_span()
}

/// Serves the call under its request id, which every log line of it and its response carry.
pub(in crate::rpc) async fn trace(gate: Gate, request: Request<Body>, next: Next) -> Response<Body> {
    let id = given(&request).unwrap_or_else(|| Uuid::new_v4().to_string());
    // What an unknown path holds is not for the log.
    let path = request.uri().path();
    let method = if gate.methods.get(path).is_some() { path } else { "unknown" };
    let span = tracing::info_span!("call", rpc.method = method, request.id = id);
    let header = HeaderValue::from_str(&id).ok();
    CURRENT
        .scope(
            id,
            async move {
                let started = Instant::now();
                let served = AssertUnwindSafe(next.run(request)).catch_unwind().await;
                // A panic ends its call and no other; the panic hook has logged where it happened.
                let mut response = served
                    .unwrap_or_else(|_| Status::from(Error::internal("the handler of a call panicked")).into_http());
                if let Some(header) = header {
                    response.headers_mut().insert(REQUEST_ID, header);
                }
                let code = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
                let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
                tracing::info!(rpc.code = ?code, duration_ms, "call served");
                response
            }
            .instrument(span),
        )
        .await
}

/// The client's own id, if it is one that can stand in a log.
fn given(request: &Request<Body>) -> Option<String> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (!id.is_empty() && id.len() <= MAX_REQUEST_ID_LENGTH && id.bytes().all(plain)).then(|| id.to_owned())
}
