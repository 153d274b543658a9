//! What strangers cause at will: merged, below ceilings, and counted; and what is never left out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use keyward::proto::keyward::v1::ListUsersRequest;
use keyward::proto::keyward::v1::audit_event::{ActorType, Kind, SubjectType};
use tonic::Code;

use super::of_kind;
use crate::admin::administrator;
use crate::admin::program::keyward;
use crate::harness::{Device, PASSWORD, Settings, TestApp, answer, refused, within_patience};

const ALICE: &str = "alice@example.com";
const MINUTE: Duration = Duration::from_mins(1);

/// A service behind a proxy on this machine.
fn behind_a_proxy() -> Settings {
    Settings::default().set("server.trusted_proxies", "127.0.0.0/8")
}

/// With lockouts, of which a wrong guess at an operation makes none.
fn locking() -> Settings {
    let settings = behind_a_proxy().set("lockout.enabled", "true");
    settings.set("lockout.operations.login.device_failures", "1000").set("lockout.operations.login.ip_failures", "1000")
}

fn at(device: &Device, address: &str) -> Device {
    device.clone().with("x-forwarded-for", address)
}

async fn fail_to_log_in(device: &Device, times: usize) {
    for _ in 0..times {
        refused(device.login_with(ALICE, "wrong").await);
    }
}

/// A detail of the events of a kind, and the text that they have for another, in the order of recording.
async fn told(app: &TestApp, kind: &str, names: [&str; 4]) -> Vec<[String; 4]> {
    let client = app.database.client().await;
    let sql = "SELECT coalesce(details->>$2, ''), coalesce(details->>$3, ''), coalesce(details->>$4, ''),
        coalesce(details->>$5, '') FROM audit_events WHERE kind = $1 ORDER BY sequence";
    let [one, two, three, four] = names;
    let rows = client.query(sql, &[&kind, &one, &two, &three, &four]).await.unwrap();
    rows.iter().map(|row| [0, 1, 2, 3].map(|n| row.get::<_, String>(n))).collect()
}

/// What reports say of events that were left out, once there are so many of them.
async fn reports(app: &TestApp, count: usize) -> Vec<[String; 4]> {
    let reports = async {
        loop {
            let mut told = told(app, "AUDIT_EVENTS_OMITTED", ["ceiling", "count", "kinds", "networks"]).await;
            if told.len() >= count {
                told.sort();
                return told;
            }
        }
    };
    within_patience("the reports of what was left out", reports).await
}

async fn number_of(app: &TestApp, kind: &str) -> usize {
    told(app, kind, [""; 4]).await.len()
}

/// Logs in again and again for an hour where a lockout refuses it; then the service stops.
async fn an_hour_leaves_a_row_a_minute(mut app: TestApp, email: &str, scope: &str) {
    let (minutes, calls) = (60, 6);
    for minute in 0..minutes {
        for call in 0..calls {
            let device = app.device(&format!("device-{call}"));
            refused(device.login_with(email, "wrong").await).with(Code::ResourceExhausted, "LOCKED_OUT");
            app.advance(MINUTE / calls);
        }
        assert!(number_of(&app, "LOGIN_FAILED").await <= usize::try_from(minute).unwrap() + 3, "minute {minute}");
    }
    app.stop().await;
    let rows = told(&app, "LOGIN_FAILED", ["reason", "scope", "count", ""]).await;
    let locked: Vec<_> = rows.iter().filter(|[reason, ..]| reason == "LOCKED_OUT").collect();
    assert!(locked.iter().all(|[_, of, ..]| of == scope), "{locked:?}");
    let counted = |count: &str| if count.is_empty() { 1 } else { count.parse().unwrap() };
    let refusals: u32 = locked.iter().map(|[_, _, count, _]| counted(count)).sum();
    assert_eq!(refusals, minutes * calls);
    assert!(locked.len() <= 62, "{} rows", locked.len());
    assert_eq!(number_of(&app, "LOCKED_OUT").await, 1);
    assert_eq!(number_of(&app, "AUDIT_EVENTS_OMITTED").await, 0);
}

