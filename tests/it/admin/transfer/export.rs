//! Out: everybody, in a form that comes in again.

use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;

use super::{ADA, import, on_record, summary};
use crate::admin::program::{keyward, program};
use crate::harness::{TestApp, within_patience};

#[tokio::test]
async fn what_goes_out_comes_in_again_elsewhere() {
    let app = TestApp::start().await;
    // More than a page of them.
    let mut lines =
        format!("{ADA}\n{}\n", r#"{"email":"eve@example.com","state":"SUSPENDED","roles":["business_user"]}"#);
    for number in 0..1200 {
        writeln!(lines, r#"{{"email":"user{number}@example.com"}}"#).unwrap();
    }
    import(&app, &lines, &[]).await;
    app.user("alice@example.com").await;
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("users.jsonl");
    let export = ["users", "export", file.to_str().unwrap(), "--with-password-hashes", "--json"];
    let ran = keyward(&app.settings, &export, "").await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "{\"users\":1203}\n"), "{ran:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let exported = std::fs::read_to_string(&file).unwrap();
    assert!(exported.contains(ADA), "{exported}");
    assert_eq!(on_record(&app, "USERS_EXPORTED").await, [r#"OPERATOR {"users": "1203", "password_hashes": "true"}"#]);

    let elsewhere = TestApp::start().await;
    // Alice came to be in 2030, where the tests' clock stands, and the program has the machine's.
    let of_now = exported.replace(":\"2030-", ":\"2020-");
    let ran = import(&elsewhere, &of_now, &["--json"]).await;
    assert_eq!((ran.code, summary(&ran)), (Some(0), (1203, 0, 0)), "{ran:?}");
    let ran = keyward(&elsewhere.settings, &["users", "export", "-", "--with-password-hashes"], "").await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out == of_now, "it comes out otherwise than it went in");
    elsewhere.device("phone").login("alice@example.com").await.unwrap();
    elsewhere.device("phone").login("ada@example.com").await.unwrap();
}

#[tokio::test]
async fn password_hashes_leave_only_when_asked_for() {
    let app = TestApp::start().await;
    import(&app, ADA, &[]).await;
    let ran = keyward(&app.settings, &["users", "export", "-"], "").await;
    let (without, _) = ADA.split_once(",\"password_hash\"").unwrap();
    assert_eq!((ran.code, ran.out), (Some(0), format!("{without}}}\n")), "{}", ran.err);
    assert_eq!(on_record(&app, "USERS_EXPORTED").await, [r#"OPERATOR {"users": "1", "password_hashes": "false"}"#]);
}

#[tokio::test]
async fn a_file_that_is_there_is_not_written_over() {
    let app = TestApp::start().await;
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("users.jsonl");
    std::fs::write(&file, "precious").unwrap();
    let ran = keyward(&app.settings, &["users", "export", file.to_str().unwrap()], "").await;
    assert!(ran.code == Some(1) && ran.err.contains("cannot write"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    let ran = keyward(&app.settings, &["users", "export", "-", "--json"], "").await;
    assert!(ran.code == Some(2) && ran.out.is_empty() && ran.err.contains("--json needs a file"), "{ran:?}");
}

#[tokio::test]
async fn an_export_that_fails_leaves_no_file_behind() {
    let app = TestApp::start().await;
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("users.jsonl");
    app.database.client().await.batch_execute("ALTER TABLE users RENAME TO hidden").await.unwrap();
    let ran = keyward(&app.settings, &["users", "export", file.to_str().unwrap()], "").await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(names_in(&directory), [""; 0]);
}

#[tokio::test]
async fn an_export_that_is_ended_leaves_no_file_of_that_name() {
    let app = TestApp::start().await;
    for (signal, code, left) in [("TERM", Some(1), 0), ("INT", Some(1), 0), ("KILL", None, 1)] {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("users.jsonl");
        // Nobody gets to the users, so that the export does not end by itself.
        let mut client = app.database.client().await;
        let blocking = client.transaction().await.unwrap();
        blocking.batch_execute("LOCK TABLE users").await.unwrap();
        let mut command = program(&app.settings, &["users", "export", file.to_str().unwrap()]);
        let mut child = command.spawn().unwrap();
        within_patience("the export to begin", async {
            while names_in(&directory).is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let id = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        let waiting = tokio::task::spawn_blocking(move || child.wait().unwrap());
        let status = within_patience("the program to end", waiting).await.unwrap();
        assert_eq!((status.code(), names_in(&directory).len(), file.exists()), (code, left, false), "{signal}");
    }
}

fn names_in(directory: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(directory.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
