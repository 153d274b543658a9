//! The end of a listener's calls: those that run are finished, and those that still arrive on open connections are served.

use std::time::Duration;

use http::{Request, Response};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use tonic::body::Body;

use super::interceptors::Next;

/// How long a connection may stay open after the last call, so that calls that are on their way to it are served, and the last
/// replies leave. Clients that have seen the GOAWAY close theirs much sooner.
const QUIET: Duration = Duration::from_secs(1);

/// Counts the call, to its answer, among those that a drain waits for.
pub(super) async fn count(calls: TaskTracker, request: Request<Body>, next: Next) -> Response<Body> {
    let _call = calls.token();
    next.run(request).await
}

/// Waits until every connection is closed, or there was no call for a while: what is open and does nothing of ours, an idle
/// stream of reflection for example, does not hold the end up. Waits no longer than `grace`.
pub(super) async fn until_over(calls: &TaskTracker, connections: &TaskTracker, grace: Duration) {
    calls.close();
    connections.close();
    let no_calls = async {
        loop {
            calls.wait().await;
            sleep(QUIET).await;
            if calls.is_empty() {
                return;
            }
        }
    };
    tokio::select! {
        () = connections.wait() => {}
        () = no_calls => {}
        () = sleep(grace) => {
            if !calls.is_empty() {
                tracing::warn!("calls were still running when the shutdown grace was over; they are cut off");
            }
        }
    }
}
