//! Reads the request's message. No place, no reservation and no task of its own is held while a client sends its message, so
//! that clients that send none hold up nothing but their own calls.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full};
use prost::bytes::{Bytes, BytesMut};
use tonic::body::Body;

use super::Gate;
use crate::error::Error;
use crate::rpc::listen::ConnectionShares;

/// How long a message may take to arrive, once its headers have. Within the deadline of the call, which is usually later.
const BODY_TIMEOUT: Duration = Duration::from_secs(4);

/// What precedes a message: a flag, and its length in four bytes.
const PREFIX: usize = 5;

/// What the paths of the one standard service begin with whose requests are streams.
const REFLECTION: &str = "/grpc.reflection.";

/// Replaces the body of the request by one that has arrived completely. A message larger than `server.max_message_bytes` is
/// passed on cut off, because the layers behind refuse it by its length, and authenticate and count the call first.
pub(in crate::rpc) async fn body(gate: Gate, request: Request<Body>) -> Result<Request<Body>, Error> {
    if request.uri().path().starts_with(REFLECTION) {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let shares = parts.extensions.get().ok_or_else(|| Error::internal("a call came without a connection"))?;
    let arrived = tokio::time::timeout(BODY_TIMEOUT, read(body, shares, gate.app.config.server.max_message_bytes));
    let message = arrived.await.map_err(|_| Error::DeadlineExceeded)??;
    Ok(Request::from_parts(parts, Body::new(Full::new(message))))
}

/// Reads the body to its end, or until it is larger than a message of `max_message_bytes`. Beyond its first frame it waits until
/// its connection has room for the whole message.
async fn read(mut body: Body, shares: &ConnectionShares, max_message_bytes: usize) -> Result<Bytes, Error> {
    let mut message = BytesMut::new();
    let mut room = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::MessageMalformed)?;
        let Ok(data) = frame.into_data() else { continue };
        message.extend_from_slice(&data);
        let length = announced(&message);
        if length > max_message_bytes {
            break;
        }
        if room.is_none() && message.len() < length.saturating_add(PREFIX) {
            room = shares.message(length).await;
        }
        if message.len() > max_message_bytes.saturating_add(PREFIX) {
            return Err(Error::MessageTooLarge);
        }
    }
    Ok(message.freeze())
}

/// The length of the message, as its prefix states it; 0 until the prefix has arrived.
fn announced(message: &[u8]) -> usize {
    let length = message.get(1..PREFIX).and_then(|length| length.first_chunk::<4>());
    length.map_or(0, |length| usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use futures::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::{Body, Bytes, ConnectionShares, Error, read};

    /// A body that arrives in these pieces, and then has no end.
    fn endless(pieces: &'static [&'static [u8]]) -> Body {
        let pieces = stream::iter(pieces).map(|piece| Ok::<_, tonic::Status>(Frame::data(Bytes::from_static(piece))));
        Body::new(StreamBody::new(pieces.chain(stream::pending())))
    }

    fn whole(pieces: &'static [&'static [u8]]) -> Body {
        let pieces = stream::iter(pieces).map(|piece| Ok::<_, tonic::Status>(Frame::data(Bytes::from_static(piece))));
        Body::new(StreamBody::new(pieces))
    }

    #[tokio::test]
    async fn pieces_are_put_together() {
        let read = read(whole(&[&[0, 0], &[0, 0, 3, 1], &[], &[2, 3]]), &ConnectionShares::new(3), 3).await.unwrap();
        assert_eq!(read.as_ref(), [0, 0, 0, 0, 3, 1, 2, 3]);
    }

    #[tokio::test]
    async fn a_message_announced_as_too_large_is_not_waited_for() {
        let read = read(endless(&[&[0, 0, 0, 0], &[4, 1]]), &ConnectionShares::new(3), 3).await.unwrap();
        assert_eq!(read.as_ref(), [0, 0, 0, 0, 4, 1]);
    }

    #[tokio::test]
    async fn more_than_one_message_has_an_end_too() {
        let read = read(endless(&[&[0, 0, 0, 0, 1, 7], &[0, 0, 0, 0, 1, 7]]), &ConnectionShares::new(3), 3).await;
        assert!(matches!(read, Err(Error::MessageTooLarge)));
    }
}
