//! What is refused, and in which words.

use super::*;

#[test]
fn unknown_keys_are_named_with_their_origin() {
    let text = "surprise = 1\n'server.listen' = 1\n[server]\nlisen = 'x'\n[server.listen]\na = 1\n[[nothing]]\nb = 1";
    let told = problems(
        text,
        &[("KEYWARD__TOKENS__ACCES_TTL", "1m"), ("KEYWARD__SERVER", "1"), ("KEYWARD__server__listen", "x")],
    );
    let expected = [
        "nothing: unknown key (from keyward.toml)",
        "server.lisen: unknown key (from keyward.toml)",
        "server.listen: is a value, not a section (from keyward.toml)",
        "server.listen: unknown key (from keyward.toml)",
        "surprise: unknown key (from keyward.toml)",
        "server: unknown key (from KEYWARD__SERVER)",
        "tokens.acces_ttl: unknown key (from KEYWARD__TOKENS__ACCES_TTL)",
        "server.listen: unknown key (from KEYWARD__server__listen)",
    ];
    assert_eq!(told, expected);
    assert_eq!(problems("server = 1", &[]), ["server: is a section, not a value (from keyward.toml)"]);
}

#[test]
fn values_that_do_not_fit_are_all_told_at_once() {
    let text =
        "[tokens]\naccess_ttl = 180\nalgorithm = 'none'\n[server]\ntrusted_proxies = ['10.0.0']\nlisten = 'localhost'";
    let told = problems(
        text,
        &[
            ("KEYWARD__SERVER__REFLECTION", "yes"),
            ("KEYWARD__SESSIONS__MAX_DEVICES", "0"),
            ("KEYWARD__CODES__ATTEMPTS", "11"),
            ("KEYWARD__CODES__TTL", "3"),
            ("KEYWARD__MAIL__FROM", "nobody"),
            ("KEYWARD__PASSWORDS__WORKERS", "0"),
        ],
    );
    let expected = [
        "server.listen: invalid socket address syntax (from keyward.toml)",
        "server.trusted_proxies: `10.0.0` must be a network such as 203.0.113.0/24 or 2001:db8::/32, or an address (from keyward.toml)",
        "tokens.access_ttl: invalid type: integer `180`, expected a string (from keyward.toml)",
        "tokens.algorithm: unknown variant `none`, expected one of `ES256`, `EdDSA`, `RS256`, `HS256` (from keyward.toml)",
        "codes.ttl: `3` is not a duration such as `250ms`, `30s`, `1h30m` or `18d` (from KEYWARD__CODES__TTL)",
        "mail.from: `nobody` is not a mailbox such as `Keyward <no-reply@example.org>` (from KEYWARD__MAIL__FROM)",
        "passwords.workers: `0` is not `cores` or a number from 1 to 1024 (from KEYWARD__PASSWORDS__WORKERS)",
        "server.reflection: must be true or false (from KEYWARD__SERVER__REFLECTION)",
        "sessions.max_devices: invalid value: integer `0`, expected a nonzero u16 (from KEYWARD__SESSIONS__MAX_DEVICES)",
        "codes.attempts: is 11, must be from 1 to 10 (from KEYWARD__CODES__ATTEMPTS)",
    ];
    assert_eq!(told, expected);
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    let told = problems(
        "",
        &[
            ("KEYWARD__TOKENS__REFRESH_ABSOLUTE_TTL", "1d"),
            ("KEYWARD__PASSWORDS__MEMORY_KIB", "8"),
            ("KEYWARD__PASSWORDS__PARALLELISM", "2"),
            ("KEYWARD__MAIL__TRANSPORT", "smtp"),
            ("KEYWARD__THROTTLE__STORE", "redis"),
            ("KEYWARD__SERVER__HTTP_LISTEN", "127.0.0.1:50051"),
            ("KEYWARD__REVOCATIONS__MAX_AGE", "250ms"),
            ("KEYWARD__LOCKOUT__ACCOUNT__MAX_LOCK", "1m"),
            ("KEYWARD__CODES__REGISTRATION_TTL", "1m"),
            ("KEYWARD__LOG__FILTER", "keyward=[loud"),
            ("KEYWARD__REDIS__KEY_PREFIX", "a{b}"),
            ("KEYWARD__MAIL__PRODUCT_NAME", "a\r\nBcc: b"),
            ("KEYWARD__MAIL__INVITATION_URL", "https://app.example/#welcome"),
        ],
    );
    let keys: Vec<&str> = told.iter().filter_map(|told| told.split(": ").next()).collect();
    let expected = [
        "server.http_listen",
        "redis.key_prefix",
        "mail.smtp_url",
        "mail.product_name",
        "mail.invitation_url",
        "tokens.refresh_idle_ttl",
        "codes.registration_ttl",
        "passwords.memory_kib",
        "revocations.max_age",
        "throttle.store",
        "lockout.account.max_lock",
        "log.filter",
    ];
    assert_eq!(keys, expected, "{told:#?}");
    assert_eq!(problems("mail.transport = 'file'", &[]), ["mail.directory: is not set, and mail.transport is file"]);
}

#[test]
fn two_listeners_may_both_take_a_free_port() {
    let ports = [("KEYWARD__SERVER__LISTEN", "127.0.0.1:0"), ("KEYWARD__SERVER__HTTP_LISTEN", "127.0.0.1:0")];
    assert!(load("", &ports).is_ok());
}

#[test]
fn a_file_that_is_missing_or_not_toml_is_named() {
    let error = Config::load(Some(Path::new("/nowhere/keyward.toml")), []).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the configuration file /nowhere/keyward.toml");
    assert!(std::error::Error::source(&error).is_some());

    let error = load("[database]\nurl = 'postgres://hunter2\n", &[]).unwrap_err();
    assert!(matches!(&error, ConfigError::Syntax { line: 2, .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
