//! The names of environment variables, and what their text means.
//!
//! `KEYWARD__TOKENS__ACCESS_TTL` is the key `tokens.access_ttl`; a few variables that other tools know, too, stand for a key
//! of ours. Which layer wins is decided in `layers`.

use toml::Value;

/// What the variables of the configuration begin with. With a single underscore they would meet those that Kubernetes
/// sets for a service named `keyward`.
pub(super) const PREFIX: &str = "KEYWARD__";

/// Variables with names of their own, with the key each sets; weaker than the key's `KEYWARD__` variable, stronger than
/// the file.
pub(super) const ALIASES: [(&str, &str); 5] = [
    ("DATABASE_URL", "database.url"),
    ("REDIS_URL", "redis.url"),
    ("SMTP_URL", "mail.smtp_url"),
    ("KEYWARD_MASTER_KEY", "master_key"),
    ("KEYWARD_MASTER_KEY_FILE", "master_key_file"),
];

/// This process's environment, for [`Config::load`](super::Config::load). Text that is not Unicode is passed on with its
/// wrong parts replaced, so that it is refused by name rather than overlooked.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

/// Whether a variable of this text sets anything. An empty variable is a variable that is not set: composing tools pass what
/// was left out as an empty text.
pub(super) const fn is_set(text: &str) -> bool {
    !text.is_empty()
}

/// The variable that sets `key`.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// The key that a variable seems to mean, for telling that there is none such.
pub(super) fn key_of(variable: &str) -> String {
    variable.trim_start_matches(PREFIX).replace("__", ".").to_ascii_lowercase()
}

/// Reads a variable's text as the type of the key's default.
///
/// # Errors
///
/// What the text should have been, without the text.
pub(super) fn coerce(text: &str, default: &Value) -> Result<Value, &'static str> {
    match default {
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| "must be true or false"),
        Value::Integer(_) => text.parse().map(Value::Integer).map_err(|_| "must be a whole number"),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(Value::from).collect()))
        }
        _ => Ok(Value::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_its_variable_name_each_other() {
        let variable = variable("throttle.operations.login.device");
        assert_eq!(variable, "KEYWARD__THROTTLE__OPERATIONS__LOGIN__DEVICE");
        assert_eq!(key_of(&variable), "throttle.operations.login.device");
    }

    #[test]
    fn text_takes_the_type_of_the_default() {
        let list = coerce("10.0.0.0/8, ::1/128,", &Value::Array(Vec::new()));
        assert_eq!(list, Ok(Value::from(vec!["10.0.0.0/8", "::1/128"])));
        assert_eq!(coerce(",", &Value::Array(Vec::new())), Ok(Value::Array(Vec::new())));
        assert_eq!(coerce("4", &Value::Integer(1)), Ok(Value::Integer(4)));
        assert_eq!(coerce("false", &Value::Boolean(true)), Ok(Value::Boolean(false)));
        assert_eq!(coerce("4", &Value::from("cores")), Ok(Value::from("4")));
        assert!(coerce("4.5", &Value::Integer(1)).is_err());
        assert!(coerce("yes", &Value::Boolean(true)).is_err());
    }
}
