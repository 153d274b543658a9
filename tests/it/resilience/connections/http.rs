//! The HTTP port: the same bounds, and an end of what is idle.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::wire::{closed, connect, get};
use crate::harness::{Settings, TestApp, within_patience};

#[tokio::test]
async fn a_connection_serves_several_requests_and_becomes_old() {
    let app = TestApp::with(Settings::default().set("server.max_connection_age", "1s")).await;
    let mut stream = connect("127.0.0.2", app.first().http_address).await;
    for _ in 0..3 {
        stream = get(stream, "/healthz").await;
    }
    // Idle, and closed for its age.
    assert!(closed(stream).await);
}

#[tokio::test]
async fn a_head_beyond_all_measure_is_refused() {
    let app = TestApp::start().await;
    let mut stream = connect("127.0.0.2", app.first().http_address).await;
    let head = format!("GET / HTTP/1.1\r\nHost: keyward\r\nX-Noise: {}\r\n\r\n", "x".repeat(64 * 1024));
    // It may be refused before it has been said.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = String::new();
    let _ = within_patience("an answer", stream.read_to_string(&mut answer)).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}
