//! ListUsers: filters, orders and pages.

use std::collections::HashSet;
use std::time::Duration;

use keyward::proto::keyward::v1::user::State;
use keyward::proto::keyward::v1::{ListUsersRequest, User};
use tonic::Code;

use super::emails;
use crate::harness::{Device, TestApp, refused};

const ORDERS: [&str; 4] = ["create_time", "create_time desc", "last_login_time", "last_login_time desc"];

fn asked(query: &str, order_by: &str) -> ListUsersRequest {
    ListUsersRequest { query: query.to_owned(), order_by: order_by.to_owned(), ..ListUsersRequest::default() }
}

/// All pages of a list.
async fn all(device: &Device, mut request: ListUsersRequest) -> Vec<User> {
    let mut users = Vec::new();
    loop {
        let page = device.list_users(request.clone()).await.unwrap();
        users.extend(page.users);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return users;
        }
    }
}

/// Users made at once: some never logged in, some at the same time, every seventh suspended, every fifth with a role.
async fn insert_users(app: &TestApp, count: u32) {
    let sql = format!(
        "WITH made AS (
            INSERT INTO users (user_id, email, display_name, state, revision, created_at, updated_at, verified_at, last_login_at)
            SELECT gen_random_uuid(), 'user' || i || '@example.org', 'Name ' || i,
                CASE WHEN i % 7 = 0 THEN 'SUSPENDED' ELSE 'ACTIVE' END, 1,
                $1::timestamptz - make_interval(secs => i / 3), $1, $1,
                CASE WHEN i % 4 = 0 THEN NULL ELSE $1::timestamptz - make_interval(secs => i % 10) END
            FROM generate_series(1, {count}) i
            RETURNING user_id, email
        )
        INSERT INTO user_roles (user_id, role)
        SELECT user_id, CASE WHEN substring(email FROM '\\d+')::int % 5 = 0 THEN 'business_user' ELSE 'normal_user' END
        FROM made"
    );
    app.database.client().await.execute(&sql, &[&app.now()]).await.unwrap();
}

#[tokio::test]
async fn a_search_finds_what_an_address_or_a_name_begins_with() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    for (email, name) in [
        ("anna@example.com", "Zoë Ågren"),
        ("bea@example.com", "ÅSA Åberg"),
        ("carl_x@example.com", "100% Carl"),
        ("carlax@example.com", "1000 Carl"),
    ] {
        let user = app.user(email).await.user;
        let named = User { display_name: name.to_owned(), ..User::default() };
        admin.update_user(&user.user_id, named, &["display_name"]).await.unwrap();
        app.advance(Duration::from_secs(1));
    }
    for (query, expected) in [
        ("ANN", &["anna@example.com"][..]),
        ("anna@example.com", &["anna@example.com"]),
        ("zoë å", &["anna@example.com"]),
        ("ZOE\u{308} Å", &["anna@example.com"]),
        ("åsa", &["bea@example.com"]),
        ("100%", &["carl_x@example.com"]),
        ("carl_x", &["carl_x@example.com"]),
        ("carl", &["carlax@example.com", "carl_x@example.com"]),
        ("nna", &[]),
        ("ågren", &[]),
        ("%", &[]),
        ("\\", &[]),
        ("'; DROP TABLE users; --", &[]),
    ] {
        let found = admin.list_users(asked(query, "")).await.unwrap();
        assert_eq!(emails(&found.users), expected, "{query}");
        assert_eq!(found.next_page_token, "");
    }
    refused(admin.list_users(asked(&"x".repeat(255), "")).await)
        .with(Code::InvalidArgument, "FIELD_INVALID")
        .naming(&["query"]);
}

#[tokio::test]
async fn every_order_and_filter_gives_every_user_once() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    insert_users(&app, 250).await;
    let key = |user: &User, order: &str| {
        let time = if order.starts_with("create") { user.create_time } else { user.last_login_time };
        // Never comes before all times.
        (time.map_or((i64::MIN, 0), |time| (time.seconds, time.nanos)), user.user_id.clone())
    };
    let everybody = all(&admin, ListUsersRequest::default()).await;
    assert_eq!(everybody.len(), 251);
    for order in ORDERS {
        for (state, role, query) in [
            (State::Unspecified, "", ""),
            (State::Active, "", ""),
            (State::Suspended, "", "user"),
            (State::Unspecified, "business_user", ""),
            (State::Active, "business_user", "NAME 1"),
            (State::Suspended, "admin", ""),
            (State::Unspecified, "no_such_role", ""),
        ] {
            let request = ListUsersRequest {
                page_size: 7,
                query: query.to_owned(),
                state: state.into(),
                role: role.to_owned(),
                order_by: order.to_owned(),
                ..ListUsersRequest::default()
            };
            let listed = all(&admin, request).await;
            let fits = |user: &&User| {
                (state == State::Unspecified || user.state() == state)
                    && (role.is_empty() || user.roles.iter().any(|own| own == role))
                    && (user.email.starts_with(&query.to_lowercase())
                        || user.display_name.to_lowercase().starts_with(&query.to_lowercase()))
            };
            let mut expected: Vec<_> = everybody.iter().filter(fits).cloned().collect();
            expected.sort_by_key(|user| key(user, order));
            if order.ends_with("desc") {
                expected.reverse();
            }
            assert_eq!(emails(&listed), emails(&expected), "{order} {state:?} {role} {query}");
        }
    }
}

