//! ListSessions: the caller's live sessions, page by page.

use std::collections::HashSet;
use std::time::Duration;

use keyward::proto::keyward::v1::Session;
use tonic::Code;

use crate::harness::{Device, Person, SignedIn, TestApp, refused};

/// Who has signed in on these devices, by their ids; a second passes between two logins.
async fn sign_in_on<const N: usize>(app: &TestApp, person: &Person, devices: [&str; N]) -> [SignedIn; N] {
    let mut signed_in = Vec::new();
    for device_id in devices {
        signed_in.push(person.sign_in(device_id).await);
        app.advance(Duration::from_secs(1));
    }
    signed_in.try_into().unwrap()
}

/// Gives somebody this many live sessions more, which would take long to log in one by one.
async fn insert_sessions(app: &TestApp, person: &Person, count: u32) {
    let sql = format!(
        "INSERT INTO sessions (session_id, user_id, device_id, device_name, ip_address, user_agent, generation,
            created_at, last_used_at, rotated_at, expires_at, absolute_expires_at)
        SELECT gen_random_uuid(), '{}', 'device-' || i, 'Device', '192.0.2.1', '', 1, $1, $1, $1, $2, $2
        FROM generate_series(1, {count}) i",
        person.user.user_id
    );
    let (now, later) = (app.now(), app.now() + Duration::from_hours(24));
    app.database.client().await.execute(&sql, &[&now, &later]).await.unwrap();
}

fn ids(sessions: &[Session]) -> Vec<&str> {
    sessions.iter().map(|session| session.session_id.as_str()).collect()
}

#[tokio::test]
async fn a_session_tells_where_and_when_its_device_was_used() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let [phone, _] = sign_in_on(&app, &alice, ["phone", "laptop"]).await;
    app.user("bob@example.com").await.sign_in("phone").await;

    let sessions = phone.list_sessions().await.unwrap();
    let [laptops, phones] = sessions.as_slice() else { panic!("not two sessions: {sessions:?}") };
    assert_eq!((laptops.device_id.as_str(), laptops.current), ("laptop", false));
    assert_eq!(phones, &phone.session);
    assert!(phones.current);
    assert_eq!((phones.device_id.as_str(), phones.ip_address.as_str()), ("phone", "127.0.0.1"));
    assert!(phones.user_agent.starts_with("keyward-tests/1"), "{phones:?}");
    assert!(!phones.device_name.is_empty());
    let (used, expires) = (phones.last_used_time.unwrap(), phones.expire_time.unwrap());
    assert_eq!(phones.create_time, Some(used));
    assert_eq!(expires.seconds - used.seconds, 18 * 24 * 3600);
}

#[tokio::test]
async fn a_refresh_is_a_use_and_an_ended_or_expired_session_is_not_listed() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let [mut phone, laptop, _forgotten] = sign_in_on(&app, &alice, ["phone", "laptop", "tablet"]).await;
    laptop.logout().await.unwrap();

    app.advance(Duration::from_hours(17 * 24));
    let before = phone.session.clone();
    phone.renew().await.unwrap();
    let sessions = phone.list_sessions().await.unwrap();
    assert_eq!(sessions.len(), 2);
    let renewed = sessions.iter().find(|session| session.current).unwrap();
    assert_eq!((&renewed.session_id, renewed.create_time), (&before.session_id, before.create_time));
    assert!(renewed.last_used_time.unwrap().seconds > before.last_used_time.unwrap().seconds);
    assert!(renewed.expire_time.unwrap().seconds > before.expire_time.unwrap().seconds);

    // The tablet was not used for eighteen days.
    app.advance(Duration::from_hours(2 * 24));
    phone.renew().await.unwrap();
    assert_eq!(ids(&phone.list_sessions().await.unwrap()), [phone.session.session_id.as_str()]);
}

#[tokio::test]
async fn sizes_of_pages_are_clamped() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let phone = alice.sign_in("phone").await;
    insert_sessions(&app, &alice, 120).await;
    for (asked, given) in [(0, 50), (1, 1), (99, 99), (100, 100), (101, 100), (i32::MAX, 100)] {
        let page = phone.list_sessions_page(asked, "").await.unwrap();
        assert_eq!(page.sessions.len(), given, "asked for {asked}");
        assert!(!page.next_page_token.is_empty(), "asked for {asked}");
    }
    for asked in [-1, i32::MIN] {
        let refusal = refused(phone.list_sessions_page(asked, "").await);
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["page_size"]);
    }
}

#[tokio::test]
async fn the_pages_hold_every_session_once_even_while_others_end() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let phone = alice.sign_in("phone").await;
    insert_sessions(&app, &alice, 29).await;
    let all = phone.list_sessions().await.unwrap();
    assert_eq!(all.len(), 30);

    let first = phone.list_sessions_page(10, "").await.unwrap();
    assert_eq!(ids(&first.sessions), ids(&all[..10]));
    // Neither a session that has been shown nor the one that the token points at has to live on.
    for gone in [&all[3], &all[9], &all[12]].into_iter().filter(|session| !session.current) {
        phone.revoke_session(&gone.session_id).await.unwrap();
    }
    let mut seen: HashSet<String> = first.sessions.into_iter().map(|session| session.session_id).collect();
    let mut token = first.next_page_token;
    while !token.is_empty() {
        let page = phone.list_sessions_page(10, &token).await.unwrap();
        assert!(!page.sessions.is_empty(), "a token leads to an empty page");
        for session in page.sessions {
            assert!(seen.insert(session.session_id), "a session came twice");
        }
        token = page.next_page_token;
    }
    let missed: Vec<_> = all.iter().filter(|session| !seen.contains(&session.session_id)).collect();
    assert!(missed.iter().all(|session| session.session_id == all[12].session_id), "missed: {missed:?}");
}

#[tokio::test]
async fn a_page_token_is_good_for_its_caller_alone_and_only_unchanged() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let [phone, laptop] = sign_in_on(&app, &alice, ["phone", "laptop"]).await;
    let bob = app.user("bob@example.com").await.sign_in("phone").await;
    let token = phone.list_sessions_page(1, "").await.unwrap().next_page_token;

    // Any of her devices may go on with it, at any replica, with another size.
    let replica = app.replica().await;
    let second = Device::clone(&laptop).at(&replica).list_sessions_page(7, &token).await.unwrap();
    assert_eq!(ids(&second.sessions), [phone.session.session_id.as_str()]);
    assert_eq!(second.next_page_token, "");

    refused(bob.list_sessions_page(1, &token).await)
        .with(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
        .naming(&["page_token"]);
    let changed = |place: usize| {
        let other = if token.as_bytes()[place] == b'A' { "B" } else { "A" };
        format!("{}{other}{}", &token[..place], &token[place + 1..])
    };
    let last = token.len() - 1;
    let mangled = [
        changed(0),
        changed(last / 2),
        changed(last),
        token[..last].to_owned(),
        format!("{token}A"),
        format!("{token}="),
        "A".to_owned(),
        "no token".to_owned(),
        phone.session.session_id.clone(),
    ];
    for mangled in mangled {
        refused(phone.list_sessions_page(1, &mangled).await)
            .with(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
            .naming(&["page_token"]);
    }
    refused(phone.list_sessions_page(1, &"A".repeat(1025)).await)
        .with(Code::InvalidArgument, "FIELD_INVALID")
        .naming(&["page_token"]);
}
