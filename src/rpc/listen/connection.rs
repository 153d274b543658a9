//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::ServiceExt;
use uuid::Uuid;

use super::acceptor::Acceptor;
use super::connections::Admission;
use super::handshake::Watched;
use super::shares::ConnectionShares;

/// Serves the calls of a connection until the client or its age ends it, or the listener does.
pub(super) async fn serve(stream: TcpStream, admission: Admission, acceptor: Arc<Acceptor>) {
    let settings = &acceptor.connections.app.config.server;
    let end_of_handshake = Instant::now() + settings.handshake_timeout;
    let info = TcpConnectInfo { local_addr: stream.local_addr().ok(), remote_addr: Some(admission.peer) };
    let shares = ConnectionShares::new(settings.max_message_bytes);
    let (old, stack) = (shares.old(), acceptor.stack.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(info.clone());
        request.extensions_mut().insert(shares.clone());
        let stack = stack.clone();
        async move { Ok::<_, Infallible>(stack.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let completed = CancellationToken::new();
    let io = TokioIo::new(Watched::new(stream, completed.clone()));
    let mut connection = pin!(acceptor.protocol.serve_connection(io, service));

    tokio::select! {
        _ = connection.as_mut() => return,
        () = completed.cancelled() => {}
        () = sleep_until(end_of_handshake) => return,
        () = admission.evicted.cancelled() => return,
        () = acceptor.cut.cancelled() => return,
    }
    admission.establish();
    let mut age_grace = settings.max_connection_age_grace;
    tokio::select! {
        _ = connection.as_mut() => return,
        () = sleep(with_jitter(settings.max_connection_age)) => old.cancel(),
        () = acceptor.cut.cancelled() => return,
        // How long calls may go on then is for the drain to say, which cuts the rest off.
        () = acceptor.closing.cancelled() => age_grace = Duration::MAX,
    }
    // GOAWAY: the client opens another connection, and the calls of this one are served to their end.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = sleep(age_grace) => {}
        () = acceptor.cut.cancelled() => {}
    }
}

/// A tenth more or less, so that connections opened at once are not closed at once.
fn with_jitter(age: Duration) -> Duration {
    let permille = 900 + u32::from(Uuid::new_v4().as_bytes().first().copied().unwrap_or_default()) * 200 / 255;
    (age / 1000).saturating_mul(permille)
}

#[cfg(test)]
mod tests {
    use super::{Duration, with_jitter};

    #[test]
    fn the_jitter_is_a_tenth() {
        let age = Duration::from_mins(30);
        for _ in 0..1000 {
            assert!((Duration::from_mins(27)..=Duration::from_mins(33)).contains(&with_jitter(age)));
        }
    }
}
