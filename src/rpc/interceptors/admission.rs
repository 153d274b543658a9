//! Load shedding: beyond a number of calls at once, further ones are refused at once instead of waiting.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::body::Body;

use super::Next;
use crate::error::Error;

/// When a refused call is worth trying again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Serves the call if there is a place for it. Health and reflection need none: an overloaded replica is not a dead one.
pub(in crate::rpc) async fn admit(places: Arc<Semaphore>, request: Request<Body>, next: Next) -> Response<Body> {
    if !request.uri().path().starts_with("/keyward.") {
        return next.run(request).await;
    }
    match places.try_acquire_owned() {
        Ok(_place) => next.run(request).await,
        Err(_) => Status::from(Error::Overloaded { retry_after: RETRY_AFTER }).into_http(),
    }
}
