//! ListRoles, CreateRole, UpdateRole and DeleteRole.

use std::time::Duration;

use keyward::proto::keyward::v1::{ListUsersRequest, Role};
use serde_json::json;
use tonic::Code;

use super::{kinds, recorded};
use crate::harness::{Device, Settings, TestApp, refused, within_patience};

#[tokio::test]
async fn roles_are_listed_in_the_order_of_the_alphabet() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    for name in ["support", "b_role", "b.role", "b-role", "brole"] {
        admin.create_role(name, &["users.read", "courses.grade", "a"]).await.unwrap();
    }
    let all = admin.list_roles(0, "").await.unwrap();
    let names: Vec<_> = all.roles.iter().map(|role| role.name.as_str()).collect();
    let standing = ["admin", "business_user", "education_user", "normal_user"];
    assert_eq!(
        names,
        ["admin", "b-role", "b.role", "b_role", "brole", "business_user", "education_user", "normal_user", "support"]
    );
    assert_eq!(all.next_page_token, "");
    for role in &all.roles {
        assert_eq!(role.standing, standing.contains(&role.name.as_str()), "{role:?}");
    }
    assert_eq!(all.roles[8].permissions, ["a", "courses.grade", "users.read"]);
    assert_eq!(all.roles[8].description, "For tests.");

    let mut paged = Vec::new();
    let mut token = String::new();
    loop {
        let page = admin.list_roles(2, &token).await.unwrap();
        paged.extend(page.roles);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, all.roles);
    let token = admin.list_roles(2, "").await.unwrap().next_page_token;
    let other = app.administrator("other@example.com").await;
    refused(other.list_roles(2, &token).await).with(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    refused(admin.list_roles(-1, "").await).with(Code::InvalidArgument, "FIELD_INVALID").naming(&["page_size"]);
}

#[tokio::test]
async fn a_name_is_taken_once_and_has_its_form() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    admin.create_role("support", &[]).await.unwrap();
    refused(admin.create_role("support", &["users.read"]).await).with(Code::AlreadyExists, "ROLE_EXISTS");
    refused(admin.create_role("admin", &[]).await).with(Code::AlreadyExists, "ROLE_EXISTS");
    for name in ["", "Support", "4support", "sup port", &"s".repeat(65)] {
        refused(admin.create_role(name, &[]).await).with(Code::InvalidArgument, "FIELD_INVALID").naming(&["name"]);
    }
    for permissions in [&["Users.read"][..], &["users.read", "users.read"]] {
        refused(admin.create_role("other", permissions).await).with(Code::InvalidArgument, "FIELD_INVALID");
    }
    assert_eq!(admin.list_roles(0, "").await.unwrap().roles.len(), 5);
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    admin.create_role("support", &["users.read"]).await.unwrap();
    let role = |description: &str, permissions: &[&str]| Role {
        description: description.to_owned(),
        permissions: permissions.iter().map(ToString::to_string).collect(),
        ..Role::default()
    };
    let updated = admin.update_role("support", role("Helps.", &["roles.read"]), &["description"]).await.unwrap();
    assert_eq!(
        (updated.description.as_str(), updated.permissions.as_slice()),
        ("Helps.", &["users.read".to_owned()][..])
    );
    // Without a mask, what is not empty.
    let updated = admin.update_role("support", role("", &["roles.read", "users.read"]), &[]).await.unwrap();
    assert_eq!((updated.description.as_str(), updated.permissions.len()), ("Helps.", 2));
    let updated = admin.update_role("support", role("", &[]), &["description", "permissions"]).await.unwrap();
    assert_eq!((updated.description.as_str(), updated.permissions.len()), ("", 0));
    refused(admin.update_role("support", role("", &[]), &["name"]).await)
        .with(Code::InvalidArgument, "FIELD_INVALID")
        .naming(&["update_mask"]);
    let missing = refused(admin.update_role("nobody", role("x", &[]), &[]).await);
    assert_eq!(missing.with(Code::NotFound, "ROLE_NOT_FOUND").metadata("role"), Some("nobody"));

    // Of `admin`, what it is for may change, and what it permits may not.
    admin.update_role("admin", role("All.", &[]), &["description"]).await.unwrap();
    refused(admin.set_permissions("admin", &["users.read"]).await).with(Code::FailedPrecondition, "ROLE_STANDING");
    admin.set_permissions("education_user", &["courses.read"]).await.unwrap();
}

