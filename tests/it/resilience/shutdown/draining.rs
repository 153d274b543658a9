//! Calls that arrive while the service drains: they are served or told to go elsewhere, and never shed.

use futures::future::join;
use tokio::net::TcpStream;

use super::somebody_waits;
use crate::harness::{Device, Settings, TestApp, within_patience};
use crate::interceptors::get;
use crate::resilience::connections::wire::Wire;

#[tokio::test]
async fn calls_that_arrive_on_open_connections_are_served() {
    let app = TestApp::with(Settings::default().set("server.max_concurrent_requests", "2")).await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let replica = app.replica().await;
    let (address, there) = (replica.address, Device::clone(&phone).at(&replica));
    // It answers no ping, so that the server cannot know that it has seen the GOAWAY.
    let mut late = Wire::shake("127.0.0.2", address).await.unwrap();
    late.get_origin(1).await.unwrap();
    let watcher = app.database.client().await;
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let story = async {
        somebody_waits(&watcher).await;
        let stopping = tokio::spawn(replica.stop());
        let refused = async { while TcpStream::connect(address).await.is_ok() {} };
        within_patience("new connections to be refused", refused).await;
        for stream in (3..43).step_by(2) {
            late.get_origin(stream).await.expect("a call was not served");
        }
        assert!(!stopping.is_finished(), "it did not wait");
        tx.rollback().await.unwrap();
        within_patience("the service to stop", stopping).await.unwrap();
    };
    let (changed, ()) = join(there.change_password(crate::harness::PASSWORD, super::NEW), story).await;
    changed.unwrap();
}

#[tokio::test]
async fn for_the_delay_it_is_not_ready_and_serves_on() {
    let app = TestApp::start().await;
    let replica = app.replica_with(&app.settings().clone().set("server.drain_delay", "3s")).await;
    let (address, http) = (replica.address, replica.http_address);
    assert_eq!(get(http, "/readyz").await, "HTTP/1.1 200 OK");
    replica.drain();
    let told = async { while get(http, "/readyz").await == "HTTP/1.1 200 OK" {} };
    within_patience("readiness to be off", told).await;
    assert_eq!(get(http, "/readyz").await, "HTTP/1.1 503 Service Unavailable");
    let mut newcomer = Wire::shake("127.0.0.2", address).await.expect("the listener is closed");
    newcomer.get_origin(1).await.unwrap();
    replica.stop().await;
    assert!(newcomer.closed().await);
}
