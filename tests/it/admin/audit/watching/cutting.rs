//! A network that cuts every connection after some bytes of answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::{Channel, Endpoint};

/// Stands between clients and a replica.
pub(super) struct Proxy {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    /// In front of the service at `target`.
    pub(super) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = cuts.clone();
        tokio::spawn(async move {
            for number in 0_u32.. {
                let (client, _) = listener.accept().await.unwrap();
                // Before any answer, in the middle of the first message, within later ones.
                let bytes = (number * 997) % 4800;
                tokio::spawn(cut_after(bytes, client, target, counted.clone()));
            }
        });
        Self { address, cuts }
    }

    /// A connection, made when it is needed.
    pub(super) fn connection(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect_lazy()
    }

    /// How many connections have been cut.
    pub(super) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

/// Passes everything on until that many bytes have gone to the client, the last of them too.
async fn cut_after(bytes: u32, client: TcpStream, target: SocketAddr, cuts: Arc<AtomicUsize>) {
    let service = TcpStream::connect(target).await.unwrap();
    let ((mut from_client, mut to_client), (from_service, mut to_service)) =
        (client.into_split(), service.into_split());
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_service).await });
    let mut answer = from_service.take(bytes.into());
    let _ = tokio::io::copy(&mut answer, &mut to_client).await;
    // Counted before the client can notice.
    cuts.fetch_add(1, Ordering::SeqCst);
    asking.abort();
    let _ = to_client.shutdown().await;
}