#[tokio::test]
async fn an_hour_at_a_locked_account_leaves_a_row_a_minute() {
    let settings = locking().set("lockout.account.failures", "1").set("lockout.account.lock", "24h");
    let app = TestApp::with(settings).await;
    app.user(ALICE).await;
    fail_to_log_in(&app.device("stranger"), 1).await;
    an_hour_leaves_a_row_a_minute(app, ALICE, "account").await;
}

#[tokio::test]
async fn an_hour_at_a_locked_account_that_there_is_not_leaves_as_much() {
    let settings = locking().set("lockout.account.failures", "1").set("lockout.account.lock", "24h");
    let app = TestApp::with(settings).await;
    fail_to_log_in(&app.device("stranger"), 1).await;
    an_hour_leaves_a_row_a_minute(app, ALICE, "account").await;
}

#[tokio::test]
async fn an_hour_from_a_locked_address_leaves_a_row_a_minute() {
    let app = TestApp::with(locking().set("lockout.credential_stuffing.accounts", "1")).await;
    fail_to_log_in(&app.device("stranger"), 1).await;
    an_hour_leaves_a_row_a_minute(app, "bob@example.com", "ip_address").await;
}

#[tokio::test]
async fn a_network_has_twenty_events_a_minute_and_the_rest_is_counted() {
    let app = TestApp::with(behind_a_proxy()).await;
    app.user(ALICE).await;
    app.advance(MINUTE);
    let stranger = app.device("stranger");
    fail_to_log_in(&at(&stranger, "203.0.113.7"), 30).await;
    // An IPv6 /64 is one network.
    for host in 0..25 {
        let device = at(&stranger, &format!("2001:db8:1:2::{host:x}"));
        device.register(&format!("somebody-{host}@example.com")).await.unwrap();
        refused(device.login_with(ALICE, "wrong").await);
    }
    fail_to_log_in(&at(&stranger, "203.0.113.8"), 20).await;
    assert_eq!(number_of(&app, "LOGIN_FAILED").await, 20 + 10 + 20);
    // One of them is Alice's own.
    assert_eq!(number_of(&app, "REGISTRATION_CREATED").await, 1 + 10);
    app.advance(MINUTE);
    let kinds = "REGISTRATION_CREATED=15,LOGIN_FAILED=25";
    let networks = "2001:db8:1:2::/64=30,203.0.113.7=10";
    assert_eq!(reports(&app, 1).await, [["NETWORK", "40", kinds, networks]]);
    fail_to_log_in(&at(&stranger, "203.0.113.7"), 1).await;
    assert_eq!(number_of(&app, "LOGIN_FAILED").await, 51);
}

