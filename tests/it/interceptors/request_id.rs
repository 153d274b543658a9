//! The `x-request-id` of a call: echoed, or made, and never anything that could not stand in a log.

use std::collections::HashSet;

use futures::future::join_all;
use keyward::proto::keyward::v1::GetOriginRequest;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{Device, TestApp, refused};

/// The request id of a good answer.
async fn request_id(device: &Device) -> String {
    let response = device.sessions().get_origin(GetOriginRequest {}).await.unwrap();
    response.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_clients_own_is_echoed() {
    let app = TestApp::start().await;
    for id in ["a", "4bf92f35-77b3:4da6_a3ce.929d0e0e4736", &"x".repeat(128)] {
        assert_eq!(request_id(&app.stranger().with("x-request-id", id)).await, id);
        let refusal = refused(app.device("phone").with("x-request-id", id).get_account().await);
        let refusal = refusal.with(Code::Unauthenticated, "TOKEN_MISSING");
        assert_eq!(refusal.status().metadata().get("x-request-id").unwrap(), id);
    }
}

#[tokio::test]
async fn one_is_made_for_every_call_without() {
    let app = TestApp::start().await;
    let device = app.stranger();
    let ids = join_all((0..50).map(|_| request_id(&device))).await;
    assert!(ids.iter().all(|id| id.parse::<Uuid>().is_ok()), "{ids:?}");
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 50);
}

#[tokio::test]
async fn what_could_forge_a_log_line_is_replaced() {
    let app = TestApp::start().await;
    for id in ["", " ", "a b", "a\tb", "{\"level\":\"ERROR\"}", "a,b", "ä", &"x".repeat(129)] {
        let given = request_id(&app.stranger().with("x-request-id", id)).await;
        assert!(given != id && given.parse::<Uuid>().is_ok(), "{id:?} became {given:?}");
    }
}
