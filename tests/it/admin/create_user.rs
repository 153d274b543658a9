//! CreateUser: with a password, or by an invitation.

use std::time::Duration;

use keyward::proto::keyward::v1::CreateUserRequest;
use keyward::proto::keyward::v1::user::State;
use tonic::Code;

use super::recorded;
use crate::harness::{PASSWORD, Settings, TestApp, answer, refused};

/// What an invitation holds: the reset and its code, each on a line of its own.
fn invitation(text: &str) -> (String, String) {
    let lines = || text.lines().map(str::trim);
    let reset_id = lines().find_map(|line| line.strip_prefix("Invitation:")).unwrap().trim().to_owned();
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    let codes: Vec<_> = lines().filter(is_code).collect();
    let [code] = codes.as_slice() else { panic!("not one code in {text}") };
    (reset_id, (*code).to_owned())
}

#[tokio::test]
async fn a_user_with_a_password_logs_in_at_once() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let user = admin.create_user("Alice@Example.com", PASSWORD).await.unwrap();
    assert_eq!((user.email.as_str(), user.display_name.as_str()), ("alice@example.com", "Somebody"));
    assert_eq!((user.state(), user.roles.as_slice()), (State::Active, &["normal_user".to_owned()][..]));
    assert_eq!(user.verify_time, user.create_time);
    assert_eq!(user.last_login_time, None);
    app.device("phone").login("alice@example.com").await.unwrap();
    let (kind, actor, details) = recorded(&app, &user.user_id).await.remove(0);
    assert_eq!((kind.as_str(), actor), ("USER_CREATED", admin.get_account().await.unwrap().user_id));
    assert_eq!(details, serde_json::json!({"invited": "false"}));
}

#[tokio::test]
async fn what_cannot_be_created_is_refused() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    app.user("alice@example.com").await;
    for password in [PASSWORD, ""] {
        refused(admin.create_user("ALICE@example.com", password).await).with(Code::AlreadyExists, "EMAIL_TAKEN");
    }
    refused(admin.create_user("bob@example.com", "password1").await).with(Code::InvalidArgument, "PASSWORD_REJECTED");
    refused(admin.create_user("bob", PASSWORD).await).with(Code::InvalidArgument, "FIELD_INVALID").naming(&["email"]);
    let nameless = CreateUserRequest { email: "bob@example.com".to_owned(), ..CreateUserRequest::default() };
    refused(answer(admin.admin().create_user(nameless).await))
        .with(Code::InvalidArgument, "FIELD_INVALID")
        .naming(&["display_name"]);
    app.all_mail_delivered().await;
    assert!(
        app.mailbox.unread_of("bob@example.com").is_empty() && app.mailbox.unread_of("alice@example.com").is_empty()
    );
}

#[tokio::test]
async fn an_invited_user_sets_a_password_with_what_the_mail_says() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let user = admin.create_user("alice@example.com", "").await.unwrap();
    let mail = app.mailbox.next_to("alice@example.com").await;
    assert!(mail.text.contains("Hello Somebody") && mail.text.contains("3 days"), "{mail:?}");
    assert!(!mail.text.contains("://"), "{mail:?}");
    let (reset_id, code) = invitation(&mail.text);
    assert!(mail.html.contains(&reset_id) && mail.html.contains(&code));
    let device = app.device("phone");
    for password in ["", PASSWORD] {
        let login = device.login_with("alice@example.com", password).await;
        assert_ne!(refused(login).reason(), "USER_SUSPENDED");
    }

    // It is good for days, and once.
    app.advance(Duration::from_hours(71));
    let allowed = device.verify_reset_code(&reset_id, &code).await.unwrap();
    refused(app.device("laptop").verify_reset_code(&reset_id, &code).await)
        .with(Code::FailedPrecondition, "CODE_EXPIRED");
    device.reset_password(&allowed.reset_token, PASSWORD).await.unwrap();
    let login = device.login("alice@example.com").await.unwrap();
    assert_eq!(login.user.unwrap().user_id, user.user_id);
}

#[tokio::test]
async fn an_invitation_expires_and_its_code_is_not_guessed() {
    let app = TestApp::with(Settings::default().set("codes.invitation_ttl", "2h")).await;
    let admin = app.administrator("root@example.com").await;
    admin.create_user("alice@example.com", "").await.unwrap();
    let (reset_id, code) = invitation(&app.mailbox.next_to("alice@example.com").await.text);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let device = app.device("phone");
    for _ in 0..5 {
        refused(device.verify_reset_code(&reset_id, wrong).await).with(Code::InvalidArgument, "CODE_INVALID");
    }
    refused(device.verify_reset_code(&reset_id, &code).await).with(Code::FailedPrecondition, "CODE_ATTEMPTS_EXHAUSTED");

    admin.create_user("bob@example.com", "").await.unwrap();
    let (reset_id, code) = invitation(&app.mailbox.next_to("bob@example.com").await.text);
    app.advance(Duration::from_hours(2));
    refused(device.verify_reset_code(&reset_id, &code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    // Whoever comes late asks for a new password, as the mail says.
    let reset = device.request_password_reset("bob@example.com").await.unwrap();
    let code = app.mailbox.next_to("bob@example.com").await.code();
    let allowed = device.verify_reset_code(&reset.reset_id, &code).await.unwrap();
    device.reset_password(&allowed.reset_token, PASSWORD).await.unwrap();
    device.login("bob@example.com").await.unwrap();
}

#[tokio::test]
async fn with_a_page_for_it_an_invitation_has_a_link() {
    let settings = Settings::default().set("mail.invitation_url", "https://app.example/welcome?theme=dark");
    let app = TestApp::with(settings).await;
    let admin = app.administrator("root@example.com").await;
    admin.create_user("alice@example.com", "").await.unwrap();
    let mail = app.mailbox.next_to("alice@example.com").await;
    let (reset_id, code) = invitation(&mail.text);
    let link = format!("https://app.example/welcome?theme=dark&reset_id={reset_id}");
    assert!(mail.text.lines().any(|line| line.trim() == link), "{mail:?}");
    assert!(mail.html.contains(&format!("href=\"{}\"", link.replace('&', "&amp;"))), "{mail:?}");
    // What is in a link stays in histories and logs.
    assert!(!link.contains(&code));
}

#[tokio::test]
async fn a_registration_under_way_loses_to_the_administrator() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let device = app.device("phone");
    let registration = device.register("alice@example.com").await.unwrap();
    let code = app.mailbox.next_to("alice@example.com").await.code();
    let user = admin.create_user("alice@example.com", "eleven herons on a barge").await.unwrap();
    refused(device.verify_email(&registration.registration_id, &code).await)
        .with(Code::FailedPrecondition, "CODE_EXPIRED");
    let login = device.login_with("alice@example.com", "eleven herons on a barge").await.unwrap();
    assert_eq!(login.user.unwrap().user_id, user.user_id);
}
