//! Connections from a chosen loopback address, and HTTP/2 frame by frame.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::within_patience;

/// What every HTTP/2 client sends first.
pub(in crate::resilience) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// SETTINGS that change nothing.
pub(in crate::resilience) const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Flags of frames.
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Types of frames.
const DATA_TYPE: u8 = 0;
const HEADERS_TYPE: u8 = 1;
const SETTINGS_TYPE: u8 = 4;
const PING_TYPE: u8 = 6;
const GOAWAY_TYPE: u8 = 7;

/// Connects from an address of this machine, by the name of `127.0.0.x`.
pub(in crate::resilience) async fn connect(source: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Whether the other side closes the connection, whatever it sends before.
pub(in crate::resilience) async fn closed(mut stream: TcpStream) -> bool {
    let end = async {
        let mut buffer = [0; 1024];
        while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
    };
    within_patience("the connection to be closed", end).await;
    true
}

/// A request over HTTP/1 on a connection that stays open; its answer has come.
pub(in crate::resilience) async fn get(mut stream: TcpStream, path: &str) -> TcpStream {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: keyward\r\n\r\n").as_bytes()).await.unwrap();
    let mut buffer = [0; 1024];
    assert!(matches!(within_patience("an answer", stream.read(&mut buffer)).await, Ok(1..)));
    stream
}

/// A client of HTTP/2 that answers nothing, pings neither.
pub(in crate::resilience) struct Wire(TcpStream);

impl Wire {
    /// Connects and waits until the server has acknowledged the SETTINGS; `None` when it closes the connection instead.
    pub(in crate::resilience) async fn shake(source: &str, to: SocketAddr) -> Option<Self> {
        let mut stream = connect(source, to).await;
        stream.write_all(&[PREFACE, SETTINGS].concat()).await.ok()?;
        let mut wire = Self(stream);
        wire.until(SETTINGS_TYPE, ACK).await?;
        Some(wire)
    }

    /// Asks whether the other side is there; `None` when the connection is closed.
    pub(in crate::resilience) async fn ping(&mut self) -> Option<()> {
        let ping = [&[0, 0, 8, PING_TYPE, 0, 0, 0, 0, 0], b"are you?".as_slice()].concat();
        self.0.write_all(&ping).await.ok()?;
        self.until(PING_TYPE, ACK).await
    }

    /// Waits until the server asks for another connection.
    pub(in crate::resilience) async fn goaway(&mut self) -> Option<()> {
        self.until(GOAWAY_TYPE, 0).await
    }

    /// Calls GetOrigin on a stream of its own, with an odd number above those used before, and says whether it got a message: a
    /// refusal has none.
    pub(in crate::resilience) async fn get_origin(&mut self, stream: u8) -> Option<()> {
        let headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/keyward.v1.SessionService/GetOrigin"),
            (":authority", "keyward"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ];
        // Literals without indexing (RFC 7541, section 6.2.2).
        let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let literals: Vec<u8> =
            headers.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect();
        let length = u8::try_from(literals.len()).unwrap();
        let head = [&[0, 0, length, HEADERS_TYPE, END_HEADERS, 0, 0, 0, stream], literals.as_slice()].concat();
        let message = [0, 0, 5, DATA_TYPE, END_STREAM, 0, 0, 0, stream, 0, 0, 0, 0, 0];
        self.0.write_all(&[head.as_slice(), &message].concat()).await.ok()?;
        self.until(DATA_TYPE, 0).await
    }

    /// Waits for the end of the connection.
    pub(in crate::resilience) async fn closed(self) -> bool {
        closed(self.0).await
    }

    /// Reads frames up to one of this type and these flags; `None` when the connection ends before.
    async fn until(&mut self, frame_type: u8, flags: u8) -> Option<()> {
        let reading = async {
            loop {
                let mut header = [0; 9];
                self.0.read_exact(&mut header).await.ok()?;
                let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
                let mut payload = vec![0; usize::try_from(length).unwrap()];
                self.0.read_exact(&mut payload).await.ok()?;
                if header[3] == frame_type && header[4] & flags == flags {
                    return Some(());
                }
            }
        };
        within_patience("a frame", reading).await
    }
}
