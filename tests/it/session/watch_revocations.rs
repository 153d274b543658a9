//! WatchRevocations: a service that checks tokens by itself hears of every one that must not be believed.

use std::collections::BTreeSet;
use std::time::Duration;

use keyward::proto::keyward::v1::{
    RevokeServiceKeyRequest, SetUserRolesRequest, WatchRevocationsRequest, WatchRevocationsResponse,
};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::admin::{administrator, service};
use crate::harness::{Device, SignedIn, TestApp, answer, refused, within_patience};

type Stream = Streaming<WatchRevocationsResponse>;

async fn watch(device: &Device, cursor: &str) -> Result<Stream, Status> {
    let request = WatchRevocationsRequest { cursor: cursor.to_owned() };
    Ok(device.sessions().watch_revocations(request).await?.into_inner())
}

async fn next(stream: &mut Stream) -> Result<Option<WatchRevocationsResponse>, Status> {
    within_patience("a message", stream.message()).await
}

/// Reads until these sessions have been told; the last cursor.
async fn told(stream: &mut Stream, sessions: &[&str]) -> String {
    let mut missing: BTreeSet<_> = sessions.iter().copied().collect();
    loop {
        let message = next(stream).await.unwrap().expect("the stream has ended");
        for session_id in &message.revoked_session_ids {
            missing.remove(session_id.as_str());
        }
        if missing.is_empty() {
            return message.cursor;
        }
    }
}

/// Reads until the stream ends; why.
async fn end(stream: &mut Stream) -> Result<(), Status> {
    let ended = async {
        while stream.message().await?.is_some() {}
        Ok(())
    };
    within_patience("the end of the stream", ended).await
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

fn id(device: &SignedIn) -> &str {
    &device.session.session_id
}

#[tokio::test]
async fn what_matters_comes_first_and_then_what_happens_wherever_it_does() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let service = service(&app, &["tokens.introspect"]).await;
    let alice = app.user("alice@example.com").await;
    let (before, here, there) =
        (alice.sign_in("before").await, alice.sign_in("here").await, alice.sign_in("there").await);
    before.logout().await.unwrap();
    let mut stream = watch(&service, "").await.unwrap();
    told(&mut stream, &[id(&before)]).await;
    here.logout().await.unwrap();
    told(&mut stream, &[id(&here)]).await;
    Device::clone(&there).at(&replica).logout().await.unwrap();
    told(&mut stream, &[id(&there)]).await;

    // Messages come without anything new, too, and say how fresh the knowledge is.
    for _ in 0..2 {
        let message = next(&mut stream).await.unwrap().unwrap();
        assert!(message.revoked_session_ids.is_empty() && message.stale_users.is_empty(), "{message:?}");
        let age = message.feed_age.unwrap();
        assert!(age.seconds < 10 && !message.cursor.is_empty(), "{age:?}");
    }
    // What has expired by itself does not matter any more.
    app.advance(Duration::from_mins(10));
    let mut stream = watch(&service, "").await.unwrap();
    assert!(next(&mut stream).await.unwrap().unwrap().revoked_session_ids.is_empty());
}

#[tokio::test]
async fn nothing_is_missed_through_breaks_whichever_replica_comes_next() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let service = service(&app, &["tokens.introspect"]).await;
    let there = service.clone().at(&replica);
    let heard = async { while watch(&there, "").await.is_err() {} };
    within_patience("the other replica to hear of the key", heard).await;
    let alice = app.user("alice@example.com").await;
    let mut cursor = String::new();
    let mut last = alice.sign_in("phone").await;
    for turn in 0..20 {
        // Each login ends the session before, while nobody watches.
        let ended = std::mem::replace(&mut last, alice.sign_in("phone").await);
        let device = if turn % 2 == 0 { &service } else { &there };
        let mut stream = watch(device, &cursor).await.unwrap();
        cursor = told(&mut stream, &[id(&ended)]).await;
    }
}

#[tokio::test]
async fn users_with_other_roles_are_told_with_the_time_from_which_their_tokens_are_good() {
    let app = TestApp::start().await;
    let service = service(&app, &["tokens.introspect"]).await;
    let admin = administrator(&app).await;
    let alice = app.user("alice@example.com").await;
    let mut stream = watch(&service, "").await.unwrap();
    let set = async |roles: &[&str]| {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let request = SetUserRolesRequest { user_id: alice.user.user_id.clone(), roles };
        answer(admin.admin().set_user_roles(request).await).unwrap();
    };
    set(&["normal_user", "education_user"]).await;
    let stale = async |stream: &mut Stream| loop {
        let message = next(stream).await.unwrap().unwrap();
        if let Some(user) = message.stale_users.into_iter().next() {
            return user;
        }
    };
    let user = stale(&mut stream).await;
    assert_eq!(user.user_id, alice.user.user_id);
    let issued_before = user.issued_before.unwrap();
    assert!(issued_before.seconds > app.now().timestamp() && issued_before.nanos == 0, "{issued_before:?}");
    // Whoever comes later hears of it first.
    assert_eq!(stale(&mut watch(&service, "").await.unwrap()).await.issued_before, Some(issued_before));
    app.advance(Duration::from_secs(5));
    set(&["normal_user"]).await;
    assert!(stale(&mut stream).await.issued_before.unwrap().seconds > issued_before.seconds);
}

