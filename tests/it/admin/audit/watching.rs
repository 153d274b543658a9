//! WatchAuditEvents: each event once and in order, as it happens, through breaks and beside transactions that take their time.

mod cutting;
mod ending;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use keyward::app::App;
use keyward::flows::audit;
use keyward::model::audit::{Act, Event, EventKind, Subject};
use keyward::proto::keyward::v1::audit_event::Kind;
use keyward::proto::keyward::v1::{
    AuditEvent, ListAuditEventsRequest, WatchAuditEventsRequest as Request, WatchAuditEventsResponse,
};
use prost_types::Timestamp;
use tonic::{Code, Status, Streaming};

use super::list;
use crate::admin::administrator;
use crate::harness::{Device, Replica, Settings, TestApp, answer, refused, within_patience};
use cutting::Proxy;

async fn watch(device: &Device, request: Request) -> Result<Streaming<WatchAuditEventsResponse>, Status> {
    Ok(device.admin().watch_audit_events(request).await?.into_inner())
}

async fn next(stream: &mut Streaming<WatchAuditEventsResponse>) -> WatchAuditEventsResponse {
    within_patience("a message", stream.message()).await.unwrap().expect("the stream has ended")
}

/// Reads until there are this many events.
async fn events(stream: &mut Streaming<WatchAuditEventsResponse>, count: usize) -> Vec<AuditEvent> {
    let mut events = Vec::new();
    while events.len() < count {
        events.extend(next(stream).await.audit_events);
    }
    events
}

fn numbers(events: &[AuditEvent]) -> Vec<&str> {
    events.iter().map(|event| event.details["number"].as_str()).collect()
}

fn numbered(number: impl ToString) -> Event {
    Event::new(EventKind::CleanupRun, Subject::Nothing).with("number", number)
}

/// Puts an event on record, by itself.
async fn record(app: &App, number: impl ToString) {
    let mut conn = app.pool.get().await.unwrap();
    audit::record(&mut conn, &Act::system(), numbered(number), app.clock.now()).await.unwrap();
}

#[tokio::test]
async fn what_happens_from_now_on_is_told() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let mut stream = watch(&root, Request::default()).await.unwrap();
    let first = next(&mut stream).await;
    assert!(first.audit_events.is_empty() && !first.cursor.is_empty(), "what happened before: {first:?}");
    app.advance(Duration::from_secs(1));
    app.device("desk").login("nobody@example.com").await.unwrap_err();
    let [event] = events(&mut stream, 1).await.try_into().unwrap();
    assert_eq!(event.kind(), Kind::LoginFailed);
    // The same as when it is listed.
    assert_eq!(list(&root, ListAuditEventsRequest::default()).await.unwrap().audit_events[0], event);
}

#[tokio::test]
async fn what_another_replica_does_is_told_too() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let root = administrator(&app).await;
    let mut stream = watch(&root, Request::default()).await.unwrap();
    replica.device("desk").login("nobody@example.com").await.unwrap_err();
    assert_eq!(events(&mut stream, 1).await[0].kind(), Kind::LoginFailed);
}

#[tokio::test]
async fn a_transaction_that_commits_late_is_not_passed_over() {
    let app = TestApp::start().await;
    let service = &app.first().app;
    let root = administrator(&app).await;
    let mut stream = watch(&root, Request::default()).await.unwrap();
    next(&mut stream).await;

    let mut late = service.pool.begin().await.unwrap();
    audit::record(&mut late, &Act::system(), numbered(1), app.now()).await.unwrap();
    record(service, 2).await;
    // Whoever looks now sees the second event and not the first.
    for _ in 0..3 {
        audit::follow(service).await.unwrap();
    }
    late.end(Ok::<_, keyward::error::Error>(())).await.unwrap();
    record(service, 3).await;
    assert_eq!(numbers(&events(&mut stream, 3).await), ["1", "2", "3"]);
}

#[tokio::test]
async fn what_was_under_way_when_it_began_is_told_and_what_was_over_is_not() {
    let app = TestApp::start().await;
    let service = &app.first().app;
    let root = administrator(&app).await;
    let mut late = service.pool.begin().await.unwrap();
    audit::record(&mut late, &Act::system(), numbered(1), app.now()).await.unwrap();
    record(service, 2).await;
    let mut stream = watch(&root, Request::default()).await.unwrap();
    let first = next(&mut stream).await;
    assert!(first.audit_events.is_empty(), "{first:?}");
    late.end(Ok::<_, keyward::error::Error>(())).await.unwrap();
    record(service, 3).await;
    assert_eq!(numbers(&events(&mut stream, 2).await), ["1", "3"]);
}

