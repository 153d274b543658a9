//! What came of an attempt at a secret, from the handler to the throttle: a typed extension of a good response, and the source of a
//! status.

use std::sync::Arc;

use http::Response;
use tonic::Status;
use tonic::body::Body;

use crate::error::Error;
use crate::flows::limits::{Attempted, Conclusion};
use crate::model::operation::AttemptTag;

/// A failed attempt, as the source of its status.
#[derive(Debug, thiserror::Error)]
#[error("a failed attempt")]
struct FailedAttempt(Option<AttemptTag>);

/// Marks the status of an error that is a failed attempt.
pub(super) fn mark(status: &mut Status, error_failed: bool, tag: Option<AttemptTag>) {
    if error_failed {
        status.set_source(Arc::new(FailedAttempt(tag)));
    }
}

/// The answer to an attempt at a password.
pub(super) fn answer<T, U: From<T>>(attempted: Attempted<T>) -> Result<tonic::Response<U>, Status> {
    let Attempted { tag, outcome } = attempted;
    match outcome {
        Ok(done) => {
            let mut response = tonic::Response::new(done.into());
            response.extensions_mut().insert(Conclusion::Succeeded(tag));
            Ok(response)
        }
        Err(error) => Err(failed(error, tag)),
    }
}

fn failed(error: Error, tag: AttemptTag) -> Status {
    let is_failed_attempt = error.is_failed_attempt();
    let mut status = Status::from(error);
    mark(&mut status, is_failed_attempt, Some(tag));
    status
}

/// What the attempt that a call was has come to.
pub(super) fn conclusion(response: &Response<Body>) -> Conclusion {
    if let Some(conclusion) = response.extensions().get::<Conclusion>() {
        return *conclusion;
    }
    let source = response.extensions().get::<Status>().and_then(std::error::Error::source);
    match source.and_then(|source| source.downcast_ref::<FailedAttempt>()) {
        Some(FailedAttempt(tag)) => Conclusion::Failed(*tag),
        None => Conclusion::GivenBack,
    }
}
