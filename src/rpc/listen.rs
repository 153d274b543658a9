//! Taking connections: one that says nothing is not kept, and running out of descriptors is told and waited for.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// How long a client may take to say its first word.
const FIRST_BYTE: Duration = Duration::from_secs(10);

/// How long to rest when no connection can be taken: usually because too many files are open.
const REST: Duration = Duration::from_millis(100);

/// How many connections wait for the server to take them up.
const BACKLOG: usize = 128;

/// The connections of a listener whose clients have begun to speak. Ends with the stream's reader.
pub(super) fn connections(listener: TcpListener) -> ReceiverStream<io::Result<TcpStream>> {
    let (ready, incoming) = mpsc::channel(BACKLOG);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = ready.closed() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(first_byte(stream, ready.clone()));
                }
                Err(error) => {
                    tracing::warn!(error = %error, "a connection could not be taken");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    });
    ReceiverStream::new(incoming)
}

/// Hands a connection on once its client has begun to speak; one that does not in time is closed.
async fn first_byte(stream: TcpStream, ready: mpsc::Sender<io::Result<TcpStream>>) {
    let mut byte = [0];
    let spoken = tokio::select! {
        () = ready.closed() => return,
        spoken = tokio::time::timeout(FIRST_BYTE, stream.peek(&mut byte)) => spoken,
    };
    if matches!(spoken, Ok(Ok(1))) && stream.set_nodelay(true).is_ok() {
        // The server has ended if nobody takes it.
        let _ = ready.send(Ok(stream)).await;
    }
}