#[tokio::test]
async fn a_transaction_older_than_the_replica_is_not_passed_over() {
    let mut app = TestApp::start().await;
    let root = administrator(&app).await;
    let client = app.database.client().await;
    record(&app.first().app, 0).await;
    // Of another replica, so to speak.
    let insert = "INSERT INTO audit_events (audit_event_id, created_at, kind, actor_type, request_id, details)
        VALUES (gen_random_uuid(), $1, 'CLEANUP_RUN', 'SYSTEM', '', '{\"number\": \"1\"}')";
    client.batch_execute("BEGIN").await.unwrap();
    client.execute(insert, &[&app.now()]).await.unwrap();
    app.advance(Duration::from_secs(1));
    record(&app.first().app, 2).await;
    app.stop().await;
    app.start_again().await;
    let mut stream = watch(&root, Request::default()).await.unwrap();
    assert!(next(&mut stream).await.audit_events.is_empty());
    client.batch_execute("COMMIT").await.unwrap();
    record(&app.first().app, 3).await;
    assert_eq!(numbers(&events(&mut stream, 2).await), ["1", "3"]);
}

#[tokio::test]
async fn what_was_recorded_early_and_happened_late_is_not_passed_over() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let mut conn = app.first().app.pool.get().await.unwrap();
    app.advance(Duration::from_secs(1));
    let (start, later) = (app.now(), app.now() + Duration::from_mins(1));
    // By the clock of a replica that is ahead of the others, which record more than a thousand events in between.
    audit::record(&mut conn, &Act::system(), numbered("early"), later).await.unwrap();
    let others = (0..1100).map(numbered);
    audit::record_all(&mut conn, &Act::system(), others, start).await.unwrap();
    let start_time = Some(Timestamp { seconds: start.timestamp(), nanos: 0 });
    let mut stream = watch(&root, Request { start_time, ..Request::default() }).await.unwrap();
    let told = events(&mut stream, 1101).await;
    assert_eq!(numbers(&told)[..2], ["early", "0"]);
}

#[tokio::test]
async fn it_goes_on_when_the_database_was_taken_back() {
    let app = TestApp::start().await;
    let service = &app.first().app;
    let root = administrator(&app).await;
    let mut stream = watch(&root, Request::default()).await.unwrap();
    next(&mut stream).await;
    for number in 1..=3 {
        record(service, number).await;
    }
    events(&mut stream, 3).await;
    // As a backup has it that was made after the first of them.
    let client = app.database.client().await;
    let restore = "ALTER TABLE audit_events DISABLE TRIGGER USER;
        DELETE FROM audit_events WHERE details ->> 'number' IN ('2', '3');
        ALTER TABLE audit_events ENABLE TRIGGER USER;
        SELECT setval('audit_events_sequence_seq', max(sequence)) FROM audit_events";
    client.batch_execute(restore).await.unwrap();
    audit::follow(service).await.unwrap();
    record(service, 4).await;
    assert_eq!(numbers(&events(&mut stream, 1).await), ["4"]);
}

#[tokio::test]
async fn a_cursor_of_before_a_restore_is_good() {
    let app = TestApp::start().await;
    let service = &app.first().app;
    let root = administrator(&app).await;
    let mut stream = watch(&root, Request::default()).await.unwrap();
    next(&mut stream).await;
    record(service, 1).await;
    let mut message = next(&mut stream).await;
    while message.audit_events.is_empty() {
        message = next(&mut stream).await;
    }
    let client = app.database.client().await;
    let restore = "ALTER TABLE audit_events DISABLE TRIGGER USER;
        DELETE FROM audit_events WHERE details ->> 'number' = '1';
        ALTER TABLE audit_events ENABLE TRIGGER USER;
        SELECT setval('audit_events_sequence_seq', max(sequence)) FROM audit_events";
    client.batch_execute(restore).await.unwrap();
    let mut stream = watch(&root, Request { cursor: message.cursor, ..Request::default() }).await.unwrap();
    record(service, 2).await;
    assert_eq!(numbers(&events(&mut stream, 1).await), ["2"]);
}

