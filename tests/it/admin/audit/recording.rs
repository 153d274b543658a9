//! What happens goes on record once, with who did it, from where, and nothing that ought to stay secret.

use keyward::flows::networks::{self, NewRule, Target};
use std::time::Duration;

use keyward::model::audit::Act;
use keyward::model::line::Remark;
use keyward::model::network::NetworkAction;
use keyward::proto::keyward::v1::AuditEvent;
use keyward::proto::keyward::v1::User;
use keyward::proto::keyward::v1::audit_event::{ActorType, Kind, SubjectType};
use tonic::Code;

use super::{details, of_kind};
use crate::admin::administrator;
use crate::harness::{Device, PASSWORD, Settings, SignedIn, TestApp, refused};

const ALICE: &str = "alice@example.com";
const OTHER_PASSWORD: &str = "eleven herons on a barge";

/// The one event of a kind.
async fn the(device: &Device, kind: Kind) -> AuditEvent {
    let [event] = of_kind(device, kind).await.try_into().unwrap();
    event
}

/// That an event is about this and was done by this user, or by somebody who is not known.
#[track_caller]
fn assert_by(event: &AuditEvent, actor_id: Option<&str>, subject: (SubjectType, &str)) {
    let actor_type = if actor_id.is_some() { ActorType::User } else { ActorType::Anonymous };
    assert_eq!((event.actor_type(), event.actor_id.as_str()), (actor_type, actor_id.unwrap_or_default()), "{event:?}");
    assert_eq!((event.subject_type(), event.subject_id.as_str()), subject, "{event:?}");
}

/// That an event came from this call of this device.
#[track_caller]
fn assert_from(event: &AuditEvent, device_id: &str, request_id: &str) {
    let from = (event.ip_address.as_str(), event.device_id.as_str(), event.request_id.as_str());
    assert_eq!(from, ("127.0.0.1", device_id, request_id), "{event:?}");
}

/// A device whose calls have this request id.
fn calling(device: &Device, request_id: &str) -> Device {
    device.clone().with("x-request-id", request_id)
}

#[tokio::test]
async fn the_way_to_an_account_and_into_it() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let desk = app.device("desk");
    let registration = calling(&desk, "r-1").register(ALICE).await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    let user_id = calling(&desk, "r-2").verify_email(&registration, &code).await.unwrap().user.unwrap().user_id;
    refused(calling(&desk, "r-3").login_with(ALICE, OTHER_PASSWORD).await);
    let session = calling(&desk, "r-4").login(ALICE).await.unwrap().session.unwrap();

    let created = the(&root, Kind::RegistrationCreated).await;
    assert_by(&created, None, (SubjectType::Registration, &registration));
    assert_from(&created, "desk", "r-1");
    let verified = the(&root, Kind::EmailVerified).await;
    assert_by(&verified, None, (SubjectType::User, &user_id));
    assert_from(&verified, "desk", "r-2");
    assert_eq!(details(&verified), [("registration_id", registration.as_str())]);
    let failed = the(&root, Kind::LoginFailed).await;
    assert_by(&failed, None, (SubjectType::User, &user_id));
    assert_from(&failed, "desk", "r-3");
    assert_eq!(details(&failed), [("reason", "INVALID_CREDENTIALS")]);
    let logins = of_kind(&root, Kind::LoginSucceeded).await;
    let login = logins.iter().find(|login| login.actor_id == user_id).unwrap();
    assert_eq!(logins.len(), 2, "hers and the administrator's");
    assert_by(login, Some(&user_id), (SubjectType::User, &user_id));
    assert_from(login, "desk", "r-4");
    assert_eq!(details(login), [("session_id", session.session_id.as_str())]);
    assert_eq!(login.create_time, session.create_time);
    assert_eq!(login.audit_event_id.as_bytes()[14], b'7', "{}", login.audit_event_id);
}

