//! Secrets in the configuration: each given as a value or as a file that holds it, and none of them printed.

use std::fs;

use secrecy::SecretString;
use serde::de::{Deserialize, Deserializer};
use toml::Value;

use super::error::Origin;
use super::layers::Layers;
use super::problems::Problems;
use super::tree;

/// The keys with a secret, each with the key of the file that may hold it instead.
const SECRETS: [(&str, &str); 4] = [
    ("database.url", "database.url_file"),
    ("redis.url", "redis.url_file"),
    ("mail.smtp_url", "mail.smtp_url_file"),
    ("master_key", "master_key_file"),
];

/// Whether the value of `key` must not be shown.
pub(super) fn is_secret(key: &str) -> bool {
    SECRETS.iter().any(|(secret, _)| *secret == key)
}

/// For `#[serde(deserialize_with)]` of a secret that may be left out: an empty string is `None`.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(if text.is_empty() { None } else { Some(SecretString::from(text)) })
}

/// Reads the files that hold secrets, and puts what they hold where the secrets go.
///
/// A value in the environment beats a file named in the configuration file and the other way round; both from the same place
/// contradict each other.
pub(super) fn read_files(layers: &mut Layers) {
    for (key, file_key) in SECRETS {
        if is_set(layers, key) && is_set(layers, file_key) {
            match (kind(&layers.problems, key), kind(&layers.problems, file_key)) {
                (Kind::Variable, Kind::File) => clear(layers, file_key),
                (Kind::File, Kind::Variable) => clear(layers, key),
                _ => layers.problems.add(file_key, format!("{key} is given, too: only one of them can be")),
            }
        }
        if is_set(layers, file_key) && !is_set(layers, key) {
            read_file(layers, key, file_key);
        }
    }
}

fn read_file(layers: &mut Layers, key: &str, file_key: &str) {
    let Some(path) = tree::find(&layers.values, file_key).and_then(Value::as_str) else {
        return;
    };
    match fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => layers.problems.add(file_key, "the file is empty"),
        Ok(text) => {
            tree::replace(&mut layers.values, key, Value::from(text.trim()));
            if let Some(origin) = layers.problems.origin(file_key).cloned() {
                layers.problems.set_origin(key, origin);
            }
        }
        Err(error) => layers.problems.add(file_key, format!("cannot read the file: {error}")),
    }
}

#[derive(PartialEq, Eq)]
enum Kind {
    Default,
    File,
    Variable,
}

fn kind(problems: &Problems, key: &str) -> Kind {
    match problems.origin(key) {
        None => Kind::Default,
        Some(Origin::File(_)) => Kind::File,
        Some(Origin::Variable(_)) => Kind::Variable,
    }
}

fn is_set(layers: &Layers, key: &str) -> bool {
    tree::find(&layers.values, key).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}

fn clear(layers: &mut Layers, key: &str) {
    tree::replace(&mut layers.values, key, Value::from(""));
}
