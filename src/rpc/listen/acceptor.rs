//! Takes the connections of one listener.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;

use super::connection;
use super::connections::Connections;

/// Who answers the calls of a listener.
pub(in crate::rpc) type Stack = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// How long to rest when no connection can be taken: usually because too many files are open.
const REST: Duration = Duration::from_millis(100);

/// How often an idle HTTP/2 connection is asked whether it is still there, and how long it may take to answer.
const HTTP2_KEEPALIVE: (Duration, Duration) = (Duration::from_mins(1), Duration::from_secs(20));

/// The most that the headers of a call may hold, in bytes.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// How long an HTTP/1 connection may be idle between two requests: longer than monitoring usually pauses.
const HTTP1_IDLE: Duration = Duration::from_secs(75);

/// The most that is read of an HTTP/1 connection before its request is complete, in bytes.
const HTTP1_BUFFER: usize = 16 * 1024;

/// When TCP asks whether a silent client is still there, how often, and how many times in vain.
const TCP_KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_mins(1)).with_interval(Duration::from_secs(10)).with_retries(3);

/// Takes connections, and serves their calls by one stack.
pub(in crate::rpc) struct Acceptor {
    pub(super) stack: Stack,
    pub(super) protocol: Builder<TokioExecutor>,
    /// From then on no connection is taken, and those that are open are closed when their calls are over.
    pub(super) closing: CancellationToken,
    /// From then on no connection is open.
    pub(super) cut: CancellationToken,
    pub(super) connections: Arc<Connections>,
    /// The open connections.
    pub(in crate::rpc) open: TaskTracker,
}

impl Acceptor {
    /// For gRPC: HTTP/2 and nothing else.
    pub(in crate::rpc) fn http2(stack: Stack, connections: Arc<Connections>, closing: CancellationToken) -> Arc<Self> {
        let mut protocol = Builder::new(TokioExecutor::new()).http2_only();
        protocol
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(HTTP2_KEEPALIVE.0)
            .keep_alive_timeout(HTTP2_KEEPALIVE.1)
            .max_header_list_size(MAX_HEADER_BYTES)
            .max_concurrent_streams(connections.app.config.server.max_streams_per_connection);
        Self::of(protocol, stack, connections, closing)
    }

    /// For probes, monitoring and the public keys: HTTP/1 and nothing else.
    pub(in crate::rpc) fn http1(stack: Stack, connections: Arc<Connections>, closing: CancellationToken) -> Arc<Self> {
        let mut protocol = Builder::new(TokioExecutor::new()).http1_only();
        protocol.http1().timer(TokioTimer::new()).header_read_timeout(HTTP1_IDLE).max_buf_size(HTTP1_BUFFER);
        Self::of(protocol, stack, connections, closing)
    }

    fn of(
        protocol: Builder<TokioExecutor>,
        stack: Stack,
        connections: Arc<Connections>,
        closing: CancellationToken,
    ) -> Arc<Self> {
        let (cut, open) = (CancellationToken::new(), TaskTracker::new());
        Arc::new(Self { stack, protocol, closing, cut, connections, open })
    }

    /// Takes connections until the listener is closing, and closes it.
    pub(in crate::rpc) async fn accept(self: &Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.closing.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    // Whatever is not passed on is closed here.
                    if let Some(admission) = self.connections.admit(peer)
                        && prepare(&stream).is_ok()
                    {
                        self.open.spawn(connection::serve(stream, admission, self.clone()));
                    }
                }
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "a connection could not be taken");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Closes the connections that are still open.
    pub(in crate::rpc) fn cut(&self) {
        self.cut.cancel();
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&TCP_KEEPALIVE)
}

/// Whether a connection could not be taken because its client is gone already.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
