//! What the calls of one connection share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How many streams of the standard services (reflection, watching health) one connection may have open. A client needs one of
/// each. In all there are at most this many times `server.max_connections`.
const STANDARD_STREAMS: usize = 8;

/// How many bytes of messages that have not arrived completely are kept for one connection, unless one message may be larger.
const MESSAGE_BYTES: usize = 256 * 1024;

/// Bounds of what one connection may hold in memory, and its end; each of its calls has it as an extension.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct ConnectionShares {
    standard_streams: Arc<Semaphore>,
    message_bytes: Arc<Semaphore>,
    old: CancellationToken,
}

impl ConnectionShares {
    pub(in crate::rpc) fn new(max_message_bytes: usize) -> Self {
        let message_bytes = Arc::new(Semaphore::new(MESSAGE_BYTES.max(max_message_bytes)));
        let standard_streams = Arc::new(Semaphore::new(STANDARD_STREAMS));
        Self { standard_streams, message_bytes, old: CancellationToken::new() }
    }

    /// A place for one more stream of a standard service; `None` when there are too many.
    pub(in crate::rpc) fn standard_stream(&self) -> Option<OwnedSemaphorePermit> {
        self.standard_streams.clone().try_acquire_owned().ok()
    }

    /// Cancelled when the connection has reached its age: a stream that can be resumed ends then, on another connection its client
    /// goes on.
    pub(in crate::rpc) fn old(&self) -> CancellationToken {
        self.old.clone()
    }

    /// Waits until there is room for a message of this many bytes. Other connections are not held up.
    pub(in crate::rpc) async fn message(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.message_bytes.clone().acquire_many_owned(bytes).await.ok()
    }
}
