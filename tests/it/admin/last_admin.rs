//! The last one who can log in as an administrator stays, whatever happens at once.

use std::time::Duration;

use futures::future::join;
use tonic::Code;

use crate::harness::{PASSWORD, Refusal, SignedIn, TestApp, refused};

/// The three ways to lose an administrator.
#[derive(Clone, Copy, Debug)]
enum Way {
    Demote,
    Suspend,
    Delete,
}

const WAYS: [Way; 3] = [Way::Demote, Way::Suspend, Way::Delete];

async fn lose(by: &SignedIn, user_id: &str, way: Way) -> Result<(), Refusal> {
    match way {
        Way::Demote => by.set_user_roles(user_id, &["normal_user"]).await.map(drop),
        Way::Suspend => by.suspend_user(user_id).await.map(drop),
        Way::Delete => by.delete_user(user_id).await,
    }
}

async fn admins(app: &TestApp) -> i64 {
    let count = "SELECT count(*) FROM user_roles JOIN users USING (user_id) WHERE role = 'admin' AND state = 'ACTIVE'";
    app.database.client().await.query_one(count, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_last_administrator_can_be_lost_in_no_way() {
    let app = TestApp::start().await;
    let root = app.administrator("root@example.com").await;
    let root_id = root.get_account().await.unwrap().user_id;
    for way in WAYS {
        refused(lose(&root, &root_id, way).await).with(Code::FailedPrecondition, "LAST_ADMIN");
    }
    // One who is suspended, or has not taken the invitation, cannot log in and does not count.
    let suspended = app.user("suspended@example.com").await.user.user_id;
    root.set_user_roles(&suspended, &["admin"]).await.unwrap();
    root.suspend_user(&suspended).await.unwrap();
    let invited = root.create_user("invited@example.com", "").await.unwrap().user_id;
    root.set_user_roles(&invited, &["admin"]).await.unwrap();
    for way in WAYS {
        refused(lose(&root, &root_id, way).await).with(Code::FailedPrecondition, "LAST_ADMIN");
    }
    root.get_account().await.unwrap();
    // They themselves may go.
    lose(&root, &suspended, Way::Demote).await.unwrap();
    lose(&root, &invited, Way::Delete).await.unwrap();
}

#[tokio::test]
async fn any_other_administrator_may_go_in_every_way() {
    let app = TestApp::start().await;
    let root = app.administrator("root@example.com").await;
    for (number, way) in WAYS.into_iter().enumerate() {
        let other = app.user(&format!("other{number}@example.com")).await.user.user_id;
        root.set_user_roles(&other, &["admin"]).await.unwrap();
        lose(&root, &other, way).await.unwrap();
        assert_eq!(admins(&app).await, 1);
    }
    assert_eq!(root.get_account().await.unwrap().roles, ["admin", "normal_user"]);
}

#[tokio::test]
async fn of_two_administrators_who_turn_on_each_other_one_stays() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let mut won = [0, 0];
    for (round, (one_way, other_way)) in
        WAYS.into_iter().flat_map(|one| WAYS.map(|other| (one, other))).cycle().take(45).enumerate()
    {
        // Both new, so that whatever the round before has left does not count.
        let one = app.administrator(&format!("one{round}@example.com")).await;
        let other = app.administrator(&format!("other{round}@example.com")).await;
        let ids = [one.get_account().await.unwrap().user_id, other.get_account().await.unwrap().user_id];
        let rest = "DELETE FROM user_roles WHERE role = 'admin' AND user_id::text <> ALL($1)";
        app.database.client().await.execute(rest, &[&ids.as_slice()]).await.unwrap();
        assert_eq!(admins(&app).await, 2);

        let other = SignedIn::clone(&other).at_replica(&replica);
        let (first, second) = join(lose(&one, &ids[1], one_way), lose(&other, &ids[0], other_way)).await;
        assert_eq!(admins(&app).await, 1, "{one_way:?} against {other_way:?}: {first:?}, {second:?}");
        assert!(first.is_ok() != second.is_ok(), "{one_way:?} against {other_way:?}: {first:?}, {second:?}");
        won[usize::from(second.is_ok())] += 1;
        // The one that came too late was no administrator any more, or would have taken the last one.
        let late = first.err().or(second.err()).unwrap();
        let told = ["LAST_ADMIN", "TOKEN_REVOKED", "PERMISSION_MISSING"].contains(&late.reason());
        assert!(told, "{late:?}");
    }
    assert!(won[0] + won[1] == 45);
}

#[tokio::test]
async fn of_many_administrators_who_all_leave_one_stays() {
    let app = TestApp::start().await;
    let mut leaving = Vec::new();
    for number in 0..8 {
        leaving.push(app.administrator(&format!("admin{number}@example.com")).await);
    }
    app.advance(Duration::from_secs(1));
    let leave = leaving.iter().enumerate().map(async |(number, admin)| {
        let user_id = admin.get_account().await.unwrap().user_id;
        match number % 4 {
            0 => admin.delete_account(PASSWORD).await,
            1 => lose(admin, &user_id, Way::Delete).await,
            2 => lose(admin, &user_id, Way::Suspend).await,
            _ => lose(admin, &user_id, Way::Demote).await,
        }
    });
    let outcomes = futures::future::join_all(leave).await;
    let stayed: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert_eq!(admins(&app).await, 1);
    let [refusal] = <[Refusal; 1]>::try_from(stayed).unwrap();
    refusal.with(Code::FailedPrecondition, "LAST_ADMIN");
}
