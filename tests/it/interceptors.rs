//! What every call passes before a handler sees it: who calls, from where, from which device, and what may not pass.

mod authenticate;
mod bodies;
mod device;
mod errors;
mod fields;
pub(crate) mod health;
mod limits;
mod network;
mod peer;
mod reflection;
mod request_id;

use std::net::SocketAddr;

use http::{HeaderMap, Request as HttpRequest};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use prost::Message;
use prost::bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::harness::{Device, Refusal, answer, within_patience};
pub(crate) use authenticate::Forgery;
pub(crate) use network::Operator;

/// Calls any method by its path, with an empty message.
pub(crate) async fn call(device: &Device, path: &str) -> Result<(), Refusal> {
    let mut client = Grpc::new(device.wire());
    client.ready().await.unwrap();
    let path: PathAndQuery = path.parse().unwrap();
    answer(client.unary(Request::new(()), path, ProstCodec::<(), ()>::default()).await)
}

/// The status line of an answer over plain HTTP.
pub(crate) async fn get(from: SocketAddr, path: &str) -> String {
    exchange(from, path).await.lines().next().unwrap().to_owned()
}

async fn exchange(from: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(from).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: keyward\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The body of an answer over plain HTTP.
pub(crate) async fn body(from: SocketAddr, path: &str) -> String {
    exchange(from, path).await.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// A message as it travels: its flag, its length, itself.
fn frame(message: &impl Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap();
    [&[0], length.to_be_bytes().as_slice(), &message].concat()
}

/// Sends exactly these headers and this body to a path, over a connection of its own, and returns the status that comes
/// back, which no client library has touched.
async fn send(to: SocketAddr, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Status {
    let mut request = HttpRequest::post(format!("http://{to}{path}"));
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")].iter().chain(headers) {
        request = request.header(*name, *value);
    }
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let exchange = async {
        let response = client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        let (parts, body) = response.into_parts();
        let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
        status(&parts.headers).or_else(|| status(&trailers)).expect("neither headers nor trailers hold a status")
    };
    within_patience("an answer", exchange).await
}

fn status(headers: &HeaderMap) -> Option<Status> {
    Status::from_header_map(headers)
}

/// The refusal that [`send`] must have met.
fn refusal(status: &Status) -> Refusal {
    assert_ne!(status.code(), Code::Ok, "the call was not refused");
    Refusal::of(status)
}
