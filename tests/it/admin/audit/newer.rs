//! Events of a newer version, which runs beside this one or ran before it: told as far as they are known.

use std::time::Duration;

use keyward::model::id::AuditEventId;
use keyward::proto::keyward::v1::audit_event::{ActorType, Kind, SubjectType};
use keyward::proto::keyward::v1::{AuditEvent, ListAuditEventsRequest, WatchAuditEventsRequest};
use prost_types::Timestamp;
use uuid::Uuid;

use super::{details, list};
use crate::admin::administrator;
use crate::admin::program::keyward;
use crate::harness::{TestApp, answer, within_patience};

const ACTOR: Uuid = Uuid::from_u128(7);

/// A service whose first event is of a kind, by an actor and about a subject that are yet to be invented.
async fn with_a_newer_event() -> TestApp {
    let app = TestApp::start().await;
    let client = app.database.client().await;
    client.batch_execute("ALTER TABLE audit_events DROP CONSTRAINT audit_events_actor_known").await.unwrap();
    client.batch_execute("ALTER TABLE audit_events DROP CONSTRAINT audit_events_actor_whole").await.unwrap();
    let insert = "INSERT INTO audit_events
        (audit_event_id, created_at, kind, actor_type, actor_id, subject_type, subject_id, request_id, details)
        VALUES ($1, $2, 'PASSKEY_ADDED', 'ROBOT', $3, 'PASSKEY', 'p-1', '',
            '{\"count\": 2, \"reason\": \"NEW\"}')";
    client.execute(insert, &[&AuditEventId::new(app.now()).uuid(), &app.now(), &ACTOR]).await.unwrap();
    app.advance(Duration::from_secs(1));
    app
}

fn assert_told(event: &AuditEvent) {
    let kinds = (event.kind(), event.actor_type(), event.subject_type());
    assert_eq!(kinds, (Kind::Unspecified, ActorType::Unspecified, SubjectType::Unspecified));
    assert_eq!((event.actor_id.as_str(), event.subject_id.as_str()), (ACTOR.to_string().as_str(), "p-1"));
    let expected = [
        ("count", "2"),
        ("reason", "NEW"),
        ("unknown_actor_type", "ROBOT"),
        ("unknown_kind", "PASSKEY_ADDED"),
        ("unknown_subject_type", "PASSKEY"),
    ];
    assert_eq!(details(event), expected);
}

#[tokio::test]
async fn they_are_listed_and_found() {
    let app = with_a_newer_event().await;
    let root = administrator(&app).await;
    let all = list(&root, ListAuditEventsRequest::default()).await.unwrap().audit_events;
    assert_told(all.last().unwrap());
    assert!(all.len() > 1, "those that are known");
    for request in [
        ListAuditEventsRequest { actor_id: ACTOR.to_string(), ..Default::default() },
        ListAuditEventsRequest { subject_id: "p-1".to_owned(), ..Default::default() },
    ] {
        let [event] = list(&root, request).await.unwrap().audit_events.try_into().unwrap();
        assert_told(&event);
    }
}

#[tokio::test]
async fn they_are_streamed() {
    let app = with_a_newer_event().await;
    let root = administrator(&app).await;
    let request = WatchAuditEventsRequest { start_time: Some(Timestamp::default()), ..Default::default() };
    let mut stream = answer(root.admin().watch_audit_events(request).await).unwrap();
    let mut events = Vec::new();
    // Those that are known come after it.
    while events.len() < 2 {
        events.extend(within_patience("a message", stream.message()).await.unwrap().unwrap().audit_events);
    }
    assert_told(&events[0]);
}

#[tokio::test]
async fn operators_are_shown_them() {
    let app = with_a_newer_event().await;
    let table = keyward(app.settings(), &["audit", "tail"], "").await;
    assert_eq!(table.code, Some(0), "{table:?}");
    assert!(table.out.contains(&format!("UNSPECIFIED  unspecified {ACTOR}  unspecified p-1  ")), "{table:?}");
    assert!(table.out.contains("unknown_kind=PASSKEY_ADDED"), "{table:?}");
    let json = keyward(app.settings(), &["audit", "tail", "--json"], "").await;
    let event: serde_json::Value = serde_json::from_str(json.out.trim()).unwrap();
    assert_eq!((event["kind"].as_str(), event["subject_type"].as_str()), (Some("UNSPECIFIED"), Some("UNSPECIFIED")));
    assert_eq!(event["details"]["unknown_kind"].as_str(), Some("PASSKEY_ADDED"));
}
