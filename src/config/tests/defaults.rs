//! Rules that `defaults.toml` keeps.

use super::*;
use crate::config::tree;

/// The comment above each key that has a line of its own, and that line.
fn documented() -> Vec<(String, String, String)> {
    let (mut found, mut section, mut comment) = (Vec::new(), String::new(), String::new());
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix("# ") {
            comment.push_str(text);
            comment.push(' ');
        } else if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        } else if let Some((name, value)) = line.split_once(" = ") {
            found.push((format!("{section}{}", name.trim()), value.to_owned(), comment.clone()));
            if !value.starts_with('{') {
                comment.clear();
            }
        } else {
            comment.clear();
        }
    }
    found
}

#[test]
fn the_defaults_are_valid_and_hold_the_values_of_the_contract() {
    let config = Config::load(None, []).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(config.server.http_listen.to_string(), "127.0.0.1:9464");
    assert!(config.server.trusted_proxies.is_empty() && config.server.reflection);
    assert_eq!((config.server.max_connections, config.server.max_connections_per_address), (10_000, 256));
    assert_eq!(config.server.handshake_timeout, Duration::from_secs(10));
    assert_eq!(config.server.max_connection_age, Duration::from_mins(30));
    assert_eq!(config.server.max_connection_age_grace, Duration::from_secs(30));
    assert_eq!(config.server.drain_delay, Duration::ZERO);
    assert_eq!(config.redis.key_prefix, "keyward");
    assert_eq!(config.tokens.access_ttl, Duration::from_mins(3));
    assert_eq!(config.tokens.refresh_absolute_ttl, Duration::from_hours(90 * 24));
    assert_eq!(config.tokens.signing_key_rotation, Duration::from_hours(30 * 24));
    assert_eq!((config.tokens.issuer.as_str(), config.tokens.algorithm), ("keyward", Algorithm::Es256));
    assert_eq!(config.sessions.max_devices.get(), 5);
    assert_eq!((config.codes.ttl, config.codes.attempts.get()), (Duration::from_mins(3), 5));
    assert_eq!((config.passwords.memory_kib.get(), config.passwords.workers), (19456, Workers::Cores));
    assert_eq!(config.throttle.store, ThrottleStore::Auto);
    assert_eq!(
        (config.throttle.operations.standard.device.get(), config.throttle.operations.standard.ip.get()),
        (60, 600)
    );
    let (login, refresh) = (config.throttle.operations.login, config.throttle.operations.refresh);
    assert_eq!((login.device_cooldown, login.ip_cooldown), (None, Some(Duration::from_mins(1))));
    assert_eq!(
        (refresh.device_cooldown, refresh.ip_cooldown),
        (Some(Duration::from_secs(30)), Some(Duration::from_secs(30)))
    );
    let verify_email = config.lockout.operations.verify_email;
    assert_eq!((verify_email.device_failures, verify_email.device_lock), (6, Duration::from_mins(30)));
    assert_eq!((verify_email.ip_failures, verify_email.ip_lock), (20, Duration::from_hours(3)));
    assert_eq!((config.lockout.session.failures, config.lockout.session.lock), (5, Duration::from_mins(5)));
    assert_eq!(config.lockout.account.max_lock, Duration::from_hours(24));
}

#[test]
fn every_key_has_a_comment() {
    let documented = documented();
    for (key, _, comment) in &documented {
        assert!(comment.trim().ends_with('.'), "{key} has no comment");
    }
    let table: Table = DEFAULTS.parse().unwrap();
    for (key, _) in tree::leaves(&table) {
        let is_documented =
            |(known, ..): &(String, String, String)| key == *known || key.starts_with(&format!("{known}."));
        assert!(documented.iter().any(is_documented), "{key}");
    }
}

/// The nearest value below or above a limit.
fn beyond(limit: &str, down: bool) -> Option<String> {
    if let Ok(number) = limit.parse::<i64>() {
        return Some(if down { number - 1 } else { number + 1 }.to_string());
    }
    let (limit, step) = (super::super::duration::parse(limit).unwrap(), Duration::from_millis(1));
    let value = if down { limit.checked_sub(step) } else { limit.checked_add(step) };
    value.map(|value| format!("{}ms", value.as_millis()))
}

#[test]
fn the_limits_in_the_comments_are_the_limits_enforced() {
    let quota =
        ["throttle.operations.login.device", "throttle.operations.standard.ip"].map(|key| (key, "1", "1000000"));
    let windows = [("lockout.operations.login.window", "1s", "1d")];
    let failures = [
        ("lockout.operations.login.device_failures", "0", "1000000"),
        ("lockout.operations.login.ip_failures", "0", "1000000"),
    ];
    let cooldowns = [
        ("throttle.operations.login.device_cooldown", "1s", "30d"),
        ("throttle.operations.refresh.ip_cooldown", "1s", "30d"),
    ];
    let locks =
        [("lockout.operations.login.device_lock", "1s", "30d"), ("lockout.operations.login.ip_lock", "1s", "30d")];
    let inline = quota.into_iter().chain(windows).chain(failures).chain(locks).chain(cooldowns);
    let mut limits: Vec<(String, String, String)> =
        inline.map(|(key, low, high)| (key.to_owned(), low.to_owned(), high.to_owned())).collect();

    for (key, value, comment) in documented() {
        let is_span = super::super::duration::parse(value.trim_matches('"')).is_some();
        if is_span || value.parse::<i64>().is_ok() || key == "passwords.workers" {
            assert!(comment.contains("From "), "{key} tells no limits");
            let from = comment.split("From ").nth(1).unwrap();
            let (low, rest) = from.split_once(" to ").unwrap();
            limits.push((key, low.to_owned(), rest.split(". ").next().unwrap().to_owned()));
        }
    }

    assert!(limits.len() > 40, "{}", limits.len());
    for (key, low, high) in limits {
        let variable = environment::variable(&key);
        for (limit, down) in [(&low, true), (&high, false)] {
            let within = load("", &[(&variable, limit)]).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(!within.contains("must be from"), "{key} = {limit}: {within}");
            let Some(value) = beyond(limit, down) else {
                continue;
            };
            let error = problems("", &[(&variable, &value)]).concat();
            assert!(error.contains(&format!("{key}: ")), "{key} = {value}: {error}");
        }
    }
}

#[test]
fn a_cooldown_that_is_empty_or_a_dash_is_the_general_one() {
    let key = "throttle.operations.refresh.ip_cooldown";
    let text = |value: &str| format!("[throttle.operations.refresh]\nip_cooldown = '{value}'");
    for value in ["", "-"] {
        let config = load(&text(value), &[]).unwrap();
        assert_eq!(config.throttle.operations.refresh.ip_cooldown, None);
    }
    let config = load("", &[("KEYWARD__THROTTLE__OPERATIONS__REFRESH__IP_COOLDOWN", "-")]).unwrap();
    assert_eq!(config.throttle.operations.refresh.ip_cooldown, None);
    assert!(problems(&text("soon"), &[]).concat().contains(key));
}

#[test]
fn what_counts_no_failures_has_no_lockout_to_configure() {
    for operation in ["register", "refresh", "request_password_reset", "standard"] {
        let key = format!("lockout.operations.{operation}.device_failures");
        let told = problems("", &[(&environment::variable(&key), "7")]).concat();
        assert!(told.contains("unknown key"), "{key}: {told}");
    }
    let none = [("KEYWARD__LOCKOUT__OPERATIONS__LOGIN__DEVICE_FAILURES", "0")];
    assert_eq!(load("", &none).unwrap().lockout.operations.login.device_failures, 0);
}
