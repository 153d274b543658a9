//! GetAccount: the caller.

use std::time::Duration;

use keyward::proto::keyward::v1::user::State;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{TestApp, refused};

#[tokio::test]
async fn the_account_is_the_callers_own() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    assert_eq!(alice.user.last_login_time, None);
    app.user("bob@example.com").await.sign_in("phone").await;
    app.advance(Duration::from_mins(1));
    let phone = alice.sign_in("phone").await;

    let user = phone.get_account().await.unwrap();
    assert_eq!(user.user_id.parse::<Uuid>().unwrap().get_version_num(), 7);
    assert_eq!((user.email.as_str(), user.display_name.as_str()), ("alice@example.com", "Somebody"));
    assert_eq!((user.state(), user.roles.as_slice()), (State::Active, ["normal_user".to_owned()].as_slice()));
    assert_eq!(user.locale, "");
    let made = user.create_time.unwrap();
    assert_eq!((user.verify_time, user.update_time), (Some(made), Some(made)));
    // A login is no change of the account.
    assert_eq!(user.last_login_time.unwrap().seconds, made.seconds + 60);
}

#[tokio::test]
async fn the_language_is_that_of_the_registration() {
    let app = TestApp::start().await;
    let phone = app.device("phone").with("accept-language", "fr;q=0.3, de-ch, en;q=0.8");
    let registration = phone.register("alice@example.com").await.unwrap();
    let code = app.mailbox.next_to("alice@example.com").await.code();
    let user = phone.verify_email(&registration.registration_id, &code).await.unwrap().user.unwrap();
    assert_eq!(user.locale, "de-CH");
}

#[tokio::test]
async fn whoever_has_vanished_meanwhile_is_not_found() {
    let app = TestApp::start().await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    // Without the service's knowledge, as an operator would.
    app.database.client().await.execute("DELETE FROM users", &[]).await.unwrap();
    let refusal = refused(phone.get_account().await);
    refusal.with(Code::NotFound, "USER_NOT_FOUND");
}