#[tokio::test]
async fn a_login_to_no_account_is_about_nothing() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    refused(calling(&app.device("desk"), "r-1").login(ALICE).await);
    let failed = the(&root, Kind::LoginFailed).await;
    assert_by(&failed, None, (SubjectType::Unspecified, ""));
    assert_from(&failed, "desk", "r-1");
    assert_eq!(details(&failed), [("reason", "INVALID_CREDENTIALS")]);
}

#[tokio::test]
async fn a_suspended_user_with_the_right_password_has_failed_too() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let alice = app.user(ALICE).await;
    app.database
        .client()
        .await
        .execute("UPDATE users SET state = 'SUSPENDED' WHERE email = $1", &[&ALICE])
        .await
        .unwrap();
    refused(app.device("desk").login(ALICE).await).with(Code::PermissionDenied, "USER_SUSPENDED");
    let failed = the(&root, Kind::LoginFailed).await;
    assert_by(&failed, None, (SubjectType::User, &alice.user.user_id));
    assert_eq!(details(&failed), [("reason", "USER_SUSPENDED")]);
}

#[tokio::test]
async fn sessions_that_make_room_or_are_replaced() {
    let app = TestApp::with(Settings::default().set("sessions.max_devices", "1")).await;
    let root = administrator(&app).await;
    let alice = app.user(ALICE).await;
    let user_id = alice.user.user_id.as_str();
    let phone = alice.sign_in("phone").await;
    let laptop = alice.sign_in("laptop").await;
    assert_eq!(laptop.evicted.len(), 1);
    calling(&app.device("laptop"), "r-9").login(ALICE).await.unwrap();

    let evicted = the(&root, Kind::SessionEvicted).await;
    assert_by(&evicted, Some(user_id), (SubjectType::Session, &phone.session.session_id));
    assert_eq!(details(&evicted), [("reason", "EVICTED"), ("user_id", user_id)]);
    assert_eq!(evicted.device_id, "laptop", "who took the place");
    assert_eq!(evicted.audit_event_id.as_bytes()[14], b'7', "{}", evicted.audit_event_id);
    let replaced = the(&root, Kind::SessionRevoked).await;
    assert_by(&replaced, Some(user_id), (SubjectType::Session, &laptop.session.session_id));
    assert_from(&replaced, "laptop", "r-9");
    assert_eq!(details(&replaced), [("reason", "REPLACED"), ("user_id", user_id)]);
}

#[tokio::test]
async fn sessions_that_are_ended() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let alice = app.user(ALICE).await;
    let user_id = alice.user.user_id.as_str();
    let devices = ["phone", "laptop", "tablet", "watch"];
    let mut sessions = Vec::new();
    for device_id in devices {
        sessions.push(alice.sign_in(device_id).await);
    }
    let [phone, laptop, tablet, watch]: [SignedIn; 4] = sessions.try_into().unwrap();
    calling(&phone, "r-1").logout().await.unwrap();
    calling(&laptop, "r-2").revoke_device("tablet").await.unwrap();
    calling(&laptop, "r-3").revoke_all_sessions(true).await.unwrap();

    let logged_out = the(&root, Kind::LoggedOut).await;
    assert_by(&logged_out, Some(user_id), (SubjectType::Session, &phone.session.session_id));
    assert_from(&logged_out, "phone", "r-1");
    assert_eq!(details(&logged_out), [("user_id", user_id)]);
    let revoked = of_kind(&root, Kind::SessionRevoked).await;
    assert_eq!(revoked.len(), 2);
    for (session, request_id) in [(&tablet.session, "r-2"), (&watch.session, "r-3")] {
        let event = revoked.iter().find(|event| event.subject_id == session.session_id).unwrap();
        assert_by(event, Some(user_id), (SubjectType::Session, &session.session_id));
        assert_from(event, "laptop", request_id);
        assert_eq!(details(event), [("reason", "REVOKED"), ("user_id", user_id)]);
    }
}

