//! Sockets that say too little: they are closed, and keep nobody out meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use keyward::proto::keyward::v1::GetOriginRequest;
use keyward::proto::keyward::v1::session_service_client::SessionServiceClient;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic::transport::Endpoint;

use super::wire::{PREFACE, SETTINGS, Wire, closed, connect};
use crate::harness::{Database, Settings, TestApp, within_patience};
use crate::resilience::shutdown::process::Process;

/// How many sockets are opened, against a limit of 1,024 files.
const SOCKETS: usize = 2600;

/// Lets this process open as many files as the system allows, which must be enough for the sockets.
fn raise_own_limit() {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
    setrlimit(Resource::Nofile, raised).unwrap();
    assert!(limits.maximum.is_none_or(|limit| limit > 4096), "this test needs 4096 open files (ulimit -Hn)");
}

/// Opens the sockets, each of which says one byte, from these addresses in turn.
async fn besiege(sources: &[String], to: SocketAddr) -> Vec<TcpStream> {
    let mut sockets = Vec::new();
    for source in sources.iter().cycle().take(SOCKETS) {
        let mut socket = connect(source, to).await;
        // It may be closed already.
        let _ = socket.write_all(b"P").await;
        sockets.push(socket);
    }
    sockets
}

/// A call over a connection of its own, from this address.
async fn call(source: &str, to: SocketAddr) -> bool {
    let endpoint = Endpoint::from_shared(format!("http://{to}")).unwrap().local_address(source.parse().ok());
    let Ok(channel) = endpoint.connect().await else { return false };
    SessionServiceClient::new(channel).get_origin(GetOriginRequest {}).await.is_ok()
}

async fn keep_nobody_out(sources: &[String]) {
    raise_own_limit();
    let database = Database::create().await;
    // Nothing of what follows is owed to the time that a handshake is given. The longer the siege takes, the more calls are made
    // from one address, so that none may be refused by a throttle.
    let settings = [("KEYWARD__SERVER__HANDSHAKE_TIMEOUT", "1m"), ("KEYWARD__THROTTLE__ENABLED", "false")];
    let process = Process::with(database.url(), &settings, Some(1024)).await;
    let to = process.address();
    let held = tokio::spawn({
        let sources = sources.to_vec();
        async move { besiege(&sources, to).await }
    });
    let mut rounds = 0;
    while rounds < 5 {
        let came = async { while !call("127.0.0.99", to).await {} };
        within_patience("a stranger to the siege to be served", came).await;
        let came = async { while !call(&sources[0], to).await {} };
        within_patience("a neighbour of the siege to be served", came).await;
        rounds += usize::from(held.is_finished());
    }
    drop(held.await.unwrap());
}

#[tokio::test]
async fn from_one_address() {
    keep_nobody_out(&["127.0.0.1".to_owned()]).await;
}

#[tokio::test]
async fn from_twenty_addresses() {
    let sources: Vec<_> = (1..=20).map(|number| format!("127.0.0.{number}")).collect();
    keep_nobody_out(&sources).await;
}

#[tokio::test]
async fn a_handshake_has_an_end_and_a_connection_that_has_made_it_stays() {
    let app = TestApp::with(Settings::default().set("server.handshake_timeout", "300ms")).await;
    let (address, http) = (app.first().address, app.first().http_address);
    let mut established = Wire::shake("127.0.0.2", address).await.unwrap();
    let unfinished: [(SocketAddr, &[u8]); 8] = [
        (address, b""),
        (address, b"P"),
        (address, PREFACE),
        (address, &[PREFACE, &SETTINGS[..8]].concat()),
        // A frame of another type comes first.
        (address, &[PREFACE, &[0, 0, 8, 6, 0, 0, 0, 0, 0], b"are you?".as_slice()].concat()),
        (http, b""),
        (http, b"G"),
        (http, b"GET /healthz HTTP/1.1\r\nHost: keyward\r\n"),
    ];
    let ends = unfinished.map(async |(to, said)| {
        let mut stream = connect("127.0.0.2", to).await;
        stream.write_all(said).await.unwrap();
        closed(stream).await
    });
    // A byte now and then does not make it longer.
    let trickling = [(address, PREFACE), (http, b"GET /a-very-long-path".as_slice())].map(async |(to, said)| {
        let mut stream = connect("127.0.0.2", to).await;
        let mut said = said[..20].iter().cycle();
        let written = async {
            while stream.write_all(&[*said.next().unwrap()]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        };
        within_patience("the connection to be closed", written).await;
        true
    });
    let (ends, trickling) = tokio::join!(join_all(ends), join_all(trickling));
    assert!(ends.into_iter().chain(trickling).all(|end| end));
    established.ping().await.expect("the established connection is closed");
}
