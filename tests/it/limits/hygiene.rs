//! What lies in Redis: nothing that tells who it is about, and nothing that stays.

use redis::AsyncCommands;

use super::{OPERATIONS, behind_a_proxy, device_at, guess};
use crate::harness::{RedisServer, Settings, TestApp};

/// What would tell who called.
const WHO: [&str; 5] = ["my-phone", "198.51.100", "2001:db8", "somebody", "example"];

#[tokio::test]
async fn keys_name_nobody_and_none_is_there_for_good() {
    let redis = RedisServer::start().await;
    let settings = behind_a_proxy().limited().set("redis.url", &redis.url()).set("redis.key_prefix", "kw.test");
    let app = TestApp::with(settings).await;
    for n in 0..8 {
        for operation in OPERATIONS {
            let _ = guess(operation, &device_at(&app, "my-phone", "198.51.100.7"), n).await;
        }
        let _ = device_at(&app, "198.51.100.8", "2001:db8::7").get_origin().await;
    }
    let mut client = redis.client().await;
    let mut keys: Vec<String> = client.keys("*").await.unwrap();
    keys.retain(|key| !key.ends_with(":probe"));
    // By device and by address: the requests of nine operations, and the failures of the five that have any.
    let (indexes, lists): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.contains(":locked"));
    assert_eq!(lists.len(), 2 * (9 + 5), "{lists:?}");
    let by_name = indexes.iter().filter(|key| key.ends_with(":names")).count();
    assert!(by_name > 0 && indexes.len() == 2 * by_name, "{indexes:?}");
    for index in indexes {
        let ttl: i64 = client.pttl(&index).await.unwrap();
        assert!(ttl > 0, "{index} stays for good");
        let members: Vec<Vec<u8>> = client.zrange(&index, 0, -1).await.unwrap();
        assert!(!members.is_empty());
        for member in members {
            let text = String::from_utf8_lossy(&member);
            assert!(WHO.iter().all(|word| !text.contains(word)), "{index}: {text}");
        }
    }
    let keys = lists;
    for key in keys {
        assert!(key.starts_with("kw.test:{"), "{key}");
        assert!(WHO.iter().all(|word| !key.contains(word)), "{key}");
        let ttl: i64 = client.pttl(&key).await.unwrap();
        assert!(ttl > 0, "{key} stays for good");
        let values: Vec<String> = client.lrange(&key, 0, -1).await.unwrap();
        for value in values {
            // A time, and the tag of a failure.
            let (time, tag) = value.split_once(':').unwrap_or((&value, ""));
            assert!(time.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()), "{key}: {value}");
            assert!(tag.len() <= 16 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}: {value}");
        }
    }
}

#[tokio::test]
async fn the_same_device_at_the_same_address_has_other_keys_under_another_master_key() {
    let redis = RedisServer::start().await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let master_key = Settings::default().value("master_key").to_owned();
        let settings = behind_a_proxy().limited().set("redis.url", &redis.url()).set("master_key", &master_key);
        let app = TestApp::with(settings).await;
        device_at(&app, "my-phone", "198.51.100.7").get_origin().await.unwrap();
        let keys: Vec<String> = redis.client().await.keys("*throttle*").await.unwrap();
        seen.push(keys.len());
    }
    assert_eq!(seen, [2, 4]);
}