#[tokio::test]
async fn what_is_rolled_back_holds_nothing_up() {
    let app = TestApp::start().await;
    let service = &app.first().app;
    let root = administrator(&app).await;
    let mut stream = watch(&root, Request::default()).await.unwrap();
    next(&mut stream).await;
    let mut undone = service.pool.begin().await.unwrap();
    audit::record(&mut undone, &Act::system(), numbered(1), app.now()).await.unwrap();
    record(service, 2).await;
    let outcome: Result<(), _> = Err(keyward::error::Error::UserNotFound);
    undone.end(outcome).await.unwrap_err();
    assert_eq!(numbers(&events(&mut stream, 1).await), ["2"]);
}

#[tokio::test]
async fn it_begins_where_it_is_told_to() {
    let app = TestApp::start().await;
    let service = &app.first().app;
    let root = administrator(&app).await;
    for number in 1..=5 {
        app.advance(Duration::from_secs(1));
        record(service, number).await;
    }
    let since = |seconds: i64| Some(Timestamp { seconds: app.now().timestamp() + seconds, nanos: 0 });
    let request = Request { start_time: since(-2), ..Request::default() };
    let mut stream = watch(&root, request.clone()).await.unwrap();
    let mut first = next(&mut stream).await;
    assert_eq!(numbers(&first.audit_events), ["3", "4", "5"]);
    // A cursor goes before a time.
    let mut stream = watch(&root, Request { cursor: first.cursor, ..request }).await.unwrap();
    record(service, 6).await;
    first = next(&mut stream).await;
    while first.audit_events.is_empty() {
        first = next(&mut stream).await;
    }
    assert_eq!(numbers(&first.audit_events), ["6"]);
    // From a time to come on.
    let mut stream = watch(&root, Request { start_time: since(2), ..Request::default() }).await.unwrap();
    record(service, 7).await;
    app.advance(Duration::from_secs(2));
    record(service, 8).await;
    assert_eq!(numbers(&events(&mut stream, 1).await), ["8"]);
}

#[tokio::test]
async fn filters_let_pass_what_they_say() {
    let app = TestApp::start().await;
    let service = &app.first().app;
    let root = administrator(&app).await;
    let root_id = root.get_account().await.unwrap().user_id;
    let of = async |request| {
        let request = Request { start_time: Some(Timestamp { seconds: app.now().timestamp(), nanos: 0 }), ..request };
        watch(&root, request).await.unwrap()
    };
    record(service, 1).await;
    let kinds = vec![Kind::UserCreated.into(), Kind::CleanupRun.into()];
    let mut of_kinds = of(Request { kinds, ..Request::default() }).await;
    let both: Vec<_> = events(&mut of_kinds, 2).await.iter().map(AuditEvent::kind).collect();
    assert_eq!(both, [Kind::UserCreated, Kind::CleanupRun]);
    let mut of_actor = of(Request { actor_id: root_id.clone(), ..Request::default() }).await;
    assert_eq!(events(&mut of_actor, 1).await[0].kind(), Kind::LoginSucceeded);
    let mut of_subject = of(Request { subject_id: root_id, ..Request::default() }).await;
    let both: Vec<_> = events(&mut of_subject, 2).await.iter().map(AuditEvent::kind).collect();
    assert_eq!(both, [Kind::UserCreated, Kind::LoginSucceeded]);
}

#[tokio::test]
async fn a_cursor_of_something_else_is_refused() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let cursor = next(&mut watch(&root, Request::default()).await.unwrap()).await.cursor;
    let page = ListAuditEventsRequest { page_size: 1, ..Default::default() };
    let page_token = list(&root, page).await.unwrap().next_page_token;
    for request in [
        Request { cursor: "AAAA".to_owned(), ..Request::default() },
        Request { cursor: format!("{cursor}A"), ..Request::default() },
        Request { cursor: page_token, ..Request::default() },
        Request { cursor: cursor.clone(), kinds: vec![Kind::CleanupRun.into()], ..Request::default() },
        Request { cursor: cursor.clone(), subject_id: "x".to_owned(), ..Request::default() },
    ] {
        let refusal = refused(answer(root.admin().watch_audit_events(request).await));
        refusal.with(Code::InvalidArgument, "CURSOR_INVALID").naming(&["cursor"]);
    }
    // Whoever else may watch may go on from it.
    let alice = app.user("alice@example.com").await;
    let sql = format!("INSERT INTO user_roles (user_id, role) VALUES ('{}', 'admin')", alice.user.user_id);
    app.database.client().await.execute(&sql, &[]).await.unwrap();
    let mut stream = watch(&*alice.sign_in("phone").await, Request { cursor, ..Request::default() }).await.unwrap();
    assert_eq!(events(&mut stream, 3).await[2].kind(), Kind::LoginSucceeded);
}

