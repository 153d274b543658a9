//! The configuration as operators give it to the program: `keyward check-config` says what is in force.

use crate::admin::program::{Ran, keyward};
use crate::harness::Settings;

/// Everything that `check-config` cannot do without, and these settings.
async fn check(settings: &[(&str, &str)]) -> Ran {
    let needed = Settings::bare().set("database.url", "postgres://127.0.0.1/keyward");
    let settings = settings.iter().fold(needed, |settings, (key, value)| settings.set(key, value));
    keyward(&settings, &["check-config"], "").await
}

#[tokio::test]
async fn a_variable_of_no_text_is_not_set_whatever_the_type_of_its_key() {
    let plain = check(&[]).await;
    assert_eq!(plain.code, Some(0), "{plain:?}");
    let empty = [
        "tokens.access_ttl",
        "database.max_connections",
        "server.reflection",
        "server.listen",
        "server.trusted_proxies",
        "log.format",
        "mail.from",
        "mail.transport",
        "passwords.workers",
        "throttle.operations.login.device",
        "redis.url",
    ];
    let ran = check(&empty.map(|key| (key, ""))).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), plain.out.as_str()), "{ran:?}");
}

#[tokio::test]
async fn a_mail_server_is_used_or_its_transport_chosen_otherwise() {
    let ran = check(&[("mail.smtp_url", "smtp://mail.example.com")]).await;
    assert!(ran.out.contains("transport = \"smtp\"  # from KEYWARD__MAIL__SMTP_URL\n"), "{ran:?}");
    let ran = check(&[("mail.smtp_url", "smtp://mail.example.com"), ("mail.transport", "log")]).await;
    assert!(ran.out.contains("transport = \"log\""), "{ran:?}");
}

#[tokio::test]
async fn a_trusted_proxy_may_be_one_address_and_never_a_network_with_further_bits() {
    let ran = check(&[("server.trusted_proxies", "10.0.0.1,fd00::/8")]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = check(&[("server.trusted_proxies", "10.0.0.1/8")]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("the network is 10.0.0.0/8"), "{ran:?}");
}
