//! Connections: how many there may be, how long a handshake takes, how old they become, and who cannot open one.

mod ageing;
mod http;
mod silent;
pub(super) mod wire;

use keyward::model::network::NetworkAction::{Allow, Block};

use self::wire::{Wire, closed, connect};
use crate::harness::{Settings, TestApp, within_patience};
use crate::interceptors::{Operator, body};

/// What `/metrics` says of the open connections; its own is one of them.
async fn open_connections(app: &TestApp) -> u64 {
    let metrics = body(app.first().http_address, "/metrics").await;
    let line = metrics.lines().find_map(|line| line.strip_prefix("keyward_connections "));
    line.expect("no keyward_connections").parse().unwrap()
}

#[tokio::test]
async fn beyond_its_share_an_address_is_closed_at_once() {
    let app = TestApp::with(Settings::default().set("server.max_connections_per_address", "2")).await;
    let address = app.first().address;
    let mut first = Wire::shake("127.0.0.2", address).await.unwrap();
    let mut second = Wire::shake("127.0.0.2", address).await.unwrap();
    assert!(closed(connect("127.0.0.2", address).await).await);
    // The other port is no way round it.
    assert!(closed(connect("127.0.0.2", app.first().http_address).await).await);
    let mut neighbour = Wire::shake("127.0.0.3", address).await.unwrap();
    assert_eq!(open_connections(&app).await, 4);
    for wire in [&mut first, &mut second, &mut neighbour] {
        wire.ping().await.unwrap();
    }
    drop(first);
    let again = async { while Wire::shake("127.0.0.2", address).await.is_none() {} };
    within_patience("the place to be free", again).await;
}

#[tokio::test]
async fn all_together_have_a_ceiling_over_both_ports() {
    let app = TestApp::with(Settings::default().set("server.max_connections", "3")).await;
    let (address, http) = (app.first().address, app.first().http_address);
    let mut held = Vec::new();
    for source in ["127.0.0.2", "127.0.0.3"] {
        held.push(Wire::shake(source, address).await.unwrap());
    }
    let idle = wire::get(connect("127.0.0.4", http).await, "/healthz").await;
    assert!(closed(connect("127.0.0.5", address).await).await);
    assert!(closed(connect("127.0.0.5", http).await).await);
    drop(idle);
    let again = async { while Wire::shake("127.0.0.5", address).await.is_none() {} };
    within_patience("the place to be free", again).await;
}

#[tokio::test]
async fn proxies_and_allowed_networks_have_no_share_and_blocked_ones_nothing() {
    let settings = Settings::default().set("server.max_connections_per_address", "2");
    let app = TestApp::with(settings.set("server.trusted_proxies", "127.0.0.1/32, 127.0.0.7/32")).await;
    let address = app.first().address;
    let operator = Operator::of(&app).await;
    operator.make(Allow, "127.0.0.8").await.unwrap();
    operator.make(Block, "127.0.0.9").await.unwrap();
    operator.obeyed_by(app.first()).await;
    for source in ["127.0.0.7", "127.0.0.8"] {
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(Wire::shake(source, address).await.unwrap());
        }
        for wire in &mut held {
            wire.ping().await.unwrap();
        }
    }
    for port in [address, app.first().http_address] {
        assert!(closed(connect("127.0.0.9", port).await).await);
    }
}