/// Writes events until told to stop, in transactions that last for a while and are now and then rolled back. Returns the
/// numbers of those that stay.
async fn write(app: Arc<App>, writer: usize, done: Arc<AtomicBool>) -> Vec<String> {
    let mut written = Vec::new();
    for round in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let number = format!("{writer}-{round}");
        let mut tx = app.pool.begin().await.unwrap();
        audit::record(&mut tx, &Act::system(), numbered(&number), app.clock.now()).await.unwrap();
        for _ in 0..(writer * round) % 31 {
            keyward::store::pg::server_clock::read(&mut tx).await.unwrap();
        }
        let outcome = if round % 5 == 4 { Err(keyward::error::Error::UserNotFound) } else { Ok(()) };
        if tx.end(outcome).await.is_ok() {
            written.push(number);
        }
    }
    written
}

#[tokio::test]
async fn each_event_comes_once_and_in_order_through_a_hundred_cuts() {
    const CUTS: usize = 100;
    // So many connections that those who write do not hold up those who read.
    let app = TestApp::with(Settings::default().set("database.max_connections", "24")).await;
    let replica: &Replica = app.first();
    let root = administrator(&app).await;
    let proxy = Proxy::to(replica.address).await;
    let done = Arc::new(AtomicBool::new(false));
    // On the runtime of the replica's own, so that they run beside what they are watched by.
    let writers = (1..=8).map(|writer| tokio::spawn(write(replica.app.clone(), writer, done.clone())));
    let writers: Vec<_> = writers.collect();

    let mut received = Vec::new();
    let mut request = Request { kinds: vec![Kind::CleanupRun.into()], ..Request::default() };
    request.cursor = next(&mut watch(&root, request.clone()).await.unwrap()).await.cursor;
    let begun = request.cursor.clone();
    let mut cuts = 0;
    while cuts < CUTS {
        // A connection of its own each time, which is cut somewhere in the middle.
        let device = Device::clone(&root).over(proxy.connection());
        if let Ok(mut stream) = watch(&device, request.clone()).await {
            while let Ok(Some(message)) = within_patience("a message or a cut", stream.message()).await {
                received.extend(message.audit_events);
                request.cursor = message.cursor;
            }
        }
        cuts += 1;
        assert_eq!(proxy.cuts(), cuts, "a stream ended without its connection being cut");
    }
    done.store(true, Ordering::Relaxed);
    let written: HashSet<String> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();

    // What is left comes over a connection that holds, and so does everything to somebody who was never cut.
    let mut stream = watch(&root, request.clone()).await.unwrap();
    let whole = events(&mut watch(&root, Request { cursor: begun, ..request }).await.unwrap(), 1).await;
    let client = app.database.client().await;
    let ids = "SELECT audit_event_id::text FROM audit_events WHERE kind = 'CLEANUP_RUN' AND sequence >= (
        SELECT sequence FROM audit_events WHERE audit_event_id::text = $1) ORDER BY sequence";
    let expected = client.query(ids, &[&whole[0].audit_event_id]).await.unwrap();
    let expected: Vec<String> = expected.iter().map(|row| row.get(0)).collect();
    let missing = expected.len() - received.len();
    received.extend(events(&mut stream, missing).await);
    let received_ids: Vec<_> = received.iter().map(|event| event.audit_event_id.clone()).collect();
    assert_eq!(received_ids, expected, "not each once and in order");
    assert!(expected.len() >= CUTS, "only {} events were written", expected.len());
    assert!(numbers(&received).iter().all(|number| written.contains(*number)), "one was rolled back");
}
