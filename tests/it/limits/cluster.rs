//! Redis Cluster: three nodes that share the keys among them.

use redis::AsyncCommands;

use super::throttles::QUOTAS;
use super::{OPERATIONS, device_at, guess, throttled, was_let_through};
use crate::harness::{RedisServer, TestApp, free_port, within_patience};

/// How many slots there are in a cluster.
const SLOTS: u16 = 16_384;

/// Three nodes that know each other, each with a third of the slots.
async fn cluster() -> Vec<RedisServer> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let bus_port = free_port().to_string();
        let options =
            ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-port", &bus_port];
        nodes.push((RedisServer::with(&options).await, bus_port));
    }
    let third = SLOTS.div_ceil(3);
    for ((node, _), start) in nodes.iter().zip((0..).step_by(third.into())) {
        let mut client = node.client().await;
        let mut slots = redis::cmd("CLUSTER");
        slots.arg("ADDSLOTSRANGE").arg(start).arg((start + i32::from(third) - 1).min(i32::from(SLOTS) - 1));
        slots.query_async::<()>(&mut client).await.unwrap();
        for (other, bus_port) in &nodes {
            let mut meet = redis::cmd("CLUSTER");
            meet.arg("MEET").arg("127.0.0.1").arg(other.port()).arg(bus_port);
            meet.query_async::<()>(&mut client).await.unwrap();
        }
    }
    for (node, _) in &nodes {
        let mut client = node.client().await;
        let formed = async {
            loop {
                let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(&mut client).await.unwrap();
                if info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384") {
                    return;
                }
            }
        };
        within_patience("the cluster to form", formed).await;
    }
    nodes.into_iter().map(|(node, _)| node).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_counted_across_a_cluster() {
    let nodes = cluster().await;
    let all = nodes.iter().map(RedisServer::url).collect::<Vec<_>>().join(",");
    let one = format!("{}?cluster=true", nodes[1].url());
    for (which, url) in [all, one].into_iter().enumerate() {
        let app = TestApp::with(throttled().set("redis.url", &url)).await;
        let second = app.replica().await;
        for operation in OPERATIONS {
            let mut passed = 0;
            for n in 0..40 {
                let device = device_at(&app, &format!("{which}-phone"), "198.51.100.7");
                let device = if n % 2 == 0 { device } else { device.at(&second) };
                passed += usize::from(was_let_through(&guess(operation, &device, n).await));
            }
            let (_, (quota, _), _) = QUOTAS.into_iter().find(|(name, ..)| *name == operation).unwrap();
            assert_eq!(passed, quota, "{operation}");
        }
    }
    let mut counts = Vec::new();
    for node in &nodes {
        counts.push(node.client().await.keys::<_, Vec<String>>("*throttle*").await.unwrap().len());
    }
    assert!(counts.iter().filter(|count| **count > 0).count() > 1, "all keys lie on one node: {counts:?}");
}
