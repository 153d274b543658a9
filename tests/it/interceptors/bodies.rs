//! Messages that do not come, come slowly, or are given up: they take no place, count for nothing and end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::{join, join_all};
use futures::{StreamExt, stream};
use http::Request as HttpRequest;
use http_body::Frame;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use keyward::proto::keyward::v1::LoginRequest;
use prost::bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Status};

use super::limits::somebody_waits;
use super::{frame, refusal, send};
use crate::harness::{PASSWORD, Settings, TestApp, refused, within_patience};

const LOGIN: &str = "/keyward.v1.AuthService/Login";
const GET_ORIGIN: &str = "/keyward.v1.SessionService/GetOrigin";
const CHECK: &str = "/grpc.health.v1.Health/Check";

/// More than any message is given to arrive, on a busy machine too.
const LONG: Duration = Duration::from_secs(30);

type Wire = Client<HttpConnector, UnsyncBoxBody<Bytes, Infallible>>;

fn wire() -> Wire {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

/// Begins a call whose message is what is sent here. As long as nobody drops the sender it has no end.
fn begin(wire: &Wire, to: SocketAddr, path: &str) -> (ResponseFuture, mpsc::UnboundedSender<u8>) {
    let (sender, pieces) = mpsc::unbounded_channel();
    let request = HttpRequest::post(format!("http://{to}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("device-id", "phone");
    let pieces = UnboundedReceiverStream::new(pieces).map(|piece: u8| Ok(Frame::data(Bytes::from(vec![piece]))));
    let body = UnsyncBoxBody::new(StreamBody::new(pieces.chain(stream::pending())));
    (wire.request(request.body(body).unwrap()), sender)
}

#[tokio::test]
async fn calls_without_a_message_take_no_place_and_end() {
    let app = TestApp::with(Settings::default().set("server.max_concurrent_requests", "1")).await;
    let (wire, address) = (wire(), app.first().address);
    let began = Instant::now();
    let calls = (0..30).flat_map(|_| [LOGIN, GET_ORIGIN, CHECK]).map(|path| begin(&wire, address, path));
    let (silent, _unsent): (Vec<_>, Vec<_>) = calls.unzip();
    let (trickling, trickle) = begin(&wire, address, LOGIN);
    let answers = tokio::spawn(join_all(silent.into_iter().chain([trickling])));
    // A prefix that announces a message, and then a byte of it now and then.
    let mut message = [0, 0, 0, 255, 0].into_iter().chain(std::iter::repeat(7));
    while !answers.is_finished() {
        app.stranger().get_origin().await.unwrap();
        let _ = trickle.send(message.next().unwrap());
    }
    for answer in answers.await.unwrap() {
        let status = Status::from_header_map(answer.unwrap().headers()).unwrap();
        refusal(&status).with(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    }
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_call_given_up_before_its_message_came_counts_for_nothing() {
    let app = TestApp::with(Settings::default().limited()).await;
    let (wire, address) = (wire(), app.first().address);
    for _ in 0..20 {
        // An answer to another call of the connection says that the service has seen the headers of this one.
        let (call, _unsent) = begin(&wire, address, LOGIN);
        let call = tokio::spawn(call);
        let (seen, _unsent) = begin(&wire, address, "/keyward.v1.NoSuchService/Call");
        within_patience("an answer", seen).await.unwrap();
        call.abort();
    }
    let phone = app.device("phone");
    // The throttle of logins lets a device pass four times.
    for _ in 0..4 {
        refused(phone.login("nobody@example.com").await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
    refused(phone.login("nobody@example.com").await).with(Code::ResourceExhausted, "THROTTLED");
}

/// A call of Login that its client gives up soon, while somebody holds up the statement that it needs.
async fn given_up(app: &TestApp) {
    let request = LoginRequest {
        email: "nobody@example.com".to_owned(),
        password: PASSWORD.to_owned(),
        device_name: String::new(),
    };
    let headers = [("device-id", "phone"), ("grpc-timeout", "1S")];
    let status = send(app.first().address, LOGIN, &headers, frame(&request)).await;
    refusal(&status).with(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_guess_that_outlasts_its_client_keeps_its_place() {
    let settings = Settings::default().limited().set("server.max_concurrent_requests", "1");
    let app = TestApp::with(settings).await;
    let watcher = app.database.client().await;
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    join(given_up(&app), somebody_waits(&watcher, 1)).await;
    refused(app.stranger().get_origin().await).with(Code::ResourceExhausted, "OVERLOADED");
    tx.rollback().await.unwrap();
    let served = async { while app.stranger().get_origin().await.is_err() {} };
    within_patience("the place to be free", served).await;
}

#[tokio::test]
async fn a_guess_that_outlasts_its_client_ends_with_the_longest_call() {
    let settings = Settings::default().limited().set("server.max_concurrent_requests", "1");
    let app = TestApp::with(settings.set("server.request_timeout", "3s")).await;
    let watcher = app.database.client().await;
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    join(given_up(&app), somebody_waits(&watcher, 1)).await;
    // The statement is still held up.
    let served = async { while app.stranger().get_origin().await.is_err() {} };
    within_patience("the place to be free", served).await;
    tx.rollback().await.unwrap();
}
