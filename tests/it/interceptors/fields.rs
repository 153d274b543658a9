//! Fields that are not valid: all named at once, each once, and no more of them than a client takes in trailers.

use keyward::proto::keyward::v1::network_rule::Action;
use keyward::proto::keyward::v1::{
    CreateNetworkRuleRequest, CreateRoleRequest, CreateServiceKeyRequest, CreateUserRequest, ListAuditEventsRequest,
    ListUsersRequest, Role, SetUserRolesRequest, UpdateRoleRequest, UpdateUserRequest, User,
};
use prost_types::{FieldMask, Timestamp};
use tonic::Code;
use tonic_types::StatusExt;

use crate::harness::{PASSWORD, Refusal, TestApp, answer, refused};

/// What a client library takes at least: grpcio's soft limit of metadata is 8 KiB, base64 included.
const MAX_DETAILS: usize = 4096;

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// How many violations are listed, and how many more there are.
fn counts(refusal: &Refusal) -> (usize, usize) {
    let details = refusal.status().get_error_details();
    let listed = details.bad_request().unwrap().field_violations.len();
    let omitted = refusal.metadata("violations_omitted").map_or(0, |omitted| omitted.parse().unwrap());
    (listed, omitted)
}

#[tokio::test]
async fn twenty_thousand_bad_permissions_are_counted_and_twenty_are_told() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    for (count, permission, omitted) in [(5, "Orders Read!", 0), (20, "!", 0), (21, "!", 1), (200, "!", 180)] {
        let permissions = (0..count).map(|number| format!("{permission}{number}")).collect();
        let request = CreateRoleRequest { name: "clerk".to_owned(), description: String::new(), permissions };
        let refusal = refused(answer(admin.admin().create_role(request).await));
        let refusal = refusal.with(Code::InvalidArgument, "FIELD_INVALID");
        assert_eq!(counts(&refusal), (count.min(20), omitted));
        assert!(refusal.status().details().len() <= MAX_DETAILS);
    }
    let permissions = vec!["!".to_owned(); 20_000];
    let request = CreateRoleRequest { name: "clerk".to_owned(), description: String::new(), permissions };
    let refusal = refused(answer(admin.admin().create_role(request).await));
    let refusal = refusal.with(Code::InvalidArgument, "FIELD_INVALID");
    // 20,000 items, and the list itself, which is too long.
    assert_eq!(counts(&refusal), (20, 19_981));
    assert!(refusal.status().details().len() <= MAX_DETAILS && refusal.status().message().len() < 200);
    assert!(refusal.status().message().contains("19981"), "{:?}", refusal.status());
}

#[tokio::test]
async fn long_texts_of_a_request_are_cut_in_its_refusal() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let paths = vec!["x".repeat(60_000)];
    let user = Some(User::default());
    let request =
        UpdateUserRequest { user_id: admin.session.session_id.clone(), user, update_mask: Some(FieldMask { paths }) };
    let refusal = refused(answer(admin.admin().update_user(request).await));
    refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["update_mask"]);

    let roles: Vec<String> = (0..50).map(|number| format!("{}{number}", "r".repeat(60))).collect();
    let user_id = app.user("alice@example.com").await.user.user_id;
    let request = SetUserRolesRequest { user_id, roles };
    let refusal = refused(answer(admin.admin().set_user_roles(request).await));
    let refusal = refusal.with(Code::NotFound, "ROLE_NOT_FOUND");
    assert!(refusal.status().details().len() < 1024, "{:?}", refusal.status());
}

#[tokio::test]
async fn form_and_meaning_are_told_at_once() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    for (email, password, name, fields) in [
        // Wrong in form; in meaning; in either.
        ("", "", "", ["email", "password", "display_name"].as_slice()),
        ("nowhere", "short", "a\u{202e}b", &["email", "password", "display_name"]),
        ("nowhere", &"p".repeat(2000), "Alice", &["password", "email"]),
        ("", "short", "", &["email", "display_name", "password"]),
        ("alice@example.com", "short", "", &["display_name", "password"]),
        // A password that anyone would guess, whoever it is for.
        ("nowhere", "P4$$w0rd", "Alice", &["email", "password"]),
        ("", "password", "", &["email", "display_name", "password"]),
    ] {
        let refusal = refused(phone.register_as(email, password, name).await);
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(fields);
    }
    let refusal = refused(phone.register_as("alice@example.com", "short", "Alice").await);
    refusal.with(Code::InvalidArgument, "PASSWORD_REJECTED").naming(&["password"]);

    let refusal = refused(phone.reset_password("kwp_garbage", "short").await);
    refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["reset_token", "new_password"]);
    let refusal = refused(phone.verify_email("first", "12345").await);
    refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["registration_id", "code"]);
    let signed_in = app.user("alice@example.com").await.sign_in("phone").await;
    let user = User { display_name: " ".to_owned(), locale: "_".to_owned(), ..User::default() };
    let refusal = refused(signed_in.update_account(user, &["display_name", "locale", "email"]).await);
    refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["update_mask", "user.locale", "user.display_name"]);
    let refusal = refused(signed_in.change_password(PASSWORD, "short").await);
    refusal.with(Code::InvalidArgument, "PASSWORD_REJECTED").naming(&["new_password"]);
    let refusal = refused(signed_in.list_sessions_page(-1, "garbage").await);
    refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["page_size", "page_token"]);
}

