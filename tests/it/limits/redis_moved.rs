//! Redis under a name that leads elsewhere: what has become a replica, or does not serve us any more, is left at once.

use redis::AsyncCommands;
use tonic_health::pb::health_check_response::ServingStatus;

use super::redis_away::redis_is;
use super::{device_at, guess, throttled, was_let_through};
use crate::harness::proxy::{Proxy, ProxyTarget};
use crate::harness::{RedisServer, TestApp, within_patience};

/// What befalls the old server, while its connections stay open: the error that it answers with from then on.
const FALLS: [(&str, &[&str]); 3] = [
    ("READONLY", &["REPLICAOF 127.0.0.1 1"]),
    ("MASTERDOWN", &["CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1"]),
    ("NOPERM", &["ACL SETUSER default -@all +acl"]),
];

fn target(server: &RedisServer) -> ProxyTarget {
    ProxyTarget::Tcp(format!("127.0.0.1:{}", server.port()))
}

async fn keys(server: &RedisServer) -> usize {
    server.client().await.keys::<_, Vec<String>>("*{resend_code}:throttle*").await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_one_no_more_is_left_for_where_its_name_leads() {
    for (error, orders) in FALLS {
        let (old, new) = (RedisServer::start().await, RedisServer::start().await);
        let proxy = Proxy::to(target(&old)).await;
        let url = format!("redis://{}", proxy.address());
        let app = TestApp::with(throttled().set("redis.url", &url).set("redis.timeout", "5s")).await;
        redis_is(&app, ServingStatus::Serving).await;
        let call = async |name: &str| guess("resend_code", &device_at(&app, name, "198.51.100.7"), 0).await;
        assert!(was_let_through(&call("before").await));
        assert!(keys(&old).await > 0);

        let mut client = old.client().await;
        proxy.lead_to(target(&new));
        for order in orders {
            let mut words = order.split(' ');
            let mut command = redis::cmd(words.next().unwrap());
            words.for_each(|word| {
                command.arg(word);
            });
            command.query_async::<()>(&mut client).await.unwrap();
        }
        // Not even the call that meets it is counted in memory alone.
        assert!(was_let_through(&call("after").await), "{error}");
        let counted = async { while keys(&new).await == 0 {} };
        within_patience("the call to be counted in the new Redis", counted).await;
        redis_is(&app, ServingStatus::Serving).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_left_for_where_its_name_leads() {
    let (old, new) = (RedisServer::start().await, RedisServer::start().await);
    let proxy = Proxy::to(target(&old)).await;
    let url = format!("redis://{}", proxy.address());
    let app = TestApp::with(throttled().set("redis.url", &url).set("redis.timeout", "100ms")).await;
    redis_is(&app, ServingStatus::Serving).await;
    proxy.lead_to(target(&new));
    old.freeze();
    // Nobody is refused for it.
    assert!(was_let_through(&guess("resend_code", &device_at(&app, "at-once", "198.51.100.7"), 0).await));
    redis_is(&app, ServingStatus::Serving).await;
    let mut n = 0;
    let counted = async {
        while keys(&new).await == 0 {
            n += 1;
            let device =
                device_at(&app, &format!("device-{n}"), &format!("2001:db8:{:x}:{:x}::1", n >> 16, n & 0xffff));
            assert!(was_let_through(&guess("resend_code", &device, 0).await));
        }
    };
    within_patience("calls to be counted in the new Redis", counted).await;
    old.thaw();
}
