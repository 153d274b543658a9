//! UpdateAccount: the caller's name and language, by update mask (AIP-134).

use std::time::Duration;

use futures::future::join;
use keyward::proto::keyward::v1::user::State;
use keyward::proto::keyward::v1::{UpdateAccountRequest, User};
use tonic::Code;

use crate::harness::{SignedIn, TestApp, answer, refused};

fn profile(display_name: &str, locale: &str) -> User {
    User { display_name: display_name.to_owned(), locale: locale.to_owned(), ..User::default() }
}

async fn alice(app: &TestApp) -> SignedIn {
    app.user("alice@example.com").await.sign_in("phone").await
}

#[tokio::test]
async fn the_mask_says_what_changes() {
    let app = TestApp::start().await;
    let phone = alice(&app).await;
    let before = phone.get_account().await.unwrap();
    app.advance(Duration::from_secs(5));

    let user = phone.update_account(profile("Alice", "de-ch"), &["display_name"]).await.unwrap();
    assert_eq!((user.display_name.as_str(), user.locale.as_str()), ("Alice", ""));
    assert_eq!(user.update_time.unwrap().seconds, before.update_time.unwrap().seconds + 5);
    assert_eq!(user, User { display_name: user.display_name.clone(), update_time: user.update_time, ..before });

    let user = phone.update_account(profile("Not this", "de-ch"), &["locale"]).await.unwrap();
    assert_eq!((user.display_name.as_str(), user.locale.as_str()), ("Alice", "de-CH"));
    let user = phone.update_account(profile("Alicia", "pt-BR"), &["locale", "display_name"]).await.unwrap();
    assert_eq!((user.display_name.as_str(), user.locale.as_str()), ("Alicia", "pt-BR"));
    assert_eq!(phone.get_account().await.unwrap(), user);
}

#[tokio::test]
async fn without_a_mask_what_is_empty_stays() {
    let app = TestApp::start().await;
    let phone = alice(&app).await;
    let user = phone.update_account(profile("Alice", ""), &[]).await.unwrap();
    assert_eq!((user.display_name.as_str(), user.locale.as_str()), ("Alice", ""));
    let user = phone.update_account(profile("", "en"), &[]).await.unwrap();
    assert_eq!((user.display_name.as_str(), user.locale.as_str()), ("Alice", "en"));
    let user = phone.update_account(profile("", ""), &[]).await.unwrap();
    assert_eq!((user.display_name.as_str(), user.locale.as_str()), ("Alice", "en"));
    // Named in a mask, the empty language is the service's own; the empty name is none.
    let user = phone.update_account(profile("", ""), &["locale"]).await.unwrap();
    assert_eq!((user.display_name.as_str(), user.locale.as_str()), ("Alice", ""));
    refused(phone.update_account(profile("", ""), &["display_name"]).await)
        .with(Code::InvalidArgument, "FIELD_INVALID")
        .naming(&["user.display_name"]);
}

#[tokio::test]
async fn nothing_else_can_be_changed() {
    let app = TestApp::start().await;
    let phone = alice(&app).await;
    let before = phone.get_account().await.unwrap();
    let everything = User {
        user_id: "01890f5e-0000-7000-8000-000000000000".to_owned(),
        email: "mallory@example.com".to_owned(),
        roles: vec!["admin".to_owned()],
        state: State::Suspended.into(),
        ..before.clone()
    };
    assert_eq!(phone.update_account(everything.clone(), &["display_name"]).await.unwrap(), before);
    assert_eq!(phone.update_account(everything.clone(), &[]).await.unwrap(), before);
    for path in ["email", "roles", "state", "user_id", "user.display_name", "displayName", "*", ""] {
        refused(phone.update_account(everything.clone(), &["display_name", path]).await)
            .with(Code::InvalidArgument, "FIELD_INVALID")
            .naming(&["update_mask"]);
    }
    assert_eq!(phone.get_account().await.unwrap(), before);
}

#[tokio::test]
async fn what_is_not_valid_is_named_and_changes_nothing() {
    let app = TestApp::start().await;
    let phone = alice(&app).await;
    let before = phone.get_account().await.unwrap();
    for name in [&"x".repeat(101), " ", "a\u{0}b", "line\nbreak", "\u{7f}"] {
        refused(phone.update_account(profile(name, "en"), &["display_name", "locale"]).await)
            .with(Code::InvalidArgument, "FIELD_INVALID")
            .naming(&["user.display_name"]);
    }
    for locale in ["x", "en_US", "en-", "en--US", "english speaking", "en-abcdefgh-abcdefgh-abcdefgh-abcdefgh"] {
        refused(phone.update_account(profile("Alice", locale), &["display_name", "locale"]).await)
            .with(Code::InvalidArgument, "FIELD_INVALID")
            .naming(&["user.locale"]);
    }
    refused(answer(phone.account().update_account(UpdateAccountRequest::default()).await))
        .with(Code::InvalidArgument, "FIELD_INVALID")
        .naming(&["user"]);
    assert_eq!(phone.get_account().await.unwrap(), before);
}

#[tokio::test]
async fn two_updates_at_once_do_not_undo_each_other() {
    let app = TestApp::start().await;
    let phone = alice(&app).await;
    for round in 0..10 {
        let (name, locale) = (format!("Alice {round}"), if round % 2 == 0 { "en" } else { "fr" });
        let (one, other) = join(
            phone.update_account(profile(&name, ""), &["display_name"]),
            phone.update_account(profile("", locale), &["locale"]),
        )
        .await;
        one.unwrap();
        other.unwrap();
        let user = phone.get_account().await.unwrap();
        assert_eq!((user.display_name, user.locale.as_str()), (name, locale));
    }
}
