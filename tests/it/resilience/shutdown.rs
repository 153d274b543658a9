//! The end of the service: told to stop it finishes what runs, killed it leaves nothing half done.

mod draining;
pub(crate) mod process;

use std::time::Duration;

use futures::future::join;
use keyward::proto::keyward::v1::session_service_client::SessionServiceClient;
use keyward::proto::keyward::v1::{ChangePasswordRequest, GetOriginRequest, VerifyEmailRequest};
use secrecy::ExposeSecret;
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::Client;
use tonic::{Code, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use self::process::Process;
use crate::harness::{Database, Device, PASSWORD, Settings, TestApp, refused, within_patience};
use crate::interceptors::get;

const ALICE: &str = "alice@example.com";
const NEW: &str = "eleven herons on a barge";

/// Waits until a call waits for a lock.
async fn somebody_waits(client: &Client) {
    // The mailer looks into its outbox all the time, and is not a call.
    let waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        AND query NOT LIKE 'UPDATE mail_outbox%'";
    let waits = async { while client.query(waiting, &[]).await.unwrap().is_empty() {} };
    within_patience("a call to wait for the database", waits).await;
}

#[tokio::test]
async fn what_runs_is_finished_and_what_comes_is_refused() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    let replica = app.replica().await;
    let (address, http, there) = (replica.address, replica.http_address, Device::clone(&phone).at(&replica));
    let watcher = app.database.client().await;
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let story = async {
        somebody_waits(&watcher).await;
        let mut known = SessionServiceClient::new(replica.channel());
        let stopping = tokio::spawn(replica.stop());
        let refused = async { while TcpStream::connect(address).await.is_ok() {} };
        within_patience("new connections to be refused", refused).await;
        let closed = async { while known.get_origin(GetOriginRequest {}).await.is_ok() {} };
        within_patience("new calls on old connections to be refused", closed).await;
        assert_eq!(get(http, "/readyz").await, "HTTP/1.1 503 Service Unavailable");
        assert!(!stopping.is_finished(), "it did not wait");
        tx.rollback().await.unwrap();
        within_patience("the service to stop", stopping).await.unwrap();
    };
    let (changed, ()) = join(there.change_password(PASSWORD, NEW), story).await;
    changed.unwrap();

    // The other replica serves on.
    app.device("tablet").login_with(ALICE, NEW).await.unwrap();
    let felt = async { while laptop.get_account().await.is_ok() {} };
    within_patience("the other replica to feel what was done", felt).await;
}

#[tokio::test]
async fn a_call_that_outlasts_the_grace_is_cut_off_and_undone() {
    let app = TestApp::with(Settings::default().set("server.shutdown_grace", "100ms")).await;
    let alice = app.user(ALICE).await;
    let phone = alice.sign_in("phone").await;
    let replica = app.replica().await;
    let there = Device::clone(&phone).at(&replica);
    let watcher = app.database.client().await;
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let stopped = async {
        somebody_waits(&watcher).await;
        replica.stop().await;
    };
    let account = async { there.account().change_password(change_request()).await };
    let (cut, ()) = join(account, stopped).await;
    cut.unwrap_err();
    tx.rollback().await.unwrap();
    phone.get_account().await.unwrap();
    phone.change_password(PASSWORD, NEW).await.unwrap();
}

fn change_request() -> ChangePasswordRequest {
    ChangePasswordRequest { current_password: PASSWORD.to_owned(), new_password: NEW.to_owned() }
}

/// Reads reports until health is `expected`; the same may be reported twice.
async fn told(watch: &mut Streaming<HealthCheckResponse>, expected: ServingStatus) {
    let told = async { while watch.message().await.unwrap().unwrap().status() != expected {} };
    within_patience(&format!("health to be reported as {expected:?}"), told).await;
}

#[tokio::test]
async fn those_who_watch_are_told_and_do_not_hold_it_up() {
    let mut app = TestApp::start().await;
    let mut client = HealthClient::new(app.first().channel());
    let mut watch = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    told(&mut watch, ServingStatus::Serving).await;
    app.stop().await;
    told(&mut watch, ServingStatus::NotServing).await;
    // The stream is at its end, which a client takes for a call to look elsewhere.
    assert!(!within_patience("the end of the stream", watch.message()).await.is_ok_and(|more| more.is_some()));
}

#[tokio::test]
async fn a_mail_that_was_being_sent_at_the_kill_is_sent_after_it() {
    let mut app = TestApp::start().await;
    app.mailbox.go_away().await;
    // A mail server that lets anybody in and never says a word.
    let url = app.first().app.config.mail.smtp_url.clone().unwrap();
    let silent = TcpListener::bind(url.expose_secret().strip_prefix("smtp://").unwrap()).await.unwrap();
    let registration = app.device("phone").register(ALICE).await.unwrap();
    let connection = within_patience("the mail to be on its way", silent.accept()).await.unwrap();
    app.kill().await;
    drop((connection, silent));

    app.mailbox.come_back().await;
    app.start_again().await;
    // The lease of the killed replica runs out.
    app.advance(Duration::from_secs(20));
    let code = app.mailbox.next_to(ALICE).await.code();
    app.device("phone").verify_email(&registration.registration_id, &code).await.unwrap();
}

#[tokio::test]
async fn a_kill_in_the_middle_spends_no_code_and_makes_no_half_account() {
    let mut app = TestApp::with(Settings::default().set("codes.attempts", "1")).await;
    let registration = app.device("phone").register(ALICE).await.unwrap();
    let code = app.mailbox.next_to(ALICE).await.code();
    // In turn, whatever the verification writes to holds it up, and it is killed there.
    for table in ["registrations", "users", "user_roles", "user_devices", "mail_outbox"] {
        let watcher = app.database.client().await;
        let mut client = app.database.client().await;
        let tx = client.transaction().await.unwrap();
        tx.batch_execute(&format!("LOCK TABLE {table} IN EXCLUSIVE MODE")).await.unwrap();
        let phone = app.device("phone");
        let (id, typed) = (registration.registration_id.clone(), code.clone());
        let cut = tokio::spawn(async move {
            let request = VerifyEmailRequest { registration_id: id, code: typed };
            phone.auth().verify_email(request).await
        });
        somebody_waits(&watcher).await;
        app.kill().await;
        cut.await.unwrap().unwrap_err();
        tx.rollback().await.unwrap();
        app.start_again().await;
        refused(app.device("phone").login(ALICE).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
        let rows = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM user_devices)";
        assert_eq!(watcher.query_one(rows, &[]).await.unwrap().get::<_, i64>(0), 0, "killed at {table}");
    }
    app.device("phone").verify_email(&registration.registration_id, &code).await.unwrap();
    app.device("phone").login(ALICE).await.unwrap();
    assert!(app.mailbox.next_to(ALICE).await.subject.starts_with("Welcome"));
}

#[tokio::test]
async fn the_program_ends_with_0_on_either_signal_even_while_somebody_watches() {
    for signal in ["TERM", "INT"] {
        let database = Database::create().await;
        let mut process = Process::start(database.url()).await;
        let channel = process.channel();
        SessionServiceClient::new(channel.clone()).get_origin(GetOriginRequest {}).await.unwrap();
        let mut client = HealthClient::new(channel);
        let mut watch = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        told(&mut watch, ServingStatus::Serving).await;
        process.signal(signal);
        told(&mut watch, ServingStatus::NotServing).await;
        assert_eq!(process.exit_code().await, Some(0), "SIG{signal}");
    }
}
