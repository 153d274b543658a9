//! What streams have in common that go on for long: they end when their caller may not call any more, and when the service
//! drains.

use std::sync::Arc;

use futures::stream::{self, BoxStream, Stream, StreamExt};
use tonic::Status;

use super::accept::Accepted;
use super::interceptors::authorize::admit;
use super::interceptors::trace;
use super::methods::MethodPolicy;
use crate::app::App;
use crate::error::Error;
use crate::flows::authenticate;
use crate::model::caller::Authenticated;

/// Messages, until somebody ends it.
pub(super) type Messages<T> = BoxStream<'static, Result<T, Status>>;

/// Whoever watches.
pub(super) struct Watcher {
    /// The service's parts.
    pub(super) app: Arc<App>,
    who: Authenticated,
    policy: Arc<MethodPolicy>,
}

impl Watcher {
    /// Who makes this call.
    pub(super) fn of<T>(app: &Arc<App>, call: &Accepted<T>) -> Result<Self, Error> {
        Ok(Self { app: app.clone(), who: call.authenticated()?, policy: call.policy()? })
    }

    /// Whether the call would be let in again now.
    pub(super) async fn is_still_admitted(&self) -> Result<(), Error> {
        authenticate::still_good(&self.app, &self.who).await?;
        admit(&self.app, &self.policy.access, Some(&self.who)).await
    }
}

/// The messages of a call. Errors among them carry its request id, which is at hand here and not when they are made.
pub(super) fn messages<T: 'static>(messages: impl Stream<Item = Result<T, Status>> + Send + 'static) -> Messages<T> {
    let request_id = trace::request_id();
    let mut messages = messages.boxed();
    stream::poll_fn(move |cx| trace::with_request_id(&request_id, || messages.poll_next_unpin(cx))).boxed()
}
