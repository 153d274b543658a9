//! Gives details to the refusals that come from the framework and not from us: every error carries an `ErrorInfo`.

use http::{Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};

use super::{Gate, Next};
use crate::error::Error;

/// The header that carries error details.
const DETAILS: &str = "grpc-status-details-bin";

/// The header that says which encodings are taken, when one was not.
const ACCEPT_ENCODING: &str = "grpc-accept-encoding";

/// Serves the call; an error without details is replaced by ours of the same meaning. What the standard services answer is
/// theirs: `NOT_FOUND` of an unknown service's health, say.
pub(in crate::rpc) async fn explain(_: Gate, request: Request<Body>, next: Next) -> Response<Body> {
    let ours = request.uri().path().starts_with("/keyward.");
    let mut response = next.run(request).await;
    if response.headers().contains_key(DETAILS) {
        return response;
    }
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    let meaning = if ours { meaning(&status) } else { foreign_meaning(&status) };
    let Some(error) = meaning else { return response };
    let mut explained = Status::from(error).into_http();
    if let Some(encodings) = response.headers_mut().remove(ACCEPT_ENCODING) {
        explained.headers_mut().insert(ACCEPT_ENCODING, encodings);
    }
    explained
}

/// Of the standard services, only that there is no such method, or that the service is switched off.
fn foreign_meaning(status: &Status) -> Option<Error> {
    (status.code() == Code::Unimplemented).then_some(Error::MethodUnknown)
}

/// What a status of the framework's means. It makes some of the client's mistakes its own: ours all have details.
fn meaning(status: &Status) -> Option<Error> {
    match status.code() {
        Code::Ok => None,
        // "decoded message length too large"
        Code::OutOfRange | Code::ResourceExhausted => Some(Error::MessageTooLarge),
        // "failed to decode Protobuf message", "invalid compression flag", "missing request message", or the client went away
        // in the middle of it
        Code::Internal | Code::InvalidArgument | Code::DataLoss | Code::Unknown => Some(Error::MessageMalformed),
        // An unknown grpc-encoding, or a method that is declared and not built.
        Code::Unimplemented => Some(Error::NotImplemented),
        Code::DeadlineExceeded | Code::Cancelled => Some(Error::DeadlineExceeded),
        code => Some(Error::internal(format!("the framework refused a call with {code:?}"))),
    }
}
