//! What streams have in common that go on for long: they end when their caller may not call any more, when the service
//! drains, and when their connection has reached its age.

use std::sync::Arc;

use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio_util::sync::CancellationToken;
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

/// The messages of a call, until its connection is `old`: its client goes on from its cursor, on another connection. Errors among
/// them carry the call's request id, which is at hand here and not when they are made.
pub(super) fn messages<T: 'static>(
    messages: impl Stream<Item = Result<T, Status>> + Send + 'static,
    old: CancellationToken,
) -> Messages<T> {
    let request_id = trace::request_id();
    let mut messages = messages.take_until(old.cancelled_owned()).boxed();
    stream::poll_fn(move |cx| trace::with_request_id(&request_id, || messages.poll_next_unpin(cx))).boxed()
}
