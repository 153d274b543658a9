//! Load shedding: beyond a number of calls at once, further ones are refused at once instead of waiting.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;

use super::Next;
use crate::error::Error;

/// When a refused call is worth trying again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The place of a call among those that are worked on. Free again when the last clone is dropped: work that outlasts its client
/// keeps one.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct Place(#[expect(dead_code, reason = "held")] Arc<OwnedSemaphorePermit>);

/// Serves the call if there is a place for it, and leaves the [`Place`]. Health and reflection need none: an overloaded replica is
/// not a dead one.
pub(in crate::rpc) async fn admit(places: Arc<Semaphore>, mut request: Request<Body>, next: Next) -> Response<Body> {
    if !request.uri().path().starts_with("/keyward.") {
        return next.run(request).await;
    }
    match places.try_acquire_owned() {
        Ok(permit) => {
            let place = Place(Arc::new(permit));
            request.extensions_mut().insert(place.clone());
            let response = next.run(request).await;
            drop(place);
            response
        }
        Err(_) => Status::from(Error::Overloaded { retry_after: RETRY_AFTER }).into_http(),
    }
}
