//! Bounds the streams of the standard services, which draw from no throttle and take no place.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use tonic::Status;
use tonic::body::Body;

use super::{Gate, Next};
use crate::error::Error;
use crate::rpc::listen::ConnectionShares;

/// What the paths of such streams begin with.
const STREAMS: [&str; 2] = ["/grpc.reflection.", "/grpc.health.v1.Health/Watch"];

/// When a refused stream is worth trying again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Serves the stream of a standard service while its connection has few of them.
pub(in crate::rpc) async fn streams(_: Gate, request: Request<Body>, next: Next) -> Response<Body> {
    if !STREAMS.iter().any(|path| request.uri().path().starts_with(path)) {
        return next.run(request).await;
    }
    let Some(place) = request.extensions().get().and_then(ConnectionShares::standard_stream) else {
        return Status::from(Error::Overloaded { retry_after: RETRY_AFTER }).into_http();
    };
    let held = move |body: Body| {
        Body::new(body.map_frame(move |frame| {
            let _place = &place;
            frame
        }))
    };
    next.run(request).await.map(held)
}