#[tokio::test]
async fn a_revocation_that_is_committed_late_is_told_too() {
    let app = TestApp::start().await;
    let service = service(&app, &["tokens.introspect"]).await;
    let alice = app.user("alice@example.com").await;
    let early = alice.sign_in("early").await;
    let late = Uuid::new_v4();
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    let insert = "INSERT INTO revocations (session_id, created_at, expires_at) VALUES ($1, $2, $3)";
    tx.execute(insert, &[&late, &app.now(), &(app.now() + Duration::from_mins(5))]).await.unwrap();
    let mut stream = watch(&service, "").await.unwrap();
    early.logout().await.unwrap();
    // The cursor does not pass what may come.
    let cursor = told(&mut stream, &[id(&early)]).await;
    tx.commit().await.unwrap();
    told(&mut stream, &[&late.to_string()]).await;
    told(&mut watch(&service, &cursor).await.unwrap(), &[&late.to_string()]).await;
}

#[tokio::test]
async fn a_flood_comes_in_pieces_and_whole() {
    let app = TestApp::start().await;
    let service = service(&app, &["tokens.introspect"]).await;
    let mut stream = watch(&service, "").await.unwrap();
    next(&mut stream).await.unwrap();
    let flood = "INSERT INTO revocations (session_id, created_at, expires_at)
        SELECT gen_random_uuid(), $1, $2 FROM generate_series(1, 20000) RETURNING session_id::text";
    let until = app.now() + Duration::from_mins(5);
    let rows = app.database.client().await.query(flood, &[&app.now(), &until]).await.unwrap();
    let sessions: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let sessions: Vec<_> = sessions.iter().map(String::as_str).collect();
    told(&mut stream, &sessions).await;
    let mut stream = watch(&service, "").await.unwrap();
    let first = next(&mut stream).await.unwrap().unwrap();
    assert_eq!(first.revoked_session_ids.len(), 1000);
    // Whoever is cut off in the middle misses nothing either.
    let mut rest: BTreeSet<_> = sessions.iter().copied().collect();
    for session_id in &first.revoked_session_ids {
        assert!(rest.remove(session_id.as_str()));
    }
    told(&mut watch(&service, &first.cursor).await.unwrap(), &rest.into_iter().collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_cursor_is_one_that_the_stream_gave_out() {
    let app = TestApp::start().await;
    let service = service(&app, &["tokens.introspect"]).await;
    let mut stream = watch(&service, "").await.unwrap();
    let cursor = next(&mut stream).await.unwrap().unwrap().cursor;
    let changed = format!("B{}", &cursor[1..]);
    for bad in ["garbage", &cursor[..10], &changed] {
        let request = WatchRevocationsRequest { cursor: bad.to_owned() };
        let refusal = refused(answer(service.sessions().watch_revocations(request).await));
        refusal.with(Code::InvalidArgument, "CURSOR_INVALID").naming(&["cursor"]);
    }
    // Another service may go on with it.
    let other = crate::admin::service(&app, &["tokens.introspect"]).await;
    next(&mut watch(&other, &cursor).await.unwrap()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_ends_when_its_caller_may_not_watch_any_more() {
    let app = TestApp::start().await;
    let mut admin = administrator(&app).await;
    let service = service(&app, &["tokens.introspect"]).await;
    let mut stream = watch(&service, "").await.unwrap();
    let keys = "SELECT service_key_id::text FROM service_keys";
    let service_key_id = app.database.client().await.query_one(keys, &[]).await.unwrap().get(0);
    answer(admin.admin().revoke_service_key(RevokeServiceKeyRequest { service_key_id }).await).unwrap();
    let status = end(&mut stream).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "TOKEN_REVOKED"));
    assert!(!status.get_details_request_info().unwrap().request_id.is_empty());

    let mut stream = watch(&admin, "").await.unwrap();
    next(&mut stream).await.unwrap().unwrap();
    app.advance(Duration::from_mins(4));
    let status = end(&mut stream).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "TOKEN_EXPIRED"));

    admin.renew().await.unwrap();
    let mut stream = watch(&admin, "").await.unwrap();
    admin.logout().await.unwrap();
    let status = end(&mut stream).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "TOKEN_REVOKED"));
}

#[tokio::test]
async fn a_stream_ends_when_the_service_stops_and_does_not_hold_it_up() {
    let mut app = TestApp::start().await;
    let service = service(&app, &["tokens.introspect"]).await;
    let mut stream = watch(&service, "").await.unwrap();
    next(&mut stream).await.unwrap().unwrap();
    app.stop().await;
    end(&mut stream).await.unwrap();
}
