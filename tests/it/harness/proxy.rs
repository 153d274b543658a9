//! TCP proxy between the service and a part of it. The proxy can fall silent, close connections, and lead to another address.
//!
//! Silence is not the end of a connection: bytes are accepted and held back, as by a network that drops packets or by a frozen server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// Address of the part that a proxy leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProxyTarget {
    /// A host name or address, with its port.
    Tcp(String),
    /// The path of a Unix domain socket.
    Unix(PathBuf),
}

/// A proxy on a loopback port of its own, until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<watch::Sender<ProxyState>>,
    accepted: Arc<AtomicU64>,
    accepting: tokio::task::JoinHandle<()>,
}

/// Connections are numbered from 1 in the order in which the proxy accepted them.
#[derive(Clone, Debug)]
struct ProxyState {
    target: ProxyTarget,
    /// Connections up to this number are silent.
    silent_up_to: u64,
    /// Connections up to this number are closed.
    closed_up_to: u64,
}

impl Proxy {
    /// Starts a proxy that passes everything on to `target`.
    pub(crate) async fn to(target: ProxyTarget) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(ProxyState { target, silent_up_to: 0, closed_up_to: 0 }));
        let accepted = Arc::new(AtomicU64::new(0));
        let accepting = tokio::spawn(accept(listener, state.clone(), accepted.clone()));
        Self { address, state, accepted, accepting }
    }

    /// Loopback address of the proxy.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Number of connections accepted so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Lets nothing pass on any connection, open or new. New connections are accepted.
    pub(crate) fn silence_all(&self) {
        self.state.send_modify(|state| state.silent_up_to = u64::MAX);
    }

    /// Lets nothing pass on the connections that are open. New connections pass: a host that vanished, replaced under its name.
    pub(crate) fn silence_open(&self) {
        let open = self.accepted();
        self.state.send_modify(|state| state.silent_up_to = open);
    }

    /// Lets everything pass again, what was held back first.
    pub(crate) fn speak(&self) {
        self.state.send_modify(|state| state.silent_up_to = 0);
    }

    /// Closes the connections that are open.
    pub(crate) fn close_open(&self) {
        let open = self.accepted();
        self.state.send_modify(|state| state.closed_up_to = open);
    }

    /// Leads new connections to another target. Open connections stay where they are.
    pub(crate) fn lead_to(&self, target: ProxyTarget) {
        self.state.send_modify(|state| state.target = target);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.state.send_modify(|state| state.closed_up_to = u64::MAX);
    }
}

async fn accept(listener: TcpListener, state: Arc<watch::Sender<ProxyState>>, accepted: Arc<AtomicU64>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        client.set_nodelay(true).unwrap();
        let number = accepted.fetch_add(1, Ordering::SeqCst) + 1;
        let state = state.subscribe();
        tokio::spawn(async move {
            let mut closing = state.clone();
            tokio::select! {
                () = pass(client, number, state) => {}
                _ = closing.wait_for(|state| state.closed_up_to >= number) => {}
            }
        });
    }
}

/// Passes bytes on between a client and the target until either of the two closes.
async fn pass(client: TcpStream, number: u64, mut state: watch::Receiver<ProxyState>) {
    if !until_loud(number, &mut state).await {
        return;
    }
    let target = state.borrow().target.clone();
    match target {
        ProxyTarget::Tcp(address) => {
            let Ok(server) = TcpStream::connect(address).await else { return };
            server.set_nodelay(true).unwrap();
            join(client, server, number, state).await;
        }
        ProxyTarget::Unix(path) => {
            let Ok(server) = UnixStream::connect(path).await else { return };
            join(client, server, number, state).await;
        }
    }
}

async fn join(client: TcpStream, server: impl AsyncRead + AsyncWrite, number: u64, state: watch::Receiver<ProxyState>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = tokio::io::split(server);
    tokio::select! {
        () = pump(from_client, to_server, number, state.clone()) => {}
        () = pump(from_server, to_client, number, state) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    number: u64,
    mut state: watch::Receiver<ProxyState>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if !until_loud(number, &mut state).await || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    // The end of a silent connection is not heard either.
    until_loud(number, &mut state).await;
}

/// Waits while this connection is silent; `false` when the proxy is gone.
async fn until_loud(number: u64, state: &mut watch::Receiver<ProxyState>) -> bool {
    state.wait_for(|state| state.silent_up_to < number).await.is_ok()
}

/// A server that sends back what it hears, after its own name.
async fn echo(name: &'static str) -> ProxyTarget {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() && stream.write_all(name.as_bytes()).await.is_ok() {}
            });
        }
    });
    ProxyTarget::Tcp(address)
}

#[tokio::test]
async fn a_proxy_is_silent_cut_and_led_elsewhere_as_it_is_told() {
    async fn ask(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_all(b"?").await?;
        stream.read_u8().await
    }
    let proxy = Proxy::to(echo("a").await).await;
    let mut first = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut first).await.unwrap(), b'a');

    proxy.silence_open();
    first.write_all(b"?").await.unwrap();
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut second).await.unwrap(), b'a', "a new connection passes");
    assert!(first.try_read(&mut [0]).is_err(), "a silent one does not");

    proxy.silence_all();
    second.write_all(b"?").await.unwrap();
    proxy.speak();
    assert_eq!(first.read_u8().await.unwrap(), b'a', "what was held back arrives");
    assert_eq!(second.read_u8().await.unwrap(), b'a');

    proxy.lead_to(echo("b").await);
    assert_eq!(ask(&mut second).await.unwrap(), b'a', "an open connection stays where it is");
    proxy.close_open();
    assert!(ask(&mut second).await.is_err(), "and is closed");
    let mut third = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut third).await.unwrap(), b'b');
    assert_eq!(proxy.accepted(), 3);
}