#[tokio::test]
async fn a_token_that_was_copied() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let alice = app.user(ALICE).await;
    let mut phone = alice.sign_in("phone").await;
    let copied = phone.tokens.refresh_token.clone();
    phone.renew().await.unwrap();
    app.advance(Duration::from_secs(11));
    for request_id in ["r-1", "r-2"] {
        refused(calling(&app.device("phone"), request_id).refresh(&copied).await);
    }
    let reused = the(&root, Kind::TokenReused).await;
    assert_by(&reused, None, (SubjectType::Session, &phone.session.session_id));
    assert_from(&reused, "phone", "r-1");
    assert_eq!(details(&reused), [("user_id", alice.user.user_id.as_str())]);
}

#[tokio::test]
async fn passwords_that_are_reset_and_changed() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let alice = app.user(ALICE).await;
    let user_id = alice.user.user_id.as_str();
    let phone = alice.sign_in("phone").await;
    app.all_mail_delivered().await;
    for _ in app.mailbox.unread_of(ALICE) {
        app.mailbox.next_to(ALICE).await;
    }
    let desk = app.device("desk");
    let reset = calling(&desk, "r-1").request_password_reset(ALICE).await.unwrap();
    calling(&desk, "r-2").request_password_reset("nobody@example.com").await.unwrap();
    let code = app.mailbox.next_to(ALICE).await.code();
    let allowed = desk.verify_reset_code(&reset.reset_id, &code).await.unwrap();
    calling(&desk, "r-3").reset_password(&allowed.reset_token, OTHER_PASSWORD).await.unwrap();

    let mut requested = of_kind(&root, Kind::PasswordResetRequested).await;
    requested.sort_by(|one, other| one.request_id.cmp(&other.request_id));
    let [of_alice, of_nobody] = requested.as_slice() else { panic!("not two: {requested:?}") };
    assert_by(of_alice, None, (SubjectType::User, user_id));
    assert_from(of_alice, "desk", "r-1");
    assert_by(of_nobody, None, (SubjectType::Unspecified, ""));
    assert_from(of_nobody, "desk", "r-2");
    let reset = the(&root, Kind::PasswordReset).await;
    assert_by(&reset, None, (SubjectType::User, user_id));
    assert_from(&reset, "desk", "r-3");
    let revoked = the(&root, Kind::SessionRevoked).await;
    assert_by(&revoked, None, (SubjectType::Session, &phone.session.session_id));
    assert_eq!(details(&revoked), [("reason", "PASSWORD_CHANGED"), ("user_id", user_id)]);

    let laptop = desk.clone().with("device-id", "laptop");
    let laptop = SignedIn::new(laptop.clone(), laptop.login_with(ALICE, OTHER_PASSWORD).await.unwrap());
    calling(&laptop, "r-4").change_password(OTHER_PASSWORD, PASSWORD).await.unwrap();
    let changed = the(&root, Kind::PasswordChanged).await;
    assert_by(&changed, Some(user_id), (SubjectType::User, user_id));
    assert_from(&changed, "laptop", "r-4");
}

#[tokio::test]
async fn accounts_that_change_and_go() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let alice = app.user(ALICE).await;
    let user_id = alice.user.user_id.as_str();
    let phone = alice.sign_in("phone").await;
    let user = User { display_name: "Al".to_owned(), locale: "de".to_owned(), ..User::default() };
    calling(&phone, "r-1").update_account(user, &["display_name", "locale"]).await.unwrap();
    calling(&phone, "r-2").delete_account(PASSWORD).await.unwrap();

    let updated = the(&root, Kind::AccountUpdated).await;
    assert_by(&updated, Some(user_id), (SubjectType::User, user_id));
    assert_from(&updated, "phone", "r-1");
    assert_eq!(details(&updated), [("fields", "display_name,locale")]);
    let deleted = the(&root, Kind::AccountDeleted).await;
    assert_by(&deleted, Some(user_id), (SubjectType::User, user_id));
    assert_from(&deleted, "phone", "r-2");
    assert_eq!(the(&root, Kind::SessionRevoked).await.subject_id, phone.session.session_id);
}

