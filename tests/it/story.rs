//! The main job from end to end, as one person lives it.

use std::time::Duration;

use tonic::Code;

use crate::harness::{PASSWORD, SignedIn, TestApp, refused};

const ALICE: &str = "alice@example.com";

#[tokio::test]
async fn alice_registers_signs_in_on_two_devices_and_leaves() {
    let app = TestApp::start().await;
    let phone = app.device("alice-phone");

    // She registers, and proves her address with the code from the mail.
    let registration = phone.register_as("Alice@Example.com", PASSWORD, "Alice").await.unwrap();
    refused(phone.login(ALICE).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    let mail = app.mailbox.next_to(ALICE).await;
    assert!(!mail.subject.contains(&mail.code()), "the code stands in the subject: {mail:?}");
    let verified = phone.verify_email(&registration.registration_id, &mail.code()).await.unwrap();
    let user = verified.user.unwrap();
    assert_eq!((user.email.as_str(), user.display_name.as_str()), (ALICE, "Alice"));
    assert_eq!(user.roles, ["normal_user"]);
    assert!(app.mailbox.next_to(ALICE).await.subject.starts_with("Welcome"));

    // She signs in on her phone, which the account knows from the registration, and on a laptop, of which she is told.
    let mut phone = SignedIn::new(phone.clone(), phone.login(ALICE).await.unwrap());
    app.advance(Duration::from_secs(1));
    let laptop = app.device("alice-laptop");
    let mut laptop = SignedIn::new(laptop.clone(), laptop.login(ALICE).await.unwrap());
    assert!(app.mailbox.next_to(ALICE).await.text.contains("on a device for the first time"));
    assert_eq!(phone.get_account().await.unwrap().user_id, user.user_id);

    // Her access token lives for three minutes, and her session for as long as she comes back.
    app.advance(Duration::from_mins(4));
    refused(phone.get_account().await).with(Code::Unauthenticated, "TOKEN_EXPIRED");
    let before = phone.tokens.refresh_token.clone();
    phone.renew().await.unwrap();
    assert_ne!(phone.tokens.refresh_token, before);
    let sessions = phone.list_sessions().await.unwrap();
    let seen: Vec<_> = sessions.iter().map(|session| (session.device_id.as_str(), session.current)).collect();
    assert_eq!(seen, [("alice-laptop", false), ("alice-phone", true)]);

    // The laptop logs out, and is out at once; the phone stays.
    laptop.renew().await.unwrap();
    laptop.logout().await.unwrap();
    refused(laptop.list_sessions().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(laptop.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    assert_eq!(phone.list_sessions().await.unwrap().len(), 1);

    app.all_mail_delivered().await;
    assert!(app.mailbox.unread_of(ALICE).is_empty());
}
