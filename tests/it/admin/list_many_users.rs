//! ListUsers among so many that each filter has a way of its own through the indexes.

use keyward::proto::keyward::v1::ListUsersRequest;
use keyward::proto::keyward::v1::user::State;
use uuid::Uuid;

use crate::harness::TestApp;

/// All have an address that begins with `user`, every third a name that begins with `Anna`, every ninth is suspended. All are
/// holders of one role; the oldest 3,000 of a second, a hundred of a third, and of a fourth more of the suspended than of the
/// others, so that the next of each state are not the next of all.
const MANY_USERS: &str = "
    WITH made AS (
        INSERT INTO users (user_id, email, display_name, search_name, state, revision, created_at, updated_at, verified_at,
            last_login_at)
        SELECT gen_random_uuid(), 'user' || i || '@example.org', n.name, CASE WHEN i % 2 = 0 THEN lower(n.name) END,
            CASE WHEN i % 9 = 0 THEN 'SUSPENDED' ELSE 'ACTIVE' END, 1,
            $1::timestamptz - make_interval(secs => i / 3), $1, $1,
            CASE WHEN i % 4 = 0 THEN NULL ELSE $1::timestamptz - make_interval(secs => i % 1000) END
        FROM generate_series(1, 21000) i, LATERAL (SELECT CASE WHEN i % 3 = 0 THEN 'Anna ' ELSE 'Ben ' END || i) n (name)
        RETURNING user_id, email
    ), numbered AS (
        SELECT user_id, substring(email FROM '\\d+')::int AS i FROM made
    )
    INSERT INTO user_roles (user_id, role)
    SELECT user_id, 'normal_user' FROM numbered
    UNION ALL SELECT user_id, 'education_user' FROM numbered WHERE i > 18000
    UNION ALL SELECT user_id, 'business_user' FROM numbered WHERE i % 210 = 0
    UNION ALL SELECT user_id, 'support' FROM numbered WHERE i % 90 = 0 OR i % 110 = 0";

/// Identifiers of those whom one statement finds that knows no way but through all users.
const EXPECTED: &str = "
    SELECT u.user_id FROM users u
    WHERE ($1 = '' OR u.state = $1)
        AND ($2 = '' OR EXISTS (SELECT FROM user_roles r WHERE r.user_id = u.user_id AND r.role = $2))
        AND (u.email LIKE $3 || '%' OR lower(u.display_name) LIKE $3 || '%')";

#[tokio::test]
async fn every_way_leads_to_the_same_users() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let client = app.database.client().await;
    admin.create_role("support", &[]).await.unwrap();
    client.execute(MANY_USERS, &[&app.now()]).await.unwrap();
    client.batch_execute("ANALYZE users, user_roles").await.unwrap();
    let states = [(State::Unspecified, ""), (State::Active, "ACTIVE"), (State::Suspended, "SUSPENDED")];
    for (order_by, order) in [
        ("create_time desc", "u.created_at DESC, u.user_id DESC"),
        ("create_time", "u.created_at, u.user_id"),
        ("last_login_time desc", "u.last_login_at DESC NULLS LAST, u.user_id DESC"),
        ("last_login_time", "u.last_login_at NULLS FIRST, u.user_id"),
    ] {
        for (state, state_name) in states {
            for role in ["", "normal_user", "education_user", "business_user", "support"] {
                for query in ["", "user", "anna", "user99"] {
                    let expected: Vec<String> = client
                        .query(&format!("{EXPECTED} ORDER BY {order} LIMIT 150"), &[&state_name, &role, &query])
                        .await
                        .unwrap()
                        .iter()
                        .map(|row| row.get::<_, Uuid>(0).to_string())
                        .collect();
                    let mut request = ListUsersRequest {
                        page_size: 75,
                        query: query.to_owned(),
                        state: state.into(),
                        role: role.to_owned(),
                        order_by: order_by.to_owned(),
                        ..ListUsersRequest::default()
                    };
                    let first = admin.list_users(request.clone()).await.unwrap();
                    let mut listed: Vec<_> = first.users.into_iter().map(|user| user.user_id).collect();
                    if !first.next_page_token.is_empty() {
                        request.page_token = first.next_page_token;
                        let second = admin.list_users(request).await.unwrap();
                        listed.extend(second.users.into_iter().map(|user| user.user_id));
                    }
                    assert_eq!(listed, expected, "{order_by} {state_name} {role} {query}");
                }
            }
        }
    }
}
