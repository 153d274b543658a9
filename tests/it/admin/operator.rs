//! `keyward users`: what an operator does at the command line, with the program itself.

use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tonic::Code;

use super::program::keyward;
use super::recorded;
use crate::harness::{TestApp, refused, within_patience};

/// Runs `keyward users` on the service's database, without a terminal.
async fn keyward_users(app: &TestApp, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.env_clear().stdin(Stdio::null()).arg("users").args(arguments);
    command.env("DATABASE_URL", app.database.url());
    // What it does needs no secret of the service's, but the start asks for the one that its keys are sealed under.
    command.env("KEYWARD_MASTER_KEY", app.master_key());
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    within_patience("the program to end", running).await.unwrap()
}

async fn printed(app: &TestApp, arguments: &[&str]) -> String {
    let output = keyward_users(app, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn json(app: &TestApp, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(app, &[arguments, &["--json"]].concat()).await).unwrap()
}

async fn refusal(app: &TestApp, arguments: &[&str]) -> String {
    let output = keyward_users(app, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn users_are_listed_and_shown() {
    let app = TestApp::start().await;
    app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let table = printed(&app, &["list"]).await;
    let lines: Vec<_> = table.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("ID ") && lines[0].contains("LAST LOGIN"), "{table}");
    assert!(lines[1..].iter().any(|line| line.starts_with(&alice.user.user_id) && line.contains("never")), "{table}");
    let admins = json(&app, &["list", "--role", "admin", "--state", "active"]).await;
    assert_eq!((admins[0]["email"].as_str(), admins.as_array().unwrap().len()), (Some("root@example.com"), 1));
    assert_eq!(
        json(&app, &["list", "--query", "ALI", "--limit", "1"]).await[0]["user_id"],
        alice.user.user_id.as_str()
    );
    for target in [alice.user.user_id.as_str(), "Alice@Example.com"] {
        assert_eq!(json(&app, &["show", target]).await["email"], "alice@example.com");
        assert!(printed(&app, &["show", target]).await.contains("alice@example.com"));
    }
    assert!(refusal(&app, &["show", "bob@example.com"]).await.contains("no such user"));
}

#[tokio::test]
async fn an_operator_acts_and_it_is_on_record() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let mut phone = alice.sign_in("phone").await;
    let email = alice.email();
    assert_eq!(json(&app, &["sessions", email]).await[0]["device_id"], "phone");
    assert!(printed(&app, &["sessions", email]).await.contains("phone"));

    assert_eq!(json(&app, &["suspend", email]).await["state"], "SUSPENDED");
    // The program has the machine's time and not the test's, and so its revocations have expired here; the session has ended.
    refused(phone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    assert_eq!(json(&app, &["sessions", email]).await, serde_json::json!([]));
    assert_eq!(json(&app, &["reinstate", email]).await["state"], "ACTIVE");

    assert_eq!(printed(&app, &["roles", email]).await, "normal_user\n");
    let roles = json(&app, &["roles", email, "--give", "business_user", "--take", "normal_user"]).await;
    assert_eq!(roles, serde_json::json!(["business_user"]));
    assert_eq!(
        json(&app, &["roles", email, "--set", "normal_user,admin"]).await,
        serde_json::json!(["admin", "normal_user"])
    );
    assert!(refusal(&app, &["roles", email, "--give", "wizard"]).await.contains("no role wizard"));

    app.advance(std::time::Duration::from_secs(1));
    alice.sign_in("phone").await;
    let revoked = printed(&app, &["sessions", email, "--revoke"]).await;
    assert!(revoked.starts_with("ended 1 session"), "{revoked}");
    alice.sign_in("phone").await;
    let revoked = json(&app, &["sessions", email, "--revoke"]).await;
    assert_eq!(revoked, serde_json::json!({ "user_id": alice.user.user_id, "revoked_count": 1 }));
    let unasked = keyward_users(&app, &["delete", email]).await;
    assert!(
        unasked.status.code() == Some(2) && String::from_utf8_lossy(&unasked.stderr).contains("--yes"),
        "{unasked:?}"
    );
    admin.get_user(&alice.user.user_id).await.unwrap();
    assert!(printed(&app, &["delete", email, "--yes"]).await.contains(&alice.user.user_id));
    refused(admin.get_user(&alice.user.user_id).await).with(Code::NotFound, "USER_NOT_FOUND");
    assert!(refusal(&app, &["delete", "root@example.com", "--yes"]).await.contains("last administrator"));

    let recorded = recorded(&app, &alice.user.user_id).await;
    let by_operator: Vec<_> =
        recorded.iter().filter(|(_, actor, _)| actor == "OPERATOR").map(|(kind, ..)| kind.as_str()).collect();
    assert_eq!(
        by_operator,
        [
            "USER_SUSPENDED",
            "USER_REINSTATED",
            "USER_ROLES_SET",
            "USER_ROLES_SET",
            "USER_SESSIONS_REVOKED",
            "USER_SESSIONS_REVOKED",
            "USER_DELETED"
        ]
    );
}

#[tokio::test]
async fn what_has_been_done_is_told_to_programs_as_well() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let deleted = json(&app, &["delete", alice.email(), "--yes"]).await;
    assert_eq!(deleted, serde_json::json!({ "user_id": alice.user.user_id }));
}

#[tokio::test]
async fn networks_are_a_table_as_well() {
    let app = TestApp::start().await;
    let reason = ["network", "block", "192.0.2.0/24", "--reason", "ticket 7"];
    for rule in [&reason[..], &["network", "allow", "2001:db8::/32", "--for", "30d"]] {
        assert_eq!(keyward(&app.settings, rule, "").await.code, Some(0));
    }
    let ran = keyward(&app.settings, &["network", "list"], "").await;
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(
        lines.len() == 3 && lines[0].starts_with("ID ") && lines[0].ends_with("EXPIRES               REASON"),
        "{ran:?}"
    );
    assert!(lines[2].contains("  never ") && lines[2].ends_with("ticket 7"), "{ran:?}");
}

#[tokio::test]
async fn an_address_that_is_none_is_wrong_usage() {
    let app = TestApp::start().await;
    for wrong in [&["--email", "bad"][..], &["--email", "root@example.com", "--display-name", " "]] {
        let ran = keyward(&app.settings, &[&["admin", "create"], wrong].concat(), "seven lamps over the canal").await;
        assert_eq!(ran.code, Some(2), "{ran:?}");
    }
}
