//! `keyward audit tail`, as an operator runs it.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::admin::program::keyward;
use crate::harness::{TestApp, within_patience};

/// The program with these arguments, on the service's database.
fn tail(app: &TestApp, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.args(["audit", "tail"]).args(arguments).env_clear().stdout(Stdio::piped()).kill_on_drop(true);
    command.envs(app.settings().environment()).spawn().unwrap()
}

/// What it prints until its end.
async fn printed(app: &TestApp, arguments: &[&str]) -> Vec<String> {
    let output = within_patience("the program to end", tail(app, arguments).wait_with_output()).await.unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_latest_events_are_printed_the_oldest_first() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    app.advance(std::time::Duration::from_secs(1));
    alice.sign_in("phone").await;
    let user_id = alice.user.user_id.as_str();

    let lines = printed(&app, &["--subject", user_id]).await;
    let [verified, login] = lines.as_slice() else { panic!("not two: {lines:?}") };
    assert!(verified.starts_with("2030-01-01T12:00:00.000Z  EMAIL_VERIFIED   anonymous"), "{verified}");
    let by = format!("LOGIN_SUCCEEDED  user {user_id}  user {user_id}  127.0.0.1 phone  session_id=");
    assert!(login.starts_with(&format!("2030-01-01T12:00:01.000Z  {by}")), "{login}");

    let lines =
        printed(&app, &["--json", "--kind", "login_succeeded", "--kind", "LOGIN_SUCCEEDED", "--actor", user_id]).await;
    let [line] = lines.as_slice() else { panic!("not one: {lines:?}") };
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((event["kind"].as_str(), event["subject_type"].as_str()), (Some("LOGIN_SUCCEEDED"), Some("USER")));
    assert_eq!((event["actor_id"].as_str(), event["device_id"].as_str()), (Some(user_id), Some("phone")));
    assert_eq!(printed(&app, &["--lines", "1"]).await.len(), 1);
}

#[tokio::test]
async fn it_follows_the_trail() {
    let app = TestApp::start().await;
    app.user("alice@example.com").await;
    let mut child = tail(&app, &["--follow", "--json", "-n", "1"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut kind = async || {
        let line = within_patience("a line", lines.next_line()).await.unwrap().unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["kind"].as_str().unwrap().to_owned()
    };
    kind().await;
    app.device("desk").login("nobody@example.com").await.unwrap_err();
    assert_eq!(kind().await, "LOGIN_FAILED");
    app.device("desk").login("alice@example.com").await.unwrap();
    assert_eq!(kind().await, "LOGIN_SUCCEEDED");
}

#[tokio::test]
async fn it_looks_back_as_far_as_calendars_go_and_no_further() {
    let app = TestApp::start().await;
    app.user("alice@example.com").await;
    assert_eq!(printed(&app, &["--since", "36500d"]).await.len(), 2);
    for since in ["36501d", "99999999d", "yesterday"] {
        let ran = keyward(app.settings(), &["audit", "tail", "--since", since], "").await;
        assert_eq!(ran.code, Some(2), "{ran:?}");
    }
}
