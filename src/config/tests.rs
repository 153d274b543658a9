//! The configuration as a whole: precedence, refusals, secrets, and the rules that `defaults.toml` keeps.

#![expect(clippy::unwrap_used, reason = "tests")]

mod defaults;
mod refusals;
mod secrets;

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// A master key from `openssl rand -base64 32`.
const MASTER_KEY: &str = "ktxZrHLRlAFZp34R8DCa3pAX3xCI7GDYIt3gn9bTJv0=";
/// Another one.
const OTHER_KEY: &str = "zCuOlebDfLKs8kCNoRyL0JAfOl+hkC39rkUJ6L8A648=";

/// A directory with a configuration file of this text.
fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keyward.toml");
    fs::write(&path, text).unwrap();
    (directory, path)
}

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let (_directory, path) = file(text);
    Config::load(Some(&path), environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// The problems, each as it is told, without the directory of the test's file.
fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let problems = load(text, environment).unwrap_err().into_problems();
    assert!(!problems.is_empty());
    let shorten = |origin: Origin| match origin {
        Origin::File(path) => Origin::File(path.file_name().unwrap().into()),
        variable @ Origin::Variable(_) => variable,
    };
    problems.into_iter().map(|problem| Problem { origin: problem.origin.map(shorten), ..problem }.to_string()).collect()
}

#[test]
fn the_environment_beats_the_file_and_the_file_beats_the_defaults() {
    let text = "[tokens]\naccess_ttl = '5m'\nrefresh_grace = '20s'\n[throttle.operations.login]\nip = 30";
    let config = load(
        text,
        &[
            ("KEYWARD__TOKENS__ACCESS_TTL", "1m"),
            ("KEYWARD__THROTTLE__OPERATIONS__LOGIN__DEVICE", "8"),
            ("PATH", "/bin"),
            ("KEYWARD_SERVICE_HOST", "10.0.0.1"),
        ],
    )
    .unwrap();
    assert_eq!(config.tokens.access_ttl, Duration::from_mins(1));
    assert_eq!(config.tokens.refresh_grace, Duration::from_secs(20));
    assert_eq!(config.tokens.refresh_idle_ttl, Duration::from_hours(18 * 24));
    let login = config.throttle.operations.login;
    assert_eq!((login.device.get(), login.ip.get()), (8, 30));
}

#[test]
fn text_of_the_environment_takes_the_type_of_its_key() {
    let config = load(
        "",
        &[
            ("KEYWARD__SERVER__LISTEN", "[::1]:0"),
            ("KEYWARD__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8"),
            ("KEYWARD__SERVER__REFLECTION", "false"),
            ("KEYWARD__PASSWORDS__WORKERS", "3"),
            ("KEYWARD__TOKENS__ALGORITHM", "EdDSA"),
            ("KEYWARD__MAIL__TRANSPORT", "file"),
            ("KEYWARD__MAIL__DIRECTORY", "mails"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.listen.to_string(), "[::1]:0");
    assert_eq!(config.server.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    assert!(!config.server.reflection);
    assert_eq!(config.passwords.workers.count().get(), 3);
    assert_eq!(config.tokens.algorithm, Algorithm::EdDsa);
    assert_eq!((config.mail.transport, config.mail.directory), (MailTransport::File, Some("mails".into())));
}

#[test]
fn a_number_in_the_file_may_become_a_word_in_the_environment() {
    let text = "passwords.workers = 4";
    let workers = |environment: &[_]| load(text, environment).unwrap().passwords.workers;
    assert_eq!(workers(&[]).count().get(), 4);
    assert_eq!(workers(&[("KEYWARD__PASSWORDS__WORKERS", "cores")]), Workers::Cores);
}

#[test]
fn variables_with_names_of_their_own_stand_between_the_file_and_keyward_s_own() {
    let text = "database.url = 'postgres://file'\nredis.url = 'redis://file'";
    let config = load(
        text,
        &[
            ("DATABASE_URL", "postgres://short"),
            ("KEYWARD__DATABASE__URL", "postgres://long"),
            ("REDIS_URL", "redis://short"),
            ("SMTP_URL", "smtp://short"),
        ],
    )
    .unwrap();
    let shown = |secret: Option<SecretString>| secret.unwrap().expose_secret().to_owned();
    assert_eq!(shown(config.database.url), "postgres://long");
    assert_eq!(shown(config.redis.url), "redis://short");
    assert_eq!(shown(config.mail.smtp_url), "smtp://short");
    assert_eq!(config.mail.transport, MailTransport::Smtp);
}

#[test]
fn an_empty_variable_with_a_name_of_its_own_sets_nothing_and_the_transport_can_differ() {
    let config = load("database.url = 'postgres://file'", &[("DATABASE_URL", ""), ("SMTP_URL", "")]).unwrap();
    assert!(config.database.url.is_some());
    assert_eq!(config.mail.transport, MailTransport::Log);

    let config = load("", &[("SMTP_URL", "smtp://mail"), ("KEYWARD__MAIL__TRANSPORT", "log")]).unwrap();
    assert_eq!(config.mail.transport, MailTransport::Log);
}

#[test]
fn warnings_tell_what_is_not_for_production() {
    let cheap =
        load("", &[("KEYWARD__PASSWORDS__MEMORY_KIB", "8"), ("REDIS_URL", "redis://r"), ("SMTP_URL", "smtp://m")]);
    let warnings = cheap.unwrap().warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings.concat().contains("OWASP"));
    assert_eq!(load("", &[]).unwrap().warnings().len(), 2);
}
