//! Secrets: as values and as files, needed and missing, and never shown.

use super::*;

#[test]
fn no_secret_shows_in_debug_or_in_the_effective_configuration() {
    let config = load(
        "redis.url = 'redis://:hunter2@r'\nsessions.max_devices = 7",
        &[
            ("DATABASE_URL", "postgres://u:hunter2@d"),
            ("SMTP_URL", "smtps://u:hunter2@m"),
            ("KEYWARD_MASTER_KEY", MASTER_KEY),
            ("KEYWARD__TOKENS__ISSUER", "a \"b\""),
        ],
    )
    .unwrap();
    let (debug, effective) = (format!("{config:?} {config:#?}"), config.effective());
    for secret in ["hunter2", MASTER_KEY] {
        assert!(!debug.contains(secret) && !effective.contains(secret));
    }

    let lines: Vec<&str> = effective.lines().collect();
    assert_eq!(lines.first(), Some(&"master_key = \"********\"  # from KEYWARD_MASTER_KEY"));
    assert!(lines.contains(&"url = \"********\"  # from DATABASE_URL"));
    assert!(lines.contains(&"transport = \"smtp\"  # from SMTP_URL"));
    assert!(lines.iter().any(|line| line.starts_with("max_devices = 7  # from /")));
    assert!(lines.contains(&"[throttle.operations.login]"));
    assert!(lines.contains(&"access_ttl = \"3m\""));

    let table: Table = effective.parse().unwrap();
    let defaults: Table = DEFAULTS.parse().unwrap();
    assert_eq!(tree::leaves(&table).len(), tree::leaves(&defaults).len());
}

#[test]
fn no_secret_shows_in_what_is_refused() {
    let text = "database.url = ['hunter2']\nmaster_key = 'hunter2!'\nhunter = 'hunter2'";
    let error =
        load(text, &[("REDIS_URL", "hunter2"), ("SMTP_URL", "hunter2"), ("KEYWARD__HUNTER", "hunter2")]).unwrap_err();
    assert!(!format!("{error} {error:?} {error:#?}").contains("hunter2"), "{error}");
    assert_eq!(error.into_problems().len(), 6);
}

#[test]
fn secrets_come_from_files_as_well() {
    let (_directory, path) = file(&format!("{MASTER_KEY},{OTHER_KEY}\n"));
    let path = path.to_str().unwrap();
    let config = load("", &[("KEYWARD_MASTER_KEY_FILE", path)]).unwrap();
    assert_eq!(config.master_keys().unwrap().iter().count(), 2);
    assert_eq!(config.master_key_file.as_deref(), Some(Path::new(path)));

    let (_directory, path) = file("postgres://from-a-file\n");
    let config = load(&format!("database.url_file = '{}'", path.display()), &[]).unwrap();
    assert_eq!(config.database_url().unwrap().expose_secret(), "postgres://from-a-file");
}

#[test]
fn a_secret_and_its_file_from_one_place_contradict_each_other() {
    let told = problems("", &[("KEYWARD_MASTER_KEY", MASTER_KEY), ("KEYWARD__MASTER_KEY_FILE", "/nowhere")]);
    assert_eq!(
        told,
        ["master_key_file: master_key is given, too: only one of them can be (from KEYWARD__MASTER_KEY_FILE)"]
    );
    let told = problems("redis = { url = 'redis://r', url_file = '/nowhere' }", &[]);
    assert_eq!(told, ["redis.url_file: redis.url is given, too: only one of them can be (from keyward.toml)"]);
}

#[test]
fn the_environment_s_choice_of_a_secret_or_its_file_beats_the_file_s() {
    let config = load("database.url_file = '/nowhere'", &[("DATABASE_URL", "postgres://v")]).unwrap();
    assert_eq!(config.database_url().unwrap().expose_secret(), "postgres://v");
    assert_eq!(config.database.url_file, None);

    let (_directory, path) = file("postgres://from-a-file");
    let variable = ("KEYWARD__DATABASE__URL_FILE", path.to_str().unwrap());
    let config = load("database.url = 'postgres://v'", &[variable]).unwrap();
    assert_eq!(config.database_url().unwrap().expose_secret(), "postgres://from-a-file");
}

#[test]
fn files_that_hold_no_secret_are_refused() {
    let (_directory, empty) = file("\n");
    let told = problems(
        "",
        &[("KEYWARD_MASTER_KEY_FILE", "/nowhere/key"), ("KEYWARD__REDIS__URL_FILE", empty.to_str().unwrap())],
    );
    assert_eq!(told.len(), 2);
    assert_eq!(told.first().unwrap(), "redis.url_file: the file is empty (from KEYWARD__REDIS__URL_FILE)");
    assert!(told.last().unwrap().starts_with("master_key_file: cannot read the file: No such file"), "{told:?}");
}

#[test]
fn what_serve_needs_is_told_with_its_variables() {
    let config = load("", &[]).unwrap();
    let problems = config.require_for_serve().unwrap_err().into_problems();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "database.url: is not set: give it as DATABASE_URL, KEYWARD__DATABASE__URL or in the configuration file, or name a \
             file that holds it with database.url_file",
            "master_key: is not set: give it as KEYWARD_MASTER_KEY, KEYWARD__MASTER_KEY or in the configuration file, or name a \
             file that holds it with master_key_file",
        ]
    );

    let config = load("", &[("DATABASE_URL", "postgres://d"), ("KEYWARD_MASTER_KEY", MASTER_KEY)]).unwrap();
    assert!(config.require_for_serve().is_ok());
}