#[tokio::test]
async fn a_role_goes_when_nobody_has_it() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    admin.create_role("support", &["users.read"]).await.unwrap();
    admin.set_user_roles(&alice.user.user_id, &["support"]).await.unwrap();
    refused(admin.delete_role("support").await).with(Code::FailedPrecondition, "ROLE_IN_USE");
    admin.set_user_roles(&alice.user.user_id, &[]).await.unwrap();
    admin.delete_role("support").await.unwrap();
    let gone = refused(admin.delete_role("support").await);
    assert_eq!(gone.with(Code::NotFound, "ROLE_NOT_FOUND").metadata("role"), Some("support"));
    for standing in ["admin", "normal_user", "education_user", "business_user"] {
        refused(admin.delete_role(standing).await).with(Code::FailedPrecondition, "ROLE_STANDING");
    }
}

#[tokio::test]
async fn of_a_role_given_and_deleted_at_once_one_wins() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    for _ in 0..20 {
        admin.create_role("support", &[]).await.unwrap();
        let (given, deleted) = futures::future::join(
            admin.set_user_roles(&alice.user.user_id, &["support"]),
            admin.delete_role("support"),
        )
        .await;
        match deleted {
            Ok(()) => drop(refused(given).with(Code::NotFound, "ROLE_NOT_FOUND")),
            Err(refusal) => {
                refusal.with(Code::FailedPrecondition, "ROLE_IN_USE");
                assert_eq!(given.unwrap().roles, ["support"]);
                admin.set_user_roles(&alice.user.user_id, &[]).await.unwrap();
                admin.delete_role("support").await.unwrap();
            }
        }
    }
}

/// Calls until the answer is as it should be; a replica may go by what it knew until the feed tells it.
async fn until_may_list(device: &Device, may: bool) {
    let told = async {
        loop {
            match device.list_users(ListUsersRequest::default()).await {
                Ok(_) if may => return,
                Err(refusal) if !may => {
                    refusal.with(Code::PermissionDenied, "PERMISSION_MISSING");
                    return;
                }
                _ => {}
            }
        }
    };
    within_patience("the replica to learn of the permissions", told).await;
}

#[tokio::test]
async fn a_change_of_permissions_is_felt_on_every_replica_with_tokens_issued_before() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = app.administrator("root@example.com").await;
    admin.create_role("support", &["users.read"]).await.unwrap();
    let alice = app.user("alice@example.com").await;
    admin.set_user_roles(&alice.user.user_id, &["support"]).await.unwrap();
    app.advance(Duration::from_secs(1));
    let phone = alice.sign_in("phone").await;
    let there = Device::clone(&phone).at(&replica);
    until_may_list(&there, true).await;
    for may in [false, true, false] {
        admin.set_permissions("support", if may { &["users.read"] } else { &[] }).await.unwrap();
        // Here at once, there soon.
        let here = phone.list_users(ListUsersRequest::default()).await;
        assert_eq!(here.is_ok(), may);
        until_may_list(&there, may).await;
    }
    // The replica that starts later knows it from its first call on.
    let later = Device::clone(&phone).at(&app.replica().await).list_users(ListUsersRequest::default()).await;
    refused(later).with(Code::PermissionDenied, "PERMISSION_MISSING");
}

#[tokio::test]
async fn what_becomes_of_a_role_is_on_record() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    admin.create_role("support", &["users.read", "a.b"]).await.unwrap();
    admin.set_permissions("support", &["users.write"]).await.unwrap();
    // Nothing changes, and so nothing is on record.
    admin.set_permissions("support", &["users.write"]).await.unwrap();
    refused(admin.create_role("support", &[]).await).with(Code::AlreadyExists, "ROLE_EXISTS");
    admin.delete_role("support").await.unwrap();
    assert_eq!(kinds(&app, "support").await, ["ROLE_CREATED", "ROLE_UPDATED", "ROLE_DELETED"]);
    let recorded = recorded(&app, "support").await;
    let admin_id = &admin.get_account().await.unwrap().user_id;
    assert!(recorded.iter().all(|(_, actor, _)| actor == admin_id), "{recorded:?}");
    assert_eq!(recorded[0].2, json!({"permissions": "a.b,users.read"}));
    assert_eq!(recorded[1].2, json!({"old_permissions": "a.b,users.read", "new_permissions": "users.write"}));
}

#[tokio::test]
async fn nothing_is_permitted_by_roles_that_were_read_too_long_ago() {
    let settings = Settings::default().set("revocations.max_age", "300ms").set("database.statement_timeout", "200ms");
    let app = TestApp::with(settings).await;
    let admin = app.administrator("root@example.com").await;
    let list = || admin.list_users(ListUsersRequest::default());
    list().await.unwrap();
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    // Nobody can see whether the permissions have changed.
    tx.batch_execute("LOCK TABLE feed_versions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let refusal = within_patience("the permissions to be too old", async {
        loop {
            if let Err(refusal) = list().await {
                return refusal;
            }
        }
    })
    .await;
    refused::<()>(Err(refusal)).with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    tx.rollback().await.unwrap();
    list().await.unwrap();
}
