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
fn an_empty_variable_sets_no_key_by_any_name() {
    let text = "database.url = 'postgres://file'\nserver.trusted_proxies = ['10.0.0.0/8']";
    let defaults: Table = DEFAULTS.parse().unwrap();
    let names = tree::leaves(&defaults).into_iter().map(|(key, _)| environment::variable(&key));
    let names = names.chain(environment::ALIASES.map(|(name, _)| name.to_owned()));
    let empty: Vec<(String, String)> = names.map(|name| (name, String::new())).collect();
    let (_directory, path) = file(text);
    let config = Config::load(Some(&path), empty.clone()).unwrap();
    assert_eq!(config.effective(), Config::load(Some(&path), []).unwrap().effective());

    let with_alias = empty.into_iter().filter(|(name, _)| name != "DATABASE_URL");
    let config =
        Config::load(None, with_alias.chain([("DATABASE_URL".to_owned(), "postgres://d".to_owned())])).unwrap();
    assert_eq!(config.database_url().unwrap().expose_secret(), "postgres://d");
    assert_eq!(problems("", &[("KEYWARD__TOKENS__ACCES_TTL", "")]).len(), 1);
}

#[test]
fn a_mail_server_by_any_name_chooses_the_transport_unless_one_is_chosen() {
    let transport = |text: &str, environment: &[_]| load(text, environment).unwrap().mail.transport;
    let (_directory, path) = file("smtp://mail");
    let by_file = format!("mail.smtp_url_file = '{}'", path.display());
    assert_eq!(transport("mail.smtp_url = 'smtp://mail'", &[]), MailTransport::Smtp);
    assert_eq!(transport(&by_file, &[]), MailTransport::Smtp);
    assert_eq!(transport("", &[("KEYWARD__MAIL__SMTP_URL", "smtp://mail")]), MailTransport::Smtp);
    assert_eq!(transport("", &[("KEYWARD__MAIL__SMTP_URL_FILE", path.to_str().unwrap())]), MailTransport::Smtp);
    assert_eq!(transport("mail.transport = 'log'", &[("SMTP_URL", "smtp://mail")]), MailTransport::Smtp);
    assert_eq!(transport("mail.smtp_url = ''", &[]), MailTransport::Log);

    let chosen = "mail = { transport = 'log', smtp_url = 'smtp://mail' }";
    assert_eq!(transport(chosen, &[]), MailTransport::Log);
    let log = ("KEYWARD__MAIL__TRANSPORT", "log");
    assert_eq!(transport("mail.smtp_url = 'smtp://mail'", &[log]), MailTransport::Log);
    assert_eq!(transport("", &[("SMTP_URL", "smtp://mail"), log]), MailTransport::Log);
}

#[test]
fn a_mail_password_without_tls_is_warned_of() {
    let warnings = |url| load("", &[("REDIS_URL", "redis://r"), ("SMTP_URL", url)]).unwrap().warnings().concat();
    let warning = warnings("smtp://u:p@mail.example.com:587");
    assert!(warning.contains("mail.smtp_url holds a password and does not demand TLS"), "{warning}");
    assert_eq!(warnings("smtp://u:p@mail.example.com?tls=required"), "");
}

#[test]
fn trusted_proxies_are_read_as_network_rules_are() {
    let proxies = |list: &str| load("", &[("KEYWARD__SERVER__TRUSTED_PROXIES", list)]).unwrap().server.trusted_proxies;
    let shown: Vec<String> =
        proxies("10.0.0.1, fd00::1,::ffff:192.0.2.0/120").iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.1/32", "fd00::1/128", "192.0.2.0/24"]);
    let told = problems("server.trusted_proxies = ['10.0.0.1/8']", &[]).concat();
    assert!(told.contains("the network is 10.0.0.0/8"), "{told}");
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
