//! ListAuditEvents: filters, and pages that go through all that matches, each event once.

use std::time::Duration;

use keyward::model::audit::{Act, Actor, Event, EventKind, Subject};
use keyward::model::id::{ServiceKeyId, UserId};
use keyward::proto::keyward::v1::audit_event::{ActorType, Kind, SubjectType};
use keyward::proto::keyward::v1::{AuditEvent, ListAuditEventsRequest as Request};
use keyward::store::pg::audit_events;
use prost_types::Timestamp;
use tonic::Code;
use uuid::Uuid;

use super::list;
use crate::admin::administrator;
use crate::harness::{SignedIn, TestApp, refused};

/// A service with a trail of its own: twenty rounds of an event each of a user, a service key and nobody, a second apart, the
/// first at [`Trail::start`].
struct Trail {
    app: TestApp,
    root: SignedIn,
    user: UserId,
    service_key: ServiceKeyId,
    start: Timestamp,
}

impl Trail {
    async fn make() -> Self {
        let app = TestApp::start().await;
        let root = administrator(&app).await;
        app.advance(Duration::from_secs(1));
        let now = app.now();
        let (user, service_key) = (UserId::new(now), ServiceKeyId::new(now));
        let start = Timestamp { seconds: now.timestamp(), nanos: 0 };
        let mut conn = app.first().app.pool.get().await.unwrap();
        for round in 0..20_u32 {
            for (actor, kind, subject) in [
                (Actor::User(user), EventKind::RoleUpdated, Subject::Role(format!("role-{}", round % 4))),
                (Actor::ServiceKey(service_key), EventKind::UserUpdated, Subject::User(user)),
                (Actor::Anonymous, EventKind::LoginFailed, Subject::User(user)),
            ] {
                let by = Act { actor, ..Act::system() };
                audit_events::insert(&mut conn, &by, vec![Event::new(kind, subject)], app.now()).await.unwrap();
            }
            app.advance(Duration::from_secs(1));
        }
        drop(conn);
        Self { app, root, user, service_key, start }
    }

    /// A time within the trail.
    fn at(&self, seconds: i64) -> Timestamp {
        Timestamp { seconds: self.start.seconds + seconds, nanos: 0 }
    }

    /// Everything that matches, page by page.
    async fn all(&self, request: Request) -> Vec<AuditEvent> {
        let (mut events, mut request) = (Vec::new(), request);
        loop {
            let page = list(&self.root, request.clone()).await.unwrap();
            let size = usize::try_from(request.page_size).unwrap();
            assert!(size == 0 || page.audit_events.len() <= size, "the page is too large");
            events.extend(page.audit_events);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                return events;
            }
        }
    }
}

#[tokio::test]
async fn filters_let_pass_what_they_say_and_all_of_it() {
    let trail = Trail::make().await;
    let (user, key) = (trail.user.to_string(), trail.service_key.to_string());
    let of_time = Request { start_time: Some(trail.at(0)), ..Default::default() };
    let kinds = |kinds: &[Kind]| kinds.iter().map(|kind| i32::from(*kind)).collect::<Vec<_>>();
    for (request, expected) in [
        (of_time.clone(), 60),
        (Request { actor_id: user.clone(), ..Default::default() }, 20),
        (Request { actor_id: key.clone(), ..Default::default() }, 20),
        (Request { actor_id: Uuid::new_v4().to_string(), ..Default::default() }, 0),
        (Request { subject_id: user.clone(), ..Default::default() }, 40),
        (Request { subject_id: "role-3".to_owned(), ..Default::default() }, 5),
        (Request { subject_id: "role".to_owned(), ..Default::default() }, 0),
        (Request { kinds: kinds(&[Kind::LoginFailed]), ..Default::default() }, 20),
        (Request { kinds: kinds(&[Kind::LoginFailed, Kind::RoleUpdated]), ..Default::default() }, 40),
        (Request { kinds: kinds(&[Kind::CleanupRun]), ..Default::default() }, 0),
        (Request { start_time: Some(trail.at(5)), end_time: Some(trail.at(8)), ..Default::default() }, 9),
        (Request { start_time: Some(trail.at(8)), end_time: Some(trail.at(5)), ..Default::default() }, 0),
        (Request { end_time: Some(trail.at(3)), kinds: kinds(&[Kind::RoleUpdated]), ..Default::default() }, 3),
        (
            Request {
                actor_id: user.clone(),
                subject_id: "role-0".to_owned(),
                start_time: Some(trail.at(4)),
                ..of_time.clone()
            },
            4,
        ),
        (Request { subject_id: user.clone(), kinds: kinds(&[Kind::UserUpdated]), ..Default::default() }, 20),
        (Request { actor_id: key.clone(), kinds: kinds(&[Kind::LoginFailed]), ..Default::default() }, 0),
    ] {
        for page_size in [0, 1, 7, 100] {
            let events = trail.all(Request { page_size, ..request.clone() }).await;
            let found: Vec<_> = events.iter().filter(|event| matches(event, &request)).collect();
            assert_eq!((events.len(), found.len()), (expected, expected), "{request:?} in pages of {page_size}");
            let ids: Vec<_> = events.iter().map(|event| event.audit_event_id.as_str()).collect();
            assert!(ids.is_sorted_by(|one, next| one > next), "not the newest first, or one of them twice: {ids:?}");
        }
    }
}

