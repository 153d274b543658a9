//! THROTTLE_NONE: a service whose key is known is never throttled, and whoever else calls such a method is.

use keyward::proto::keyward::v1::{IntrospectTokenRequest, WatchRevocationsRequest};
use tonic::Code;

use crate::admin::{administrator, service};
use crate::harness::{Device, Refusal, Settings, TestApp, answer, refused};

async fn introspect(device: &Device) -> Result<bool, Refusal> {
    let access_token = "garbage".to_owned();
    Ok(answer(device.sessions().introspect_token(IntrospectTokenRequest { access_token }).await)?.active)
}

/// Calls as often as an address, or a device, may, and once more.
async fn throttled_after(device: &Device, allowed: usize, reason: &str) {
    for _ in 0..allowed {
        assert_eq!(refused(introspect(device).await).reason(), reason);
    }
    refused(introspect(device).await).with(Code::ResourceExhausted, "THROTTLED");
}

fn settings(device: &str, ip: &str) -> Settings {
    let settings = Settings::default().set("throttle.enabled", "true");
    settings.set("throttle.operations.standard.device", device).set("throttle.operations.standard.ip", ip)
}

#[tokio::test]
async fn a_known_service_is_not_throttled_where_everybody_else_is() {
    let app = TestApp::with(settings("1000", "4")).await;
    let key = service(&app, &["tokens.introspect"]).await;
    for _ in 0..20 {
        introspect(&key).await.unwrap();
        key.sessions().watch_revocations(WatchRevocationsRequest::default()).await.unwrap();
    }
    let unknown = app.stranger().bearing(&format!("kws_{}", "A".repeat(43)));
    throttled_after(&unknown, 4, "TOKEN_INVALID").await;
    // Nor is it held up by what others have done from its address.
    introspect(&key).await.unwrap();
    refused(introspect(&app.stranger()).await).with(Code::ResourceExhausted, "THROTTLED");
}

#[tokio::test]
async fn a_call_without_a_known_key_is_counted_by_its_device_where_it_names_one() {
    let app = TestApp::with(settings("3", "1000")).await;
    let admin = administrator(&app).await;
    for _ in 0..3 {
        introspect(&admin).await.unwrap();
    }
    refused(introspect(&admin).await).with(Code::ResourceExhausted, "THROTTLED");
    let unknown = app.device("gateway").bearing(&format!("kws_{}", "A".repeat(43)));
    throttled_after(&unknown, 3, "TOKEN_INVALID").await;
    throttled_after(&app.device("nobody"), 3, "TOKEN_MISSING").await;
    // A known key is not, whatever device it names.
    let known = service(&app, &["tokens.introspect"]).await;
    introspect(&known.with("device-id", "gateway")).await.unwrap();
}
