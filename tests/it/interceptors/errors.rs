//! What is not a call of ours: refused with details where it is gRPC, and no trouble to anybody else where it is not.

use std::net::SocketAddr;

use keyward::proto::keyward::v1::{GetOriginRequest, RevokeAllSessionsRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use super::{call, frame, refusal, send};
use crate::harness::{PASSWORD, TestApp, refused, within_patience};

const GET_ORIGIN: &str = "/keyward.v1.SessionService/GetOrigin";

/// Sends bytes to the port, hangs up unless the service does, and returns what it had to say.
async fn garbage(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    // It may hang up in the middle.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut said = Vec::new();
    let _ = within_patience("the service to hang up", stream.read_to_end(&mut said)).await;
    said
}

#[tokio::test]
async fn a_path_that_is_no_method_is_unknown() {
    let app = TestApp::start().await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    for path in [
        "/keyward.v1.SessionService/NoSuchMethod",
        "/keyward.v1.SessionService/getOrigin",
        "/keyward.v1.SessionService/GetOrigin/",
        "/keyward.v1.SessionService/GetOrigin/more",
        "/keyward.v1.SessionService/%47etOrigin",
        "//keyward.v1.SessionService/GetOrigin",
        "/keyward.v1.NoSuchService/GetOrigin",
        "/keyward.v2.SessionService/GetOrigin",
        "/v1/origin",
        "/",
    ] {
        refused(call(&app.stranger(), path).await).with(Code::Unimplemented, "METHOD_UNKNOWN");
        refused(call(&phone, path).await).with(Code::Unimplemented, "METHOD_UNKNOWN");
    }
    // What services answer that are not ours is theirs.
    for path in ["/grpc.health.v1.Health/NoSuchMethod", "/grpc.reflection.v1.ServerReflection/NoSuchMethod"] {
        let status = send(app.first().address, path, &[], frame(&GetOriginRequest {})).await;
        assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_message_is_malformed() {
    let app = TestApp::start().await;
    let address = app.first().address;
    let framed = |message: &[u8]| [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()], message].concat();
    let bodies: [(&str, Vec<u8>); 9] = [
        ("no message", vec![]),
        ("half a head", vec![0, 0, 0]),
        ("half a message", vec![0, 0, 0, 0, 9, 1, 2]),
        ("a tag of no field", framed(&[0])),
        ("a field that is cut", framed(&[0x0a, 0x20, b'x'])),
        ("a varint without end", framed(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])),
        ("a group without end", framed(&[0x0b])),
        ("an unknown flag", vec![7, 0, 0, 0, 0]),
        ("compressed without saying how", vec![1, 0, 0, 0, 1, 0]),
    ];
    for (what, body) in bodies {
        let status = send(address, GET_ORIGIN, &[], body).await;
        let reason = (status.code(), refusal(&status).reason().to_owned());
        assert_eq!(reason, (Code::InvalidArgument, "MESSAGE_MALFORMED".to_owned()), "{what}");
    }
    // A string that is not UTF-8, where one is expected.
    let headers = [("device-id", "phone")];
    let status = send(address, "/keyward.v1.AuthService/Login", &headers, framed(&[0x0a, 0x01, 0xff])).await;
    refusal(&status).with(Code::InvalidArgument, "MESSAGE_MALFORMED");
    // Fields that are not known are a later version's, and are let be.
    let status = send(address, GET_ORIGIN, &[], framed(&[0xf8, 0x07, 0x01])).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");
}

#[tokio::test]
async fn an_encoding_that_is_not_known_is_refused() {
    let app = TestApp::start().await;
    let body = frame(&RevokeAllSessionsRequest { keep_current: true });
    for encoding in ["gzip", "snappy", "no-such-thing"] {
        let status = send(app.first().address, GET_ORIGIN, &[("grpc-encoding", encoding)], body.clone()).await;
        refusal(&status).with(Code::Unimplemented, "NOT_IMPLEMENTED");
        // What is taken instead is told (gRPC over HTTP/2, "Message-Encoding").
        assert!(status.metadata().get("grpc-accept-encoding").is_some(), "{status:?}");
    }
    let status = send(app.first().address, GET_ORIGIN, &[("grpc-encoding", "identity")], body).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");
}

#[tokio::test]
async fn garbage_on_the_port_ends_its_own_connection_only() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    /// An empty SETTINGS frame, then a frame of more bytes than anybody has agreed to.
    const OVERSIZED: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1];
    /// An empty SETTINGS frame, then HEADERS that are no HPACK.
    const NO_HPACK: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 3, 1, 5, 0, 0, 0, 1, 0xff, 0xff, 0xff];
    let app = TestApp::start().await;
    let address = app.first().address;
    // Somebody is connected before, and stays so.
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let noise: Vec<u8> = (0..100_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let attempts: [&[u8]; 10] = [
        b"",
        b"\0",
        &noise,
        b"GET / HTTP/1.1\r\nHost: keyward\r\n\r\n",
        b"POST /keyward.v1.SessionService/GetOrigin HTTP/1.1\r\nHost: keyward\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0",
        b"EHLO example.com\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &PREFACE[..12],
        &[PREFACE, OVERSIZED].concat(),
        &[PREFACE, NO_HPACK].concat(),
    ];
    for attempt in attempts {
        let said = String::from_utf8_lossy(&garbage(address, attempt).await).into_owned();
        assert!(!said.contains("panicked") && !said.contains("src/"), "{said}");
        phone.get_account().await.unwrap();
        app.stranger().get_origin().await.unwrap();
    }
    // Half a preface, and then nothing, holds nobody up while it lasts.
    let mut silent = TcpStream::connect(address).await.unwrap();
    silent.write_all(&PREFACE[..12]).await.unwrap();
    let status = send(address, GET_ORIGIN, &[], frame(&GetOriginRequest {})).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");
    drop(silent);
}

#[tokio::test]
async fn a_refusal_does_not_quote_what_was_sent() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    let secret = "correct horse battery staple\u{0}";
    let refusals = [
        refused(phone.register_as("not-an-address-but-private", secret, "Alice").await),
        refused(phone.register_as("alice@example.com", secret, &"private".repeat(20)).await),
        refused(phone.verify_email("private-id", "private").await),
        refused(phone.login_with("private@example.com", secret).await),
        refused(phone.refresh("private-token").await),
        refused(phone.clone().bearing("private-token").get_account().await),
        refused(phone.reset_password("private-token", PASSWORD).await),
    ];
    for refusal in refusals {
        let said = format!("{:?}", refusal.status());
        assert!(!said.contains("private") && !said.contains("battery"), "{said}");
    }
}

#[tokio::test]
async fn a_failure_of_ours_says_so_and_nothing_of_its_cause() {
    let app = TestApp::start().await;
    let signed_in = app.user("alice@example.com").await.sign_in("phone").await;
    let phone = (*signed_in).clone().with("x-request-id", "look-for-me");
    let client = app.database.client().await;
    client.batch_execute("ALTER TABLE sessions RENAME TO mislaid").await.unwrap();
    let refusal = refused(phone.list_sessions().await).with(Code::Internal, "INTERNAL");
    assert_eq!(refusal.metadata("request_id"), Some("look-for-me"));
    assert_eq!(refusal.status().message(), "An internal error occurred.");
    let shown = String::from_utf8_lossy(refusal.status().details()).to_lowercase();
    assert!(!shown.contains("sessions") && !shown.contains("relation"), "{shown}");
    client.batch_execute("ALTER TABLE mislaid RENAME TO sessions").await.unwrap();
    phone.list_sessions().await.unwrap();
}