#[tokio::test]
async fn administration_is_told_all_at_once_too() {
    let app = TestApp::start().await;
    let root = app.administrator("root@example.com").await;
    let past = Some(Timestamp { seconds: 1, nanos: 0 });
    let mut admin = root.admin();

    let (email, password) = ("nowhere".to_owned(), "short".to_owned());
    let request = CreateUserRequest { email, display_name: " ".to_owned(), locale: "_".to_owned(), password };
    let refusal = refused(answer(admin.create_user(request).await)).with(Code::InvalidArgument, "FIELD_INVALID");
    refusal.naming(&["locale", "email", "display_name", "password"]);

    let user = Some(User { display_name: "\n".to_owned(), ..User::default() });
    let mask = Some(FieldMask { paths: owned(&["state", "display_name"]) });
    let request = UpdateUserRequest { user_id: "first".to_owned(), user, update_mask: mask };
    let refusal = refused(answer(admin.update_user(request).await)).with(Code::InvalidArgument, "FIELD_INVALID");
    refusal.naming(&["user_id", "update_mask", "user.display_name"]);

    let role = Some(Role { description: "a\u{0}b".to_owned(), ..Role::default() });
    let mask = Some(FieldMask { paths: owned(&["description"]) });
    let request = UpdateRoleRequest { name: "No Name".to_owned(), role, update_mask: mask };
    let refusal = refused(answer(admin.update_role(request).await)).with(Code::InvalidArgument, "FIELD_INVALID");
    refusal.naming(&["name", "role.description"]);

    let (cidr, reason) = ("10.0.0.1/8".to_owned(), "a\u{0}b".to_owned());
    let request = CreateNetworkRuleRequest { cidr, action: Action::Unspecified.into(), reason, expire_time: past };
    let refusal = refused(answer(admin.create_network_rule(request).await));
    refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["action", "cidr", "reason", "expire_time"]);

    let (name, permissions) = ("a\u{0}b".to_owned(), owned(&["tokens.introspect", "No Name"]));
    let request = CreateServiceKeyRequest { name, permissions, expire_time: past };
    let refusal = refused(answer(admin.create_service_key(request).await));
    refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["permissions[1]", "name", "expire_time"]);

    let request = ListUsersRequest { page_size: -1, role: "No Name".to_owned(), ..ListUsersRequest::default() };
    let refusal = refused(answer(admin.list_users(request).await)).with(Code::InvalidArgument, "FIELD_INVALID");
    refusal.naming(&["page_size", "role"]);
    let request = ListAuditEventsRequest {
        page_size: -1,
        actor_id: "first".to_owned(),
        end_time: Some(Timestamp { seconds: i64::MAX, nanos: 0 }),
        ..ListAuditEventsRequest::default()
    };
    let refusal = refused(answer(admin.list_audit_events(request).await)).with(Code::InvalidArgument, "FIELD_INVALID");
    refusal.naming(&["page_size", "actor_id", "end_time"]);
}

#[tokio::test]
async fn white_space_around_an_address_is_not_part_of_it() {
    let app = TestApp::start().await;
    let alice = "alice@example.com";
    app.user(alice).await;
    let phone = app.device("phone");
    let wide = format!("{}{alice}{}", " ".repeat(300), "\u{3000}\u{a0}\t\r\n");
    for email in [" alice@example.com", "Alice@example.com\n", &wide] {
        assert_eq!(phone.login(email).await.unwrap().user.unwrap().email, alice);
        phone.request_password_reset(email).await.unwrap();
    }
    phone.register(&wide).await.unwrap();
    app.all_mail_delivered().await;
    let mails = app.mailbox.unread_of(alice);
    let told = |subject: &str| mails.iter().filter(|mail| mail.subject.starts_with(subject)).count();
    assert_eq!((told("Reset your password"), told("You already have an account")), (3, 1), "{mails:?}");
    let admin = app.administrator("root@example.com").await;
    refused(admin.create_user(&wide, PASSWORD).await).with(Code::AlreadyExists, "EMAIL_TAKEN");
    for nothing in ["    ", "a lice@example.com", &" ".repeat(300)] {
        let refusal = refused(phone.login(nothing).await).with(Code::InvalidArgument, "FIELD_INVALID");
        refusal.naming(&["email"]);
    }
}
