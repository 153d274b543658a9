//! Cleanup: what is over goes, what is needed stays, and no two of them run at once.

mod lease;
mod lockouts;
mod schedule;

use std::collections::BTreeMap;
use std::time::Duration;

use keyward::proto::keyward::v1::cleanup_count::Target;
use keyward::proto::keyward::v1::{CleanupCount, RunCleanupRequest};
use tokio_postgres::Client;
use tonic::Code;

use super::administrator;
use super::program::keyward;
use crate::harness::{Refusal, Settings, SignedIn, TestApp, answer, refused};

const DAY: Duration = Duration::from_hours(24);

/// Sessions that expired in 2020: how many, and of whom.
pub(super) async fn insert_expired_sessions(client: &Client, count: i32, user_id: &str) {
    let sql = "INSERT INTO sessions (session_id, user_id, device_id, device_name, ip_address, user_agent, generation,
            created_at, last_used_at, rotated_at, expires_at, absolute_expires_at)
        SELECT gen_random_uuid(), $2::text::uuid, 'old-' || n, 'Old', '192.0.2.1', '', 1, t, t, t, t, t
        FROM generate_series(1, $1) AS n, LATERAL (SELECT '2020-01-01Z'::timestamptz + n / 4 * interval '1 hour') AS at (t)";
    client.execute(sql, &[&count, &user_id]).await.unwrap();
}

pub(super) async fn count(client: &Client, from: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {from}"), &[]).await.unwrap().get(0)
}

async fn sign_in(app: &TestApp) -> SignedIn {
    let console = app.device("console");
    SignedIn::new(console.clone(), console.login("root@example.com").await.unwrap())
}

async fn clean_up(admin: &SignedIn) -> Result<BTreeMap<String, CleanupCount>, Refusal> {
    let counts = answer(admin.admin().run_cleanup(RunCleanupRequest {}).await)?.counts;
    let name = |count: &CleanupCount| count.target().as_str_name().trim_start_matches("TARGET_").to_owned();
    Ok(counts.into_iter().map(|count| (name(&count), count)).collect())
}

