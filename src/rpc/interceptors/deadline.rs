//! Work stops when the client's deadline passes, or ours.

use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

use super::{Gate, Next};
use crate::error::Error;

/// How much earlier than the client's the deadline is, so that the answer with its details wins over the framework's.
const MARGIN: Duration = Duration::from_millis(1);

/// The ends of a call.
#[derive(Clone, Copy, Debug)]
pub(in crate::rpc) struct Deadline {
    /// When it has to be answered.
    pub(in crate::rpc) answer: Instant,
    /// When work on it stops, even if the work outlasts the client.
    pub(in crate::rpc) work: Instant,
}

/// Serves the call within the shorter of `grpc-timeout` and `server.request_timeout`, and leaves its [`Deadline`]. A stream has
/// begun to answer by then.
pub(in crate::rpc) async fn deadline(gate: Gate, mut request: Request<Body>, next: Next) -> Response<Body> {
    let ours = gate.app.config.server.request_timeout;
    let limit = client_limit(request.headers()).map_or(ours, |client| client.saturating_sub(MARGIN).min(ours));
    let now = Instant::now();
    let deadline = Deadline { answer: now + limit, work: now + ours };
    request.extensions_mut().insert(deadline);
    match tokio::time::timeout_at(deadline.answer, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Status::from(Error::DeadlineExceeded).into_http(),
    }
}

/// The `grpc-timeout` header: at most eight digits and a unit. A malformed one is no deadline.
fn client_limit(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(amount.saturating_mul(3600))),
        "M" => Some(Duration::from_secs(amount.saturating_mul(60))),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{Duration, HeaderMap, client_limit};

    fn limit(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().unwrap());
        client_limit(&headers)
    }

    #[test]
    fn the_units_are_those_of_the_grpc_protocol() {
        assert_eq!(limit("2S"), Some(Duration::from_secs(2)));
        assert_eq!(limit("1M"), Some(Duration::from_mins(1)));
        assert_eq!(limit("250m"), Some(Duration::from_millis(250)));
        assert_eq!(limit("99999999n"), Some(Duration::from_nanos(99_999_999)));
    }

    #[test]
    fn what_is_malformed_is_no_deadline() {
        for text in ["", "S", "1", "1s", "-1S", "123456789S", "1.5S"] {
            assert_eq!(limit(text), None, "{text}");
        }
    }
}
