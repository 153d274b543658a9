//! The configuration as operators give it to the program: `keyward check-config` says what is in force.

use crate::admin::program::{Ran, keyward, program};
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

#[tokio::test]
async fn a_url_with_a_part_that_would_be_ignored_is_refused_by_its_key() {
    let odd = [
        ("mail.smtp_url", "smtps://mail.example.com?tls=none"),
        ("mail.smtp_url", "smtp://anna@mail.example.com"),
        ("mail.smtp_url", "smtp://mail.example.com?tls=required&starttls=no"),
        ("redis.url", "rediss://redis.example.com#insecure"),
        ("redis.url", "redis://redis.example.com?ssl=true"),
        ("redis.url", "redis://a.example.com,rediss://b.example.com"),
    ];
    for (key, url) in odd {
        let ran = check(&[(key, url)]).await;
        assert_eq!(ran.code, Some(1), "{url}: {ran:?}");
        assert!(ran.err.contains(&format!("{key}: ")) && !ran.err.contains("example.com"), "{url}: {ran:?}");
    }
}

#[tokio::test]
async fn a_mail_password_that_may_cross_a_network_in_the_clear_is_warned_of() {
    let warning = "# warning: mail.smtp_url holds a password and does not demand TLS";
    let ran = check(&[("mail.smtp_url", "smtp://u:p@mail.example.com:587")]).await;
    assert!(ran.code == Some(0) && ran.out.contains(warning), "{ran:?}");
    let ran = check(&[("mail.smtp_url", "smtp://u:p@[::1]:587")]).await;
    assert!(ran.code == Some(0) && !ran.out.contains(warning), "{ran:?}");
}

#[tokio::test]
async fn authorities_that_are_named_and_cannot_be_read_are_told_before_tls_is_tried() {
    let directory = tempfile::tempdir().unwrap();
    let (missing, broken) = (directory.path().join("missing.pem"), directory.path().join("broken.pem"));
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for file in [missing, broken] {
        for (key, url) in [("mail.smtp_url", "smtps://mail.example.com"), ("redis.url", "rediss://redis.example.com")] {
            let settings = Settings::bare().set("database.url", "postgres://127.0.0.1/keyward").set(key, url);
            let mut command = program(&settings, &["check-config"]);
            let output = command.env("SSL_CERT_FILE", &file).output().unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{url}: {told}");
            assert!(told.contains(key) && told.contains("SSL_CERT_FILE"), "{url}: {told}");
        }
    }
}
