//! GetUser, UpdateUser, SuspendUser, ReinstateUser and DeleteUser.

use keyward::proto::keyward::v1::User;
use keyward::proto::keyward::v1::user::State;
use serde_json::json;
use tonic::Code;

use super::{kinds, recorded};
use crate::harness::{Device, PASSWORD, TestApp, refused, within_patience};

const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn a_user_that_there_is_not_is_not_found() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    refused(admin.get_user(NOBODY).await).with(Code::NotFound, "USER_NOT_FOUND");
    refused(admin.update_user(NOBODY, User { locale: "de".to_owned(), ..User::default() }, &[]).await)
        .with(Code::NotFound, "USER_NOT_FOUND");
    refused(admin.suspend_user(NOBODY).await).with(Code::NotFound, "USER_NOT_FOUND");
    refused(admin.reinstate_user(NOBODY).await).with(Code::NotFound, "USER_NOT_FOUND");
    refused(admin.delete_user(NOBODY).await).with(Code::NotFound, "USER_NOT_FOUND");
    refused(admin.list_user_sessions(NOBODY, 0, "").await).with(Code::NotFound, "USER_NOT_FOUND");
    refused(admin.revoke_user_sessions(NOBODY).await).with(Code::NotFound, "USER_NOT_FOUND");
    refused(admin.get_user("x").await).with(Code::InvalidArgument, "FIELD_INVALID").naming(&["user_id"]);
}

#[tokio::test]
async fn a_profile_is_changed_as_far_as_the_mask_goes() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let phone = alice.sign_in("phone").await;
    let user_id = &alice.user.user_id;
    let user = |display_name: &str, locale: &str| User {
        display_name: display_name.to_owned(),
        locale: locale.to_owned(),
        email: "mallory@example.com".to_owned(),
        ..User::default()
    };
    let updated = admin.update_user(user_id, user("Ada", "pt-BR"), &["locale"]).await.unwrap();
    assert_eq!((updated.display_name.as_str(), updated.locale.as_str()), ("Somebody", "pt-BR"));
    let updated = admin.update_user(user_id, user("Ada", ""), &[]).await.unwrap();
    assert_eq!((updated.display_name.as_str(), updated.locale.as_str()), ("Ada", "pt-BR"));
    let updated = admin.update_user(user_id, user("", ""), &["locale"]).await.unwrap();
    assert_eq!((updated.locale.as_str(), updated.email.as_str()), ("", "alice@example.com"));
    refused(admin.update_user(user_id, user("", ""), &["display_name"]).await)
        .with(Code::InvalidArgument, "FIELD_INVALID")
        .naming(&["user.display_name"]);
    refused(admin.update_user(user_id, user("", ""), &["email"]).await).with(Code::InvalidArgument, "FIELD_INVALID");
    // It is a matter of names: nobody is signed out.
    assert_eq!(phone.get_account().await.unwrap().display_name, "Ada");
    let on_record: Vec<_> =
        recorded(&app, user_id).await.into_iter().filter(|(kind, ..)| kind == "USER_UPDATED").collect();
    assert_eq!(on_record.len(), 3);
    assert_eq!(on_record[0].2, json!({"fields": "locale"}));
    assert!(!format!("{on_record:?}").contains("Ada"), "{on_record:?}");
}

#[tokio::test]
async fn a_suspended_user_is_signed_out_and_told_so_after_the_right_password() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let mut phone = alice.sign_in("phone").await;
    let user = admin.suspend_user(&alice.user.user_id).await.unwrap();
    assert_eq!(user.state(), State::Suspended);
    refused(phone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    let there = Device::clone(&phone).at(&replica);
    let known = async { while there.get_account().await.is_ok() {} };
    within_patience("the other replica to learn of the suspension", known).await;
    refused(there.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(phone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    let device = app.device("phone");
    refused(device.login(alice.email()).await).with(Code::PermissionDenied, "USER_SUSPENDED");
    refused(device.login_with(alice.email(), "wrong").await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");

    // Once more changes nothing, and is not on record again.
    let again = admin.suspend_user(&alice.user.user_id).await.unwrap();
    assert_eq!(again, user);
    let user = admin.reinstate_user(&alice.user.user_id).await.unwrap();
    assert_eq!(user.state(), State::Active);
    assert_eq!(admin.reinstate_user(&alice.user.user_id).await.unwrap(), user);
    refused(phone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    alice.sign_in("phone").await.get_account().await.unwrap();
    let kinds = kinds(&app, &alice.user.user_id).await;
    let count = |kind: &str| kinds.iter().filter(|recorded| *recorded == kind).count();
    assert_eq!((count("USER_SUSPENDED"), count("USER_REINSTATED")), (1, 1), "{kinds:?}");
}

#[tokio::test]
async fn a_login_and_a_suspension_at_once_leave_no_session() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let device = app.device("phone");
    for _ in 0..20 {
        let suspension = admin.suspend_user(&alice.user.user_id);
        let (login, suspended) = futures::future::join(device.login(alice.email()), suspension).await;
        suspended.unwrap();
        if let Ok(login) = login {
            let token = login.tokens.unwrap().access_token;
            let outcome = device.clone().bearing(&token).get_account().await;
            refused(outcome).with(Code::Unauthenticated, "TOKEN_REVOKED");
        }
        let live = admin.list_user_sessions(&alice.user.user_id, 0, "").await.unwrap();
        assert!(live.sessions.is_empty(), "{live:?}");
        admin.reinstate_user(&alice.user.user_id).await.unwrap();
    }
}

#[tokio::test]
async fn everything_of_a_deleted_user_goes_but_its_id_on_record() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let mut phone = alice.sign_in("phone").await;
    app.device("phone").request_password_reset(alice.email()).await.unwrap();
    admin.set_user_roles(&alice.user.user_id, &["normal_user", "business_user"]).await.unwrap();
    app.all_mail_delivered().await;

    admin.delete_user(&alice.user.user_id).await.unwrap();
    refused(admin.get_user(&alice.user.user_id).await).with(Code::NotFound, "USER_NOT_FOUND");
    refused(admin.delete_user(&alice.user.user_id).await).with(Code::NotFound, "USER_NOT_FOUND");
    let there = Device::clone(&phone).at(&replica);
    let known = async { while there.get_account().await.is_ok() {} };
    within_patience("the other replica to learn of the deletion", known).await;
    refused(phone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(app.device("phone").login(alice.email()).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    let client = app.database.client().await;
    for table in ["users", "user_roles", "user_devices", "sessions", "password_resets", "stale_users"] {
        let sql = format!("SELECT count(*) FROM {table} WHERE user_id::text = $1");
        let row = client.query_one(&sql, &[&alice.user.user_id]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 0, "{table}");
    }
    let (kind, _, details) = recorded(&app, &alice.user.user_id).await.pop().unwrap();
    assert_eq!((kind.as_str(), details), ("USER_DELETED", json!({"roles": "business_user,normal_user"})));
    // The address is free again.
    let again = admin.create_user("alice@example.com", PASSWORD).await.unwrap();
    assert_ne!(again.user_id, alice.user.user_id);
}
