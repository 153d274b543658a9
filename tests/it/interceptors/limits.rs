//! Bounds: of a message, of its headers, of the calls at once, and of the time that a call may take.

use futures::future::{join, join_all};
use keyward::proto::keyward::v1::{GetOriginRequest, RegisterRequest};
use tokio_postgres::Client;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{frame, refusal, send};
use crate::harness::{PASSWORD, Settings, SignedIn, TestApp, answer, refused, within_patience};

const GET_ORIGIN: &str = "/keyward.v1.SessionService/GetOrigin";
const LIST_SESSIONS: &str = "/keyward.v1.SessionService/ListSessions";

/// What a request to register takes besides the name, so that its size can be chosen to the byte.
fn request_of(size: usize) -> RegisterRequest {
    let request = |name: usize| RegisterRequest {
        email: "alice@example.com".to_owned(),
        password: PASSWORD.to_owned(),
        display_name: "x".repeat(name),
    };
    let overhead = prost::Message::encoded_len(&request(size / 2)) - size / 2;
    let request = request(size - overhead);
    assert_eq!(prost::Message::encoded_len(&request), size);
    request
}

/// Waits until a call waits for a lock.
pub(super) async fn somebody_waits(client: &Client, count: i64) {
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = async { while client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) < count {} };
    within_patience("calls to wait for the database", waits).await;
}

fn headers_of(signed_in: &SignedIn) -> String {
    format!("Bearer {}", signed_in.tokens.access_token)
}

#[tokio::test]
async fn a_message_may_have_64_kib_and_not_a_byte_more() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    // It is read, and its name is too long.
    let largest = request_of(64 * 1024);
    let read = refused(answer(phone.auth().register(largest).await));
    read.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["display_name"]);
    for size in [64 * 1024 + 1, 1024 * 1024] {
        let refused = refused(answer(phone.auth().register(request_of(size)).await));
        refused.with(Code::InvalidArgument, "MESSAGE_TOO_LARGE");
    }
    // Announced is enough: the rest need not be sent.
    let announced = [0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3];
    let status = send(app.first().address, GET_ORIGIN, &[], announced.to_vec()).await;
    refusal(&status).with(Code::InvalidArgument, "MESSAGE_TOO_LARGE");
    phone.register("alice@example.com").await.unwrap();
}

#[tokio::test]
async fn headers_beyond_all_measure_end_their_own_call_only() {
    let app = TestApp::start().await;
    let large = app.stranger().with("x-noise", &"x".repeat(64 * 1024));
    large.sessions().get_origin(GetOriginRequest {}).await.unwrap_err();
    app.stranger().get_origin().await.unwrap();
}

#[tokio::test]
async fn one_call_too_many_is_refused_at_once_and_health_still_answers() {
    let app = TestApp::with(Settings::default().set("server.max_concurrent_requests", "3")).await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let watcher = app.database.client().await;
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let stuck = (0..3).map(|_| phone.list_sessions());
    let story = async {
        somebody_waits(&watcher, 3).await;
        // From another connection, too.
        refused(app.stranger().get_origin().await).with(Code::ResourceExhausted, "OVERLOADED");
        refused(phone.get_account().await).with(Code::ResourceExhausted, "OVERLOADED");
        let status = send(app.first().address, GET_ORIGIN, &[], frame(&GetOriginRequest {})).await;
        refusal(&status).with(Code::ResourceExhausted, "OVERLOADED");
        HealthClient::new(app.first().channel()).check(HealthCheckRequest::default()).await.unwrap();
        tx.rollback().await.unwrap();
    };
    let (results, ()) = join(join_all(stuck), story).await;
    for result in results {
        assert_eq!(result.unwrap().len(), 1);
    }
    // Every place is free again.
    for result in join_all((0..3).map(|_| phone.get_account())).await {
        result.unwrap();
    }
}

#[tokio::test]
async fn a_call_ends_with_its_deadline_and_takes_nothing_with_it() {
    let app = TestApp::with(Settings::default().set("database.max_connections", "2")).await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let token = headers_of(&phone);
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let headers = [("device-id", "phone"), ("authorization", &token), ("grpc-timeout", "200m")];
    let late = (0..6).map(|_| send(app.first().address, LIST_SESSIONS, &headers, frame(&GetOriginRequest {})));
    for status in join_all(late).await {
        refusal(&status).with(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    }
    tx.rollback().await.unwrap();
    // More calls were given up than there are connections.
    for result in join_all((0..6).map(|_| phone.list_sessions())).await {
        assert_eq!(result.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn the_service_has_a_deadline_of_its_own_whatever_the_client_would_wait() {
    // Long enough for a busy machine to register somebody.
    let app = TestApp::with(Settings::default().set("server.request_timeout", "3s")).await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let token = headers_of(&phone);
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let patient = ["1H", "99999999S", "nonsense"].map(async |patience| {
        let headers = [("device-id", "phone"), ("authorization", token.as_str()), ("grpc-timeout", patience)];
        send(app.first().address, LIST_SESSIONS, &headers, frame(&GetOriginRequest {})).await
    });
    let (silent, patient) = join(phone.list_sessions(), join_all(patient)).await;
    refused(silent).with(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    for status in patient {
        refusal(&status).with(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    }
    tx.rollback().await.unwrap();
}
