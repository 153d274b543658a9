//! ListNetworkRules, CreateNetworkRule and DeleteNetworkRule.

use std::time::Duration;

use keyward::proto::keyward::v1::CreateNetworkRuleRequest;
use keyward::proto::keyward::v1::network_rule::Action;
use tonic::Code;

use super::recorded;
use crate::harness::{Replica, Settings, TestApp, answer, refused, within_patience};

async fn behind_a_proxy() -> TestApp {
    TestApp::with(Settings::default().set("server.trusted_proxies", "127.0.0.0/8")).await
}

/// Whether calls from an address are let in.
async fn may_call(replica: &Replica, address: &str) -> bool {
    replica.stranger().with("x-forwarded-for", address).get_origin().await.is_ok()
}

async fn until_may_call(replica: &Replica, address: &str, may: bool) {
    let obeyed = async { while may_call(replica, address).await != may {} };
    within_patience("the replica to hear of the rule", obeyed).await;
}

#[tokio::test]
async fn a_blocked_network_is_refused_here_at_once_and_by_every_replica_soon() {
    let app = behind_a_proxy().await;
    let replica = app.replica().await;
    let admin = app.administrator("root@example.com").await;
    let rule = admin.create_network_rule(Action::Block, "203.0.113.0/24").await.unwrap();
    assert_eq!(
        (rule.cidr.as_str(), rule.action(), rule.reason.as_str()),
        ("203.0.113.0/24", Action::Block, "ticket 7")
    );
    assert!(!may_call(app.first(), "203.0.113.9").await);
    until_may_call(&replica, "203.0.113.9", false).await;
    admin.delete_network_rule(&rule.network_rule_id).await.unwrap();
    assert!(may_call(app.first(), "203.0.113.9").await);
    until_may_call(&replica, "203.0.113.9", true).await;
    refused(admin.delete_network_rule(&rule.network_rule_id).await).with(Code::NotFound, "NETWORK_RULE_NOT_FOUND");

    let recorded = recorded(&app, &rule.network_rule_id).await;
    let kinds: Vec<_> = recorded.iter().map(|(kind, ..)| kind.as_str()).collect();
    assert_eq!(kinds, ["NETWORK_RULE_CREATED", "NETWORK_RULE_DELETED"]);
    assert_eq!(recorded[0].2["cidr"], "203.0.113.0/24");
    let admin_id = admin.get_account().await.unwrap().user_id;
    assert!(recorded.iter().all(|(_, actor, _)| *actor == admin_id));
}

#[tokio::test]
async fn rules_are_listed_page_by_page_while_they_are_in_force() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let mut made = Vec::new();
    for number in 0..5 {
        app.advance(Duration::from_secs(1));
        let cidr = format!("2001:db8:{number}::/48");
        made.push(admin.create_network_rule(Action::Allow, &cidr).await.unwrap());
    }
    let seconds = (app.now() + Duration::from_mins(1)).timestamp();
    let passing = CreateNetworkRuleRequest {
        cidr: "198.51.100.7".to_owned(),
        action: Action::Block.into(),
        reason: String::new(),
        expire_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
    };
    let passing = answer(admin.admin().create_network_rule(passing).await).unwrap().network_rule.unwrap();
    assert_eq!((passing.cidr.as_str(), passing.expire_time.unwrap().seconds), ("198.51.100.7/32", seconds));
    assert_eq!(admin.list_network_rules(0, "").await.unwrap().network_rules.len(), 6);

    app.advance(Duration::from_mins(1));
    made.reverse();
    let first = admin.list_network_rules(3, "").await.unwrap();
    let second = admin.list_network_rules(3, &first.next_page_token).await.unwrap();
    assert_eq!([first.network_rules, second.network_rules].concat(), made);
    assert_eq!(second.next_page_token, "");
    refused(admin.delete_network_rule(&passing.network_rule_id).await).with(Code::NotFound, "NETWORK_RULE_NOT_FOUND");
    refused(admin.list_network_rules(3, "x").await).with(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn what_is_no_rule_is_refused() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    admin.create_network_rule(Action::Block, "203.0.113.0/24").await.unwrap();
    refused(admin.create_network_rule(Action::Allow, "203.0.113.0/24").await)
        .with(Code::AlreadyExists, "NETWORK_RULE_EXISTS");
    for cidr in ["", "203.0.113.1/24", "example.com", "203.0.113.0/33"] {
        refused(admin.create_network_rule(Action::Block, cidr).await)
            .with(Code::InvalidArgument, "FIELD_INVALID")
            .naming(&["cidr"]);
    }
    refused(admin.create_network_rule(Action::Unspecified, "192.0.2.0/24").await)
        .with(Code::InvalidArgument, "FIELD_INVALID")
        .naming(&["action"]);
    let rule = |reason: &str, seconds: i64| CreateNetworkRuleRequest {
        cidr: "192.0.2.0/24".to_owned(),
        action: Action::Block.into(),
        reason: reason.to_owned(),
        expire_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
    };
    let now = app.now().timestamp();
    for (request, field) in
        [(rule("", now), "expire_time"), (rule("", i64::MAX), "expire_time"), (rule("a\nb", now + 60), "reason")]
    {
        refused(answer(admin.admin().create_network_rule(request).await))
            .with(Code::InvalidArgument, "FIELD_INVALID")
            .naming(&[field]);
    }
    refused(admin.delete_network_rule("x").await)
        .with(Code::InvalidArgument, "FIELD_INVALID")
        .naming(&["network_rule_id"]);
}
