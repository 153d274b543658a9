//! GetOrigin: the client as the service sees it. What proxies say is the subject of `interceptors::peer`.

use tonic::Code;

use crate::harness::{TestApp, refused};

#[tokio::test]
async fn anyone_may_ask_and_needs_no_device() {
    let app = TestApp::start().await;
    let origin = app.stranger().get_origin().await.unwrap();
    assert_eq!((origin.ip_address.as_str(), origin.device_id.as_str()), ("127.0.0.1", ""));
    let origin = app.device("Phone.1:a_b-c").get_origin().await.unwrap();
    assert_eq!((origin.ip_address.as_str(), origin.device_id.as_str()), ("127.0.0.1", "Phone.1:a_b-c"));
}

#[tokio::test]
async fn a_malformed_device_is_refused_although_none_is_needed() {
    let app = TestApp::start().await;
    refused(app.device("a b").get_origin().await)
        .with(Code::InvalidArgument, "DEVICE_ID_INVALID")
        .naming(&["metadata.device-id"]);
}

#[tokio::test]
async fn it_needs_neither_a_token_nor_the_database() {
    let app = TestApp::start().await;
    app.database.go_away().await;
    app.stranger().bearing("garbage").get_origin().await.unwrap();
}