#[tokio::test]
async fn the_newest_come_first_and_a_login_moves_its_user() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let mut people = Vec::new();
    for name in ["ann", "ben", "eve"] {
        app.advance(Duration::from_secs(1));
        people.push(app.user(&format!("{name}@example.com")).await);
    }
    let newest = admin.list_users(ListUsersRequest::default()).await.unwrap().users;
    assert_eq!(emails(&newest), ["eve@example.com", "ben@example.com", "ann@example.com", "root@example.com"]);
    app.advance(Duration::from_secs(1));
    people[1].sign_in("phone").await;
    let latest = admin.list_users(asked("", "last_login_time desc")).await.unwrap().users;
    assert_eq!(emails(&latest)[..2], ["ben@example.com", "root@example.com"]);
    let never = admin.list_users(asked("", "last_login_time")).await.unwrap().users;
    assert_eq!(emails(&never)[2..], ["root@example.com", "ben@example.com"]);
    refused(admin.list_users(asked("", "email")).await)
        .with(Code::InvalidArgument, "FIELD_INVALID")
        .naming(&["order_by"]);
    refused(admin.list_users(asked("a\0b", "")).await).with(Code::InvalidArgument, "FIELD_INVALID").naming(&["query"]);
}

#[tokio::test]
async fn sizes_are_clamped_and_a_token_is_good_for_its_list_alone() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    insert_users(&app, 150).await;
    for (size, given) in [(0, 50), (1, 1), (100, 100), (101, 100), (i32::MAX, 100)] {
        let request = ListUsersRequest { page_size: size, ..ListUsersRequest::default() };
        assert_eq!(admin.list_users(request).await.unwrap().users.len(), given);
    }
    let request = ListUsersRequest { page_size: -1, ..ListUsersRequest::default() };
    refused(admin.list_users(request).await).with(Code::InvalidArgument, "FIELD_INVALID").naming(&["page_size"]);

    let first = ListUsersRequest { page_size: 10, query: "user".to_owned(), ..ListUsersRequest::default() };
    let page_token = admin.list_users(first.clone()).await.unwrap().next_page_token;
    let next = ListUsersRequest { page_token: page_token.clone(), ..first.clone() };
    let second = admin.list_users(next.clone()).await.unwrap();
    assert_eq!(second.users.len(), 10);
    // Another size goes on; another list does not.
    admin.list_users(ListUsersRequest { page_size: 3, ..next.clone() }).await.unwrap();
    let other = app.administrator("other@example.com").await;
    refused(other.list_users(next.clone()).await).with(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    for changed in [
        ListUsersRequest { query: "use".to_owned(), ..next.clone() },
        ListUsersRequest { state: State::Active.into(), ..next.clone() },
        ListUsersRequest { role: "admin".to_owned(), ..next.clone() },
        ListUsersRequest { order_by: "last_login_time".to_owned(), ..next.clone() },
        ListUsersRequest { page_token: page_token[..page_token.len() - 1].to_owned(), ..next.clone() },
    ] {
        refused(admin.list_users(changed).await)
            .with(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
            .naming(&["page_token"]);
    }
}

#[tokio::test]
async fn the_pages_hold_everybody_while_others_come_and_go() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    insert_users(&app, 40).await;
    let everybody = all(&admin, ListUsersRequest::default()).await;
    let mut request = ListUsersRequest { page_size: 10, ..ListUsersRequest::default() };
    let first = admin.list_users(request.clone()).await.unwrap();
    // Neither the user that the token points at nor one already shown has to stay.
    for gone in [&everybody[3], &everybody[9]] {
        admin.delete_user(&gone.user_id).await.unwrap();
    }
    app.user("new@example.com").await;
    request.page_token = first.next_page_token;
    let rest = all(&admin, request).await;
    let seen: HashSet<_> = first.users.iter().chain(&rest).map(|user| user.user_id.as_str()).collect();
    assert_eq!(seen.len(), 41);
    assert!(everybody.iter().all(|user| seen.contains(user.user_id.as_str())));
}
