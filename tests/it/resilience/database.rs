//! PostgreSQL away, back again, or cut off in the middle: nothing is blamed on the caller, and nothing is lost.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::{join, join_all};
use keyward::model::id::ResetId;
use keyward::proto::keyward::v1::User;
use keyward::token::reset::ResetToken;
use secrecy::ExposeSecret;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{Device, PASSWORD, Refusal, Settings, SignedIn, TestApp, refused, within_patience};

const NEW: &str = "eleven herons on a barge";

/// Calls do not wait long for a connection, and tokens can be checked without one.
fn impatient() -> Settings {
    Settings::default().set("database.acquire_timeout", "1s").set("revocations.max_age", "1m")
}

/// Calls until the service can serve again.
async fn recovered(device: &Device) {
    let recovered = async { while device.get_account().await.is_err() {} };
    within_patience("the service to recover", recovered).await;
}

/// What every method that needs the database has to say, by its name.
async fn call_everything(
    device: &Device,
    phone: &SignedIn,
    email: &str,
    reset_token: &str,
) -> Vec<(&'static str, Result<(), Refusal>)> {
    let id = Uuid::new_v4().to_string();
    let name = User { display_name: "Alice".to_owned(), ..User::default() };
    vec![
        ("Register", device.register("new@example.com").await.map(drop)),
        ("ResendVerificationCode", device.resend_code(&id).await.map(drop)),
        ("VerifyEmail", device.verify_email(&id, "123456").await.map(drop)),
        ("Login", device.login(email).await.map(drop)),
        ("Login with a wrong password", device.login_with(email, "wrong").await.map(drop)),
        ("Login with an unknown address", device.login("nobody@example.com").await.map(drop)),
        ("RefreshTokens", phone.refresh(&phone.tokens.refresh_token).await.map(drop)),
        ("RequestPasswordReset", device.request_password_reset(email).await.map(drop)),
        ("VerifyPasswordResetCode", device.verify_reset_code(&id, "123456").await.map(drop)),
        ("ResetPassword", device.reset_password(reset_token, NEW).await),
        ("ListSessions", phone.list_sessions().await.map(drop)),
        ("RevokeSession", phone.revoke_session(&phone.session.session_id).await),
        ("RevokeAllSessions", phone.revoke_all_sessions(false).await.map(drop)),
        ("Logout", phone.logout().await),
        ("GetAccount", phone.get_account().await.map(drop)),
        ("UpdateAccount", phone.update_account(name, &[]).await.map(drop)),
        ("ChangePassword", phone.change_password(PASSWORD, NEW).await),
        ("ChangePassword with a wrong one", phone.change_password("wrong", NEW).await),
        ("DeleteAccount", phone.delete_account(PASSWORD).await),
    ]
}

#[tokio::test]
async fn every_method_says_that_the_database_is_away_and_recovers_with_it() {
    let app = TestApp::with(impatient()).await;
    let alice = app.user("alice@example.com").await;
    let mut phone = alice.sign_in("phone").await;
    let device = app.device("laptop");

    let reset_token = ResetToken { reset_id: ResetId::new(app.now()) }.issue(&app.first().app.master);
    app.database.go_away().await;
    let results = call_everything(&device, &phone, alice.email(), reset_token.expose_secret()).await;
    for (method, result) in results {
        let refusal = result.expect_err(method);
        assert_eq!(
            (refusal.status().code(), refusal.reason()),
            (Code::Unavailable, "DATABASE_UNAVAILABLE"),
            "{method}"
        );
        assert!(!refusal.retry_after().is_zero(), "{method}");
    }
    // What shows without the database is told as ever.
    refused(phone.refresh("forged").await).with(Code::Unauthenticated, "TOKEN_INVALID");
    refused(device.get_account().await).with(Code::Unauthenticated, "TOKEN_MISSING");

    app.database.come_back().await;
    recovered(&phone).await;
    assert_eq!(phone.list_sessions().await.unwrap(), std::slice::from_ref(&phone.session));
    phone.renew().await.unwrap();
    device.login(alice.email()).await.unwrap();
    assert_eq!(phone.get_account().await.unwrap().display_name, "Somebody");
}

#[tokio::test]
async fn an_attempt_at_a_code_is_not_spent_while_the_database_is_away() {
    let app = TestApp::with(impatient().set("codes.attempts", "1")).await;
    let phone = app.device("phone");
    let registration = phone.register("alice@example.com").await.unwrap();
    let code = app.mailbox.next_to("alice@example.com").await.code();
    app.database.go_away().await;
    for _ in 0..3 {
        let refusal = refused(phone.verify_email(&registration.registration_id, &code).await);
        refusal.with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    }
    app.database.come_back().await;
    let verified = async {
        loop {
            match phone.verify_email(&registration.registration_id, &code).await {
                Ok(verified) => return verified,
                Err(refusal) => refusal.with(Code::Unavailable, "DATABASE_UNAVAILABLE"),
            };
        }
    };
    let user = within_patience("the registration to be verified", verified).await.user.unwrap();
    assert_eq!(user.email, "alice@example.com");
}

#[tokio::test]
async fn connections_cut_under_load_cost_some_calls_and_no_session() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let phones = join_all(["one", "two", "three", "four"].map(|device_id| alice.sign_in(device_id))).await;
    let witness = alice.sign_in("witness").await;
    let cutting = AtomicBool::new(true);
    let load = phones.into_iter().map(async |mut phone| {
        while cutting.load(Ordering::Relaxed) {
            // A lost answer is asked for again with the same token, and comes.
            for outcome in [phone.renew().await, phone.list_sessions().await.map(drop)] {
                if let Err(refusal) = outcome {
                    refusal.with(Code::Unavailable, "DATABASE_UNAVAILABLE");
                }
            }
        }
        phone
    });
    let cuts = async {
        for _ in 0..5 {
            app.database.cut_connections().await;
            recovered(&witness).await;
        }
        cutting.store(false, Ordering::Relaxed);
    };
    let (phones, ()) = join(join_all(load), cuts).await;
    for mut phone in phones {
        phone.renew().await.unwrap();
        assert_eq!(phone.list_sessions().await.unwrap().len(), 5);
    }
}

#[tokio::test]
async fn a_change_that_is_cut_off_is_made_wholly_or_not_at_all() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    let watcher = app.database.client().await;
    let mut client = app.database.client().await;
    // The change gets as far as the sessions, and waits there.
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let cut = async {
        let waiting =
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waits = async {
            loop {
                if let Some(row) = watcher.query_opt(waiting, &[]).await.unwrap() {
                    return row.get::<_, i32>(0);
                }
            }
        };
        let pid = within_patience("the change to wait", waits).await;
        watcher.execute("SELECT pg_terminate_backend($1, 30000)", &[&pid]).await.unwrap();
        tx.rollback().await.unwrap();
    };
    let (changed, ()) = join(phone.change_password(PASSWORD, NEW), cut).await;
    refused(changed).with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    laptop.get_account().await.unwrap();
    app.device("tablet").login(alice.email()).await.unwrap();
    phone.change_password(PASSWORD, NEW).await.unwrap();
}