#[tokio::test]
async fn what_operators_do() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let service = &app.first().app;
    let (network, reason) = ("203.0.113.0/24".parse().unwrap(), Remark::parse("ticket 7").unwrap());
    let rule = NewRule { network, action: NetworkAction::Block, reason, expires_at: None };
    let rule = networks::create(service, &Act::operator(), rule).await.unwrap();
    networks::delete(service, &Act::operator(), Target::Network(network)).await.unwrap();

    let rule_id = rule.network_rule_id.to_string();
    for kind in [Kind::NetworkRuleCreated, Kind::NetworkRuleDeleted] {
        let event = the(&root, kind).await;
        assert_eq!((event.actor_type(), event.actor_id.as_str()), (ActorType::Operator, ""));
        assert_eq!((event.subject_type(), event.subject_id.as_str()), (SubjectType::NetworkRule, rule_id.as_str()));
        assert_eq!((event.ip_address.as_str(), event.device_id.as_str(), event.request_id.as_str()), ("", "", ""));
        assert_eq!(details(&event), [("action", "BLOCK"), ("cidr", "203.0.113.0/24")]);
    }
    let created = the(&root, Kind::UserCreated).await;
    let root_id = root.get_account().await.unwrap().user_id;
    assert_eq!((created.actor_type(), created.subject_id.as_str()), (ActorType::Operator, root_id.as_str()));
    assert_eq!(details(&created), [("roles", "admin,normal_user")]);
}

#[tokio::test]
async fn no_secret_address_or_name_is_on_record() {
    let app = TestApp::start().await;
    let desk = app.device("desk");
    let registration = desk.register_as(ALICE, PASSWORD, "Alice Liddell").await.unwrap();
    let verification = app.mailbox.next_to(ALICE).await.code();
    desk.verify_email(&registration.registration_id, &verification).await.unwrap();
    app.mailbox.next_to(ALICE).await;
    refused(desk.login_with(ALICE, OTHER_PASSWORD).await);
    let mut phone = SignedIn::new(app.device("desk"), desk.login(ALICE).await.unwrap());
    let first = phone.tokens.clone();
    phone.renew().await.unwrap();
    let second = phone.tokens.clone();
    app.advance(Duration::from_secs(11));
    refused(desk.refresh(&first.refresh_token).await).with(Code::Unauthenticated, "TOKEN_REUSED");
    app.mailbox.next_to(ALICE).await;
    let reset = desk.request_password_reset(ALICE).await.unwrap();
    let code = app.mailbox.next_to(ALICE).await.code();
    let allowed = desk.verify_reset_code(&reset.reset_id, &code).await.unwrap();
    desk.reset_password(&allowed.reset_token, OTHER_PASSWORD).await.unwrap();
    let phone = SignedIn::new(app.device("desk"), desk.login_with(ALICE, OTHER_PASSWORD).await.unwrap());
    phone.change_password(OTHER_PASSWORD, PASSWORD).await.unwrap();
    phone.delete_account(PASSWORD).await.unwrap();

    let everything = "SELECT string_agg(e::text, ' ') FROM (
        SELECT kind, subject_id, device_id, request_id, details FROM audit_events WHERE kind <> 'REGISTRATION_CREATED'
    ) e";
    let trail: String = app.database.client().await.query_one(everything, &[]).await.unwrap().get(0);
    let hash = "$argon2id$";
    let words = [PASSWORD, OTHER_PASSWORD, ALICE, "Liddell", "kwr_", hash, &reset.reset_id, &allowed.reset_token];
    let tokens = [&first, &second, &phone.tokens].map(|tokens| [&tokens.access_token, &tokens.refresh_token]);
    for secret in words.into_iter().chain(tokens.iter().flatten().map(|token| token.as_str())) {
        assert!(!trail.contains(secret), "{secret} is in {trail}");
    }
    let words: Vec<_> = trail.split(|character: char| !character.is_alphanumeric()).collect();
    for code in [&verification, &code] {
        assert!(!words.contains(&code.as_str()), "{code} is in {trail}");
    }
}