#[tokio::test]
async fn many_networks_have_a_ceiling_together_which_what_matters_is_not_below() {
    let settings = locking().set("audit.events_per_network", "3").set("audit.events_in_all", "10");
    let app = TestApp::with(settings.set("lockout.account.failures", "30")).await;
    let root = administrator(&app).await;
    let alice = app.user(ALICE).await;
    let (mut phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    let registration = app.device("desk").register("bob@example.com").await.unwrap();
    let code = app.mailbox.next_to("bob@example.com").await.code();
    app.advance(MINUTE);
    let stranger = app.device("stranger");
    let first_token = phone.tokens.refresh_token.clone();
    phone.renew().await.unwrap();

    // A login each from twelve networks, then more from some of them; the last of them lock the account.
    for network in 0..12 {
        fail_to_log_in(&at(&stranger, &format!("203.0.113.{network}")), 1).await;
    }
    fail_to_log_in(&at(&stranger, "203.0.113.1"), 4).await;
    fail_to_log_in(&at(&stranger, "203.0.113.2"), 14).await;
    refused(at(&stranger, "203.0.113.3").login(ALICE).await).with(Code::ResourceExhausted, "LOCKED_OUT");

    // What changes state is on record, be it a stranger's doing or not, and so is what was refused to a caller.
    refused(answer(laptop.admin().list_users(ListUsersRequest::default()).await));
    app.device("desk").verify_email(&registration.registration_id, &code).await.unwrap();
    app.advance(Duration::from_secs(20));
    refused(phone.refresh(&first_token).await).with(Code::Unauthenticated, "TOKEN_REUSED");
    laptop.logout().await.unwrap();
    app.device("desk").login("bob@example.com").await.unwrap();
    root.revoke_user_sessions(&alice.user.user_id).await.unwrap();

    app.advance(MINUTE);
    let networks = "203.0.113.2=14,203.0.113.1=4,203.0.113.10=1,203.0.113.11=1";
    assert_eq!(reports(&app, 1).await, [["TOTAL", "20", "LOGIN_FAILED=20", networks]]);
    let [report] = of_kind(&root, Kind::AuditEventsOmitted).await.try_into().unwrap();
    assert_eq!((report.actor_type(), report.subject_type()), (ActorType::System, SubjectType::Unspecified));
    let start_time = report.details["start_time"].parse::<DateTime<Utc>>().unwrap();
    assert_eq!(start_time.timestamp(), report.create_time.unwrap().seconds);
    // The first that the lockout refused, too.
    let failed = told(&app, "LOGIN_FAILED", ["reason", "scope", "", ""]).await;
    assert_eq!(failed.iter().filter(|[reason, ..]| reason == "INVALID_CREDENTIALS").count(), 10);
    assert_eq!(
        failed
            .iter()
            .filter(|[reason, scope, ..]| (reason.as_str(), scope.as_str()) == ("LOCKED_OUT", "account"))
            .count(),
        1
    );
    let denied = async { while number_of(&app, "ACCESS_DENIED").await < 1 {} };
    within_patience("the denial to be on record", denied).await;
    for (kind, count) in [
        ("LOCKED_OUT", 1),
        ("EMAIL_VERIFIED", 2),
        ("TOKEN_REUSED", 1),
        ("LOGGED_OUT", 1),
        ("LOGIN_SUCCEEDED", 4),
        ("USER_SESSIONS_REVOKED", 1),
    ] {
        assert_eq!(number_of(&app, kind).await, count, "{kind}");
    }
}

#[tokio::test]
async fn each_replica_counts_by_itself_and_tells_when_it_stops() {
    let mut app = TestApp::with(behind_a_proxy()).await;
    let second = app.replica().await;
    let stranger = at(&app.device("stranger"), "203.0.113.7");
    fail_to_log_in(&stranger, 25).await;
    fail_to_log_in(&stranger.at(&second), 30).await;
    assert_eq!(number_of(&app, "LOGIN_FAILED").await, 40);
    second.stop().await;
    app.stop().await;
    let counts: Vec<_> = reports(&app, 2).await.into_iter().map(|[_, count, ..]| count).collect();
    assert_eq!(counts, ["10", "5"]);
    let tail = ["audit", "tail", "--kind", "audit_events_omitted"];
    let printed = keyward(app.settings(), &tail, "").await.out;
    let told = "count=10 kinds=LOGIN_FAILED=10 networks=203.0.113.7=10";
    assert!(printed.contains(told), "{printed}");
}

#[tokio::test]
async fn refusals_that_are_only_counted_do_not_ask_the_database_for_a_row() {
    let settings = locking().set("lockout.account.failures", "1").set("lockout.account.lock", "24h");
    let app = TestApp::with(settings).await;
    fail_to_log_in(&app.device("stranger"), 2).await;
    let client = app.database.client().await;
    client.batch_execute("ALTER TABLE audit_events RENAME TO elsewhere").await.unwrap();
    for _ in 0..3 {
        let refusal = refused(app.device("stranger").login_with(ALICE, PASSWORD).await);
        refusal.with(Code::ResourceExhausted, "LOCKED_OUT");
    }
    client.batch_execute("ALTER TABLE elsewhere RENAME TO audit_events").await.unwrap();
    app.advance(MINUTE);
    let counted = async {
        loop {
            let rows = told(&app, "LOGIN_FAILED", ["reason", "count", "", ""]).await;
            if rows.len() == 3 {
                return rows;
            }
        }
    };
    let rows = within_patience("the row of those that were counted", counted).await;
    assert_eq!(rows[2], ["LOCKED_OUT", "3", "", ""]);
}
