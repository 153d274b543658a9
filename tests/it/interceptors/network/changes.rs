//! Changes of the rules: who hears of them, what happens meanwhile, and which ones are refused.

use keyward::flows::networks::Target;
use keyward::model::network::NetworkAction::{Allow, Block};

use super::operator::Operator;
use super::{behind_a_proxy, may_call, reason};
use crate::harness::TestApp;

#[tokio::test]
async fn every_replica_hears_of_a_rule_and_of_its_end() {
    let app = behind_a_proxy().await;
    let second = app.replica().await;
    let operator = Operator::of(&app).await;
    let rule = operator.make(Block, "203.0.113.0/24").await.unwrap();
    operator.obeyed_by(app.first()).await;
    operator.obeyed_by(&second).await;
    assert!(!may_call(app.first(), "203.0.113.9").await);
    assert!(!may_call(&second, "203.0.113.9").await);
    // One that starts later knows it from its first call on.
    assert!(!may_call(&app.replica().await, "203.0.113.9").await);

    operator.remove_by(Target::Rule(rule.network_rule_id)).await.unwrap();
    operator.obeyed_by(app.first()).await;
    operator.obeyed_by(&second).await;
    assert!(may_call(app.first(), "203.0.113.9").await);
    assert!(may_call(&second, "203.0.113.9").await);
}

#[tokio::test]
async fn while_the_database_is_away_the_last_known_rules_stay_in_force() {
    let app = behind_a_proxy().await;
    let operator = Operator::of(&app).await;
    operator.make(Block, "203.0.113.0/24").await.unwrap();
    operator.obeyed_by(app.first()).await;

    app.database.go_away().await;
    assert!(!may_call(app.first(), "203.0.113.9").await);
    assert!(may_call(app.first(), "192.0.2.1").await);

    app.database.come_back().await;
    operator.make(Block, "192.0.2.0/24").await.unwrap();
    operator.obeyed_by(app.first()).await;
    assert!(!may_call(app.first(), "203.0.113.9").await);
    assert!(!may_call(app.first(), "192.0.2.1").await);
}

#[tokio::test]
async fn a_network_has_one_rule() {
    let app = TestApp::start().await;
    let operator = Operator::of(&app).await;
    let first = operator.make(Block, "203.0.113.0/24").await.unwrap();
    for action in [Block, Allow] {
        let second = operator.make(action, "203.0.113.0/24").await;
        assert_eq!(reason(second), "NETWORK_RULE_EXISTS");
    }
    let folded = operator.make(Allow, "::ffff:203.0.113.0/120").await;
    assert_eq!(reason(folded), "NETWORK_RULE_EXISTS");
    assert_eq!(operator.list().await, [first]);
    operator.remove("203.0.113.0/24").await.unwrap();
    let gone = operator.remove("203.0.113.0/24").await;
    assert_eq!(reason(gone), "NETWORK_RULE_NOT_FOUND");
    assert_eq!(operator.list().await, []);
}
