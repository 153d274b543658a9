//! Calls whose clients go away: neither does that get rid of a wrong guess, nor does it leave a failure behind that was none.

use tonic::Code;

use super::locking;
use crate::harness::{RedisServer, Settings, TestApp, refused, within_patience};

const ALICE: &str = "alice@example.com";

/// Hashing that takes long enough to go away in the middle of it.
fn slow() -> Settings {
    locking().set("passwords.memory_kib", "19456").set("passwords.iterations", "30").set("passwords.workers", "2")
}

/// Makes a login and goes away as soon as the attempt is counted, in the middle of whatever is done for it then.
async fn abandon<T>(app: &TestApp, login: impl Future<Output = T>, counted: &str) {
    let counted = async { while rows(app, counted).await == 0 {} };
    tokio::select! {
        _ = login => {}
        () = within_patience("the attempt to be counted", counted) => {}
    }
}

async fn rows(app: &TestApp, query: &str) -> i64 {
    app.database.client().await.query_one(query, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_counts_although_nobody_waits_for_the_answer() {
    let redis = RedisServer::start().await;
    for settings in [slow(), slow().set("redis.url", &redis.url())] {
        let app = TestApp::with(settings.set("lockout.operations.login.device_failures", "3")).await;
        app.user(ALICE).await;
        for n in 1..=3 {
            let counted = format!("SELECT count(*) FROM account_lockouts WHERE failures_in_a_row >= {n}");
            abandon(&app, app.device("phone").login_with(ALICE, "wrong"), &counted).await;
            let failed = "SELECT count(*) FROM audit_events WHERE kind = 'LOGIN_FAILED'";
            let counted = async { while rows(&app, failed).await < n {} };
            within_patience("the failure to be on record", counted).await;
        }
        assert_eq!(rows(&app, "SELECT max(failures_in_a_row)::bigint FROM account_lockouts").await, 3);
        let locked = async { while app.device("phone").login(ALICE).await.is_ok() {} };
        within_patience("the device to be locked out", locked).await;
        refused(app.device("phone").login(ALICE).await).with(Code::ResourceExhausted, "LOCKED_OUT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_leaves_no_failure_although_nobody_waits_for_the_answer() {
    let app = TestApp::with(slow().set("lockout.operations.login.device_failures", "2")).await;
    app.user(ALICE).await;
    for n in 1..=4 {
        abandon(&app, app.device("phone").login(ALICE), "SELECT count(*) FROM account_lockouts").await;
        let logged_in = "SELECT count(*) FROM audit_events WHERE kind = 'LOGIN_SUCCEEDED'";
        let done = async { while rows(&app, logged_in).await < n {} };
        within_patience("the login to end", done).await;
    }
    assert_eq!(rows(&app, "SELECT count(*) FROM account_lockouts").await, 0);
    app.device("phone").login(ALICE).await.unwrap();
}
