//! Refusals, and what is true of every one of them (AIP-193 and the API's own rules).

use std::time::Duration;

use keyward::proto::keyward::v1::ErrorReason;
use tonic::{Code, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// A refusal whose details are whole.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: Status,
    details: Box<ErrorDetails>,
}

/// The message of a response, or the refusal that came in its place.
pub(crate) fn answer<T>(result: Result<Response<T>, Status>) -> Result<T, Refusal> {
    result.map(Response::into_inner).map_err(|status| Refusal::of(&status))
}

/// The refusal that a call must have met.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Refusal {
    result.expect_err("the call was not refused")
}

impl Refusal {
    /// Reads a status that the service has answered with.
    ///
    /// Fails the test when one of the rules is broken that hold for all of them: a known reason in our domain, the request id
    /// of the response, a text to show, and a time to try again exactly where waiting helps.
    pub(crate) fn of(status: &Status) -> Self {
        let details = Box::new(status.get_error_details());
        let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
        assert_eq!(info.domain, "keyward.v1", "{status:?}");
        let reason = ErrorReason::from_str_name(&format!("ERROR_REASON_{}", info.reason));
        assert!(reason.is_some_and(|reason| reason != ErrorReason::Unspecified), "{status:?}");

        let request_id = header(status, "x-request-id").unwrap_or_else(|| panic!("no request id in {status:?}"));
        assert!(!request_id.is_empty(), "{status:?}");
        assert_eq!(details.request_info().map(|info| info.request_id.as_str()), Some(request_id), "{status:?}");

        let text = details.localized_message().unwrap_or_else(|| panic!("no LocalizedMessage in {status:?}"));
        assert!(!text.message.is_empty() && !status.message().is_empty(), "{status:?}");

        let passes =
            matches!(status.code(), Code::ResourceExhausted | Code::Unavailable) || info.reason == "CLEANUP_RUNNING";
        let retry_after = details.retry_info().and_then(|info| info.retry_delay);
        assert_eq!(retry_after.is_some(), passes, "{status:?}");
        let seconds = retry_after.map(|delay| delay.as_secs() + u64::from(delay.subsec_nanos() > 0));
        let trailer = header(status, "retry-after").map(|text| text.parse().unwrap());
        assert_eq!(trailer, seconds, "{status:?}");

        let violations = details.bad_request().map(|bad_request| &bad_request.field_violations);
        assert!(violations.is_none() || status.code() == Code::InvalidArgument, "{status:?}");
        assert!(violations.is_none_or(|violations| !violations.is_empty()), "{status:?}");
        Self { status: status.clone(), details }
    }

    /// Asserts what kind of refusal it is; the reason is written as it travels.
    #[track_caller]
    pub(crate) fn with(self, code: Code, reason: &str) -> Self {
        assert_eq!((self.status.code(), self.reason()), (code, reason), "{:?}", self.status);
        self
    }

    /// Asserts that it blames exactly these fields, in this order.
    #[track_caller]
    pub(crate) fn naming(self, fields: &[&str]) -> Self {
        let violations = self.details.bad_request().map(|bad_request| bad_request.field_violations.as_slice());
        let named: Vec<_> = violations.unwrap_or_default().iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(named, fields, "{:?}", self.status);
        self
    }

    /// The reason, as it travels.
    pub(crate) fn reason(&self) -> &str {
        self.details.error_info().map(|info| info.reason.as_str()).unwrap_or_default()
    }

    /// What the reason has to say besides, such as `scope`.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.details.error_info()?.metadata.get(key).map(String::as_str)
    }

    /// How long to wait before trying again.
    #[track_caller]
    pub(crate) fn retry_after(&self) -> Duration {
        self.details.retry_info().and_then(|info| info.retry_delay).expect("waiting does not help")
    }

    /// The status itself.
    pub(crate) fn status(&self) -> &Status {
        &self.status
    }
}

fn header<'a>(status: &'a Status, key: &str) -> Option<&'a str> {
    status.metadata().get(key).and_then(|value| value.to_str().ok())
}