#[tokio::test]
async fn what_is_over_goes_and_what_is_needed_stays() {
    let app = TestApp::start().await;
    let client = app.database.client().await;
    let alice = app.user("alice@example.com").await;
    let mut laptop = alice.sign_in("laptop").await;
    laptop.logout().await.unwrap();
    let mut forgotten = alice.sign_in("forgotten").await;
    app.device("phone").register("bob@example.com").await.unwrap();
    app.device("phone").request_password_reset("alice@example.com").await.unwrap();
    administrator(&app).await;
    app.all_mail_delivered().await;
    let mails = count(&client, "mail_outbox").await;

    // The session on the forgotten device expires after 18 days, and is kept for 30 more.
    app.advance(DAY * 49);
    let mut phone = alice.sign_in("phone").await;
    let mut tablet = alice.sign_in("tablet").await;
    tablet.logout().await.unwrap();
    let carol = app.device("phone").register("carol@example.com").await.unwrap();
    let reset = app.device("phone").request_password_reset("alice@example.com").await.unwrap();
    let admin = sign_in(&app).await;

    let counts = clean_up(&admin).await.unwrap();
    let deleted = |target: &str| counts[target].deleted_count;
    // Alice's and Bob's, with the records of their codes; Alice's is in use again.
    assert_eq!(deleted("REGISTRATIONS"), 2 + 1, "{counts:?}");
    assert_eq!(deleted("PASSWORD_RESETS"), 1, "{counts:?}");
    assert_eq!(deleted("SESSIONS"), 3, "laptop, forgotten, and the administrator's: {counts:?}");
    assert_eq!(deleted("REVOCATIONS"), 1, "{counts:?}");
    assert_eq!(deleted("MAIL"), mails, "{counts:?}");
    assert!(counts.values().all(|count| !count.failed), "{counts:?}");
    let told: Vec<_> = counts.keys().map(String::as_str).collect();
    let kinds = [
        "AUDIT_EVENTS",
        "LOCKOUTS",
        "MAIL",
        "NETWORK_RULES",
        "PASSWORD_RESETS",
        "REGISTRATIONS",
        "REVOCATIONS",
        "SERVICE_KEYS",
        "SESSIONS",
        "SIGNING_KEYS",
    ];
    assert_eq!(told, kinds);

    // Who is there goes on, who is gone is told so, as before.
    phone.renew().await.unwrap();
    refused(tablet.list_sessions().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    for gone in [&mut tablet, &mut laptop, &mut forgotten] {
        refused(gone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    }
    let code = app.mailbox.next_to("carol@example.com").await.code();
    app.device("phone").verify_email(&carol.registration_id, &code).await.unwrap();
    let wrong = app.device("phone").verify_reset_code(&reset.reset_id, "000000").await;
    refused(wrong).with(Code::InvalidArgument, "CODE_INVALID");

    let again = clean_up(&admin).await.unwrap();
    assert!(again.values().all(|count| count.deleted_count == 0 && !count.failed), "{again:?}");
    let acts = "audit_events WHERE kind = 'CLEANUP_RUN' AND actor_type = 'USER' AND device_id = 'console'";
    assert_eq!(count(&client, acts).await, 2);
}

#[tokio::test]
async fn settings_say_how_long_what_is_over_is_kept() {
    let settings = Settings::default().set("cleanup.keep_registrations", "0s").set("cleanup.keep_sessions", "2h");
    let app = TestApp::with(settings.set("cleanup.keep_mail", "365d").set("audit.retention", "1d")).await;
    let alice = app.user("alice@example.com").await;
    let mut phone = alice.sign_in("phone").await;
    administrator(&app).await;
    let client = app.database.client().await;
    let events = count(&client, "audit_events").await;
    app.advance(DAY * 18 + Duration::from_hours(1));
    let admin = sign_in(&app).await;
    let counts = clean_up(&admin).await.unwrap();
    assert_eq!((counts["SESSIONS"].deleted_count, counts["MAIL"].deleted_count), (0, 0), "{counts:?}");
    assert_eq!(counts["REGISTRATIONS"].deleted_count, 2, "{counts:?}");
    assert_eq!(counts["AUDIT_EVENTS"].deleted_count, events, "{counts:?}");
    refused(phone.renew().await).with(Code::Unauthenticated, "TOKEN_EXPIRED");

    app.advance(Duration::from_hours(1));
    let admin = sign_in(&app).await;
    assert_eq!(clean_up(&admin).await.unwrap()["SESSIONS"].deleted_count, 2);
    refused(phone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn of_what_administration_leaves_nothing_that_is_in_force_goes() {
    let app = TestApp::start().await;
    let client = app.database.client().await;
    let admin = administrator(&app).await;
    let leftovers = format!(
        "INSERT INTO service_keys (service_key_id, name, key_prefix, key_hash, permissions, created_at, expires_at, revoked_at)
            SELECT gen_random_uuid(), 'orders', 'kws_', sha256(key::bytea), '{{users.read}}', '2019-01-01Z',
                ends::timestamptz, revoked::timestamptz
            FROM (VALUES ('live', NULL, NULL), ('later', '2031-01-01Z', NULL), ('expired', '2029-09-01Z', NULL),
                ('revoked', NULL, '2029-09-01Z'), ('both', '2029-09-01Z', '2029-08-01Z'), ('just now', NULL, '2030-01-01Z'))
                AS keys (key, ends, revoked);
        INSERT INTO network_rules (network_rule_id, cidr, action, reason, created_at, expires_at)
            VALUES (gen_random_uuid(), '192.0.2.0/24', 'BLOCK', '', '2029-01-01Z', '2029-02-01Z'),
                (gen_random_uuid(), '198.51.100.0/24', 'BLOCK', '', '2029-01-01Z', '2031-02-01Z'),
                (gen_random_uuid(), '203.0.113.0/24', 'BLOCK', '', '2029-01-01Z', NULL);
        INSERT INTO stale_users (user_id, revision, issued_before, created_at, expires_at)
            SELECT '{0}', 1, at, at, at FROM (VALUES ('2030-01-01 11:00Z'::timestamptz), ('2030-01-01 12:03Z')) AS t (at);
        INSERT INTO signing_keys (key_id, algorithm, state, private_key, created_at, active_at, retired_at)
            VALUES ('old', 'ES256', 'RETIRING', '', '2029-01-01Z', '2029-01-01Z', '2029-12-01Z'),
                ('older', 'ES256', 'RETIRING', '', '2029-01-01Z', '2029-01-01Z', '2030-01-01 12:01Z')",
        admin.get_account().await.unwrap().user_id
    );
    client.batch_execute(&leftovers).await.unwrap();
    let counts = clean_up(&admin).await.unwrap();
    let deleted = |target: &str| counts[target].deleted_count;
    assert_eq!(deleted("SERVICE_KEYS"), 3, "{counts:?}");
    assert_eq!(deleted("NETWORK_RULES"), 1, "{counts:?}");
    assert_eq!(deleted("REVOCATIONS"), 1, "{counts:?}");
    assert_eq!(deleted("SIGNING_KEYS"), 1, "{counts:?}");
    assert!(counts.values().all(|count| !count.failed), "{counts:?}");
}

#[tokio::test]
async fn batches_find_everything() {
    let app = TestApp::with(Settings::default().set("cleanup.batch", "3")).await;
    let client = app.database.client().await;
    let admin = administrator(&app).await;
    insert_expired_sessions(&client, 32, &admin.get_account().await.unwrap().user_id).await;
    assert_eq!(clean_up(&admin).await.unwrap()["SESSIONS"].deleted_count, 32);
    assert_eq!(count(&client, "sessions").await, 1);
}

#[tokio::test]
async fn what_fails_stops_nothing_else() {
    let app = TestApp::start().await;
    let client = app.database.client().await;
    app.device("phone").register("bob@example.com").await.unwrap();
    app.device("phone").request_password_reset("bob@example.com").await.unwrap();
    app.advance(DAY * 3);
    let admin = administrator(&app).await;
    let broken = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
        CREATE TRIGGER refuse BEFORE DELETE ON registrations EXECUTE FUNCTION refuse()";
    client.batch_execute(broken).await.unwrap();
    let counts = clean_up(&admin).await.unwrap();
    let outcome = |target: &str| (counts[target].deleted_count, counts[target].failed);
    // The record of the code has a table of its own.
    assert_eq!(outcome("REGISTRATIONS"), (1, true));
    assert_eq!(outcome("PASSWORD_RESETS"), (1, false));
    assert_eq!(counts.values().filter(|count| count.failed).count(), 1);

    client.batch_execute("DROP TRIGGER refuse ON registrations").await.unwrap();
    let counts = clean_up(&admin).await.unwrap();
    assert_eq!((counts["REGISTRATIONS"].deleted_count, counts["REGISTRATIONS"].failed), (1, false));
}

#[tokio::test]
async fn rows_that_somebody_holds_are_left_for_the_next_time() {
    let app = TestApp::start().await;
    let mut client = app.database.client().await;
    let admin = administrator(&app).await;
    insert_expired_sessions(&client, 8, &admin.get_account().await.unwrap().user_id).await;
    let holding = client.transaction().await.unwrap();
    let held =
        holding.query("SELECT FROM sessions WHERE device_id IN ('old-1', 'old-8') FOR UPDATE", &[]).await.unwrap();
    assert_eq!(held.len(), 2);
    assert_eq!(clean_up(&admin).await.unwrap()["SESSIONS"].deleted_count, 6);
    holding.rollback().await.unwrap();
    assert_eq!(clean_up(&admin).await.unwrap()["SESSIONS"].deleted_count, 2);
}

#[tokio::test]
async fn operators_do_it_from_the_command_line() {
    let app = TestApp::start().await;
    let client = app.database.client().await;
    let alice = app.user("alice@example.com").await;
    insert_expired_sessions(&client, 5, &alice.user.user_id).await;
    let ran = keyward(&app.settings, &["cleanup", "--json"], "").await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let counts: Vec<serde_json::Value> = serde_json::from_str(&ran.out).unwrap();
    let sessions = serde_json::json!({ "target": "SESSIONS", "deleted_count": 5, "failed": false });
    assert!(counts.contains(&sessions), "{}", ran.out);
    for count in &counts {
        let name = format!("TARGET_{}", count["target"].as_str().unwrap());
        assert!(Target::from_str_name(&name).is_some(), "{name}");
    }
    let ran = keyward(&app.settings, &["cleanup"], "").await;
    assert!(ran.code == Some(0) && ran.out.contains("sessions                  0\n"), "{ran:?}");
    assert!(!ran.err.contains("deleted"), "a progress display where there is no terminal: {}", ran.err);
    assert_eq!(count(&client, "audit_events WHERE kind = 'CLEANUP_RUN' AND actor_type = 'OPERATOR'").await, 2);
}
