//! Who the client is: the TCP peer, or whom trusted proxies name.

use tonic::Code;

use crate::harness::{Device, Settings, TestApp, refused};

/// A service behind proxies on the loopback network and in 10.0.0.0/8.
async fn behind_proxies() -> TestApp {
    TestApp::with(Settings::default().set("server.trusted_proxies", "127.0.0.0/8,10.0.0.0/8,fd00::/8")).await
}

async fn address(device: Device) -> String {
    device.get_origin().await.unwrap().ip_address
}

#[tokio::test]
async fn what_a_stranger_says_is_not_believed() {
    let app = TestApp::start().await;
    for said in ["198.51.100.7", "198.51.100.7, 127.0.0.1", "garbage", ""] {
        assert_eq!(address(app.stranger().with("x-forwarded-for", said)).await, "127.0.0.1");
    }
    for key in ["forwarded", "x-real-ip", "true-client-ip", "cf-connecting-ip"] {
        assert_eq!(address(app.stranger().with(key, "198.51.100.7")).await, "127.0.0.1");
    }
}

#[tokio::test]
async fn the_rightmost_address_that_is_no_proxy_is_the_client() {
    let app = behind_proxies().await;
    for (said, client) in [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7, 10.1.2.3", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7,10.1.2.3 , 127.0.0.9", "198.51.100.7"),
        ("garbage, 198.51.100.7", "198.51.100.7"),
        ("10.1.2.3", "10.1.2.3"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443, fd00::2", "2001:db8::1"),
        ("198.51.100.7:1234", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("198.51.100.7, ::ffff:10.0.0.1", "198.51.100.7"),
    ] {
        assert_eq!(address(app.stranger().with("x-forwarded-for", said)).await, client, "{said}");
    }
    assert_eq!(address(app.stranger()).await, "127.0.0.1");
    let twice = app.stranger().with("x-forwarded-for", "203.0.113.9").with_another("x-forwarded-for", "198.51.100.7");
    assert_eq!(address(twice).await, "198.51.100.7");
}

#[tokio::test]
async fn what_a_proxy_says_must_be_an_address() {
    let app = behind_proxies().await;
    for said in ["unknown", "198.51.100.7, ", "198.51.100.7; 10.0.0.1", "198.51.100", "", "ä"] {
        refused(app.stranger().with("x-forwarded-for", said).get_origin().await)
            .with(Code::InvalidArgument, "FIELD_INVALID")
            .naming(&["metadata.x-forwarded-for"]);
    }
}

#[tokio::test]
async fn a_session_shows_the_client_of_its_last_use() {
    let app = behind_proxies().await;
    let alice = app.user("alice@example.com").await;
    let home = app.device("phone").with("x-forwarded-for", "198.51.100.7").with("device-id", "phone");
    let login = home.login(alice.email()).await.unwrap();
    assert_eq!(login.session.unwrap().ip_address, "198.51.100.7");
    // She takes the train; an access token is bound to its device, not to an address.
    let tokens = login.tokens.unwrap();
    let train = home.with("x-forwarded-for", "2001:db8::1").bearing(&tokens.access_token);
    assert_eq!(train.list_sessions().await.unwrap()[0].ip_address, "198.51.100.7");
    train.refresh(&tokens.refresh_token).await.unwrap();
    assert_eq!(train.list_sessions().await.unwrap()[0].ip_address, "2001:db8::1");
}