/// Whether an event is one of those asked for.
fn matches(event: &AuditEvent, request: &Request) -> bool {
    let at = event.create_time.unwrap().seconds;
    (request.actor_id.is_empty() || event.actor_id == request.actor_id)
        && (request.subject_id.is_empty() || event.subject_id == request.subject_id)
        && (request.kinds.is_empty() || request.kinds.contains(&event.kind))
        && request.start_time.is_none_or(|start| at >= start.seconds)
        && request.end_time.is_none_or(|end| at < end.seconds)
}

#[tokio::test]
async fn bounds_of_time_are_exact_within_a_millisecond() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    app.advance(Duration::from_micros(1_000_500));
    let by = Act::system();
    let mut conn = app.first().app.pool.get().await.unwrap();
    for _ in 0..3 {
        let event = Event::new(EventKind::CleanupRun, Subject::Nothing);
        audit_events::insert(&mut conn, &by, vec![event], app.now()).await.unwrap();
        app.advance(Duration::from_micros(100));
    }
    let second = app.now() - Duration::from_micros(200);
    let second = Timestamp { seconds: second.timestamp(), nanos: second.timestamp_subsec_nanos().try_into().unwrap() };
    let count = async |request| list(&root, request).await.unwrap().audit_events.len();
    assert_eq!(count(Request { start_time: Some(second), ..Default::default() }).await, 2);
    let kinds = vec![Kind::CleanupRun.into()];
    assert_eq!(count(Request { end_time: Some(second), kinds, ..Default::default() }).await, 1);
}

#[tokio::test]
async fn actors_and_subjects_are_told() {
    let trail = Trail::make().await;
    let request = Request { end_time: Some(trail.at(1)), start_time: Some(trail.at(0)), ..Default::default() };
    let events = list(&trail.root, request).await.unwrap().audit_events;
    let of = |actor_type: ActorType| events.iter().find(|event| event.actor_type() == actor_type).unwrap();
    let (user, key) = (trail.user.to_string(), trail.service_key.to_string());
    let told = |event: &AuditEvent| (event.actor_id.clone(), event.subject_type(), event.subject_id.clone());
    assert_eq!(told(of(ActorType::User)), (user.clone(), SubjectType::Role, "role-0".to_owned()));
    assert_eq!(told(of(ActorType::ServiceKey)), (key, SubjectType::User, user.clone()));
    assert_eq!(told(of(ActorType::Anonymous)), (String::new(), SubjectType::User, user));
}

#[tokio::test]
async fn a_page_token_is_good_for_its_filter_and_its_caller_alone() {
    let trail = Trail::make().await;
    let request = Request { page_size: 2, actor_id: trail.user.to_string(), ..Default::default() };
    let page_token = list(&trail.root, request.clone()).await.unwrap().next_page_token;
    let next = Request { page_token: page_token.clone(), ..request.clone() };
    assert_eq!(list(&trail.root, next.clone()).await.unwrap().audit_events.len(), 2);
    for other in [
        Request { actor_id: String::new(), ..next.clone() },
        Request { actor_id: trail.service_key.to_string(), ..next.clone() },
        Request { subject_id: "role-1".to_owned(), ..next.clone() },
        Request { kinds: vec![Kind::RoleUpdated.into()], ..next.clone() },
        Request { start_time: Some(trail.at(0)), ..next.clone() },
        Request { end_time: Some(trail.at(30)), ..next.clone() },
        Request { page_token: format!("{page_token}A"), ..next.clone() },
    ] {
        refused(list(&trail.root, other).await).with(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    let alice = trail.app.user("alice@example.com").await;
    let sql = format!("INSERT INTO user_roles (user_id, role) VALUES ('{}', 'admin')", alice.user.user_id);
    trail.app.database.client().await.execute(&sql, &[]).await.unwrap();
    let other = alice.sign_in("phone").await;
    refused(list(&other, next).await).with(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn senseless_filters_are_named() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    for (request, field) in [
        (Request { actor_id: "root".to_owned(), ..Default::default() }, "actor_id"),
        (Request { subject_id: "x".repeat(257), ..Default::default() }, "subject_id"),
        (Request { subject_id: "a\0b".to_owned(), ..Default::default() }, "subject_id"),
        (Request { kinds: vec![0], ..Default::default() }, "kinds[0]"),
        (Request { kinds: vec![9999], ..Default::default() }, "kinds[0]"),
        (Request { kinds: vec![1, 1], ..Default::default() }, "kinds"),
        (Request { page_size: -1, ..Default::default() }, "page_size"),
        (Request { start_time: Some(Timestamp { seconds: i64::MAX, nanos: 0 }), ..Default::default() }, "start_time"),
        (Request { end_time: Some(Timestamp { seconds: 0, nanos: -1 }), ..Default::default() }, "end_time"),
    ] {
        refused(list(&root, request).await).with(Code::InvalidArgument, "FIELD_INVALID").naming(&[field]);
    }
}
