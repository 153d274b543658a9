//! What only some commands cannot do without, and so may be missing from a valid configuration.

use secrecy::SecretString;

use super::{Config, ConfigError, MasterKeys, Problem, environment};

impl Config {
    /// Where Postgres is, for the commands that cannot do without.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`], naming the key and its variables, when it was not given.
    pub fn database_url(&self) -> Result<&SecretString, ConfigError> {
        self.database.url.as_ref().ok_or_else(|| missing("database.url"))
    }

    /// The master keys, for the commands that cannot do without.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`], naming the key and its variables, when none was given.
    pub fn master_keys(&self) -> Result<&MasterKeys, ConfigError> {
        self.master_keys.as_ref().ok_or_else(|| missing("master_key"))
    }

    /// Checks that everything is there that `serve` cannot do without.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with all that is missing.
    pub fn require_for_serve(&self) -> Result<(), ConfigError> {
        let results = [self.database_url().map(drop), self.master_keys().map(drop)];
        let problems: Vec<Problem> =
            results.into_iter().filter_map(Result::err).flat_map(ConfigError::into_problems).collect();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(problems)) }
    }
}

/// The error for a secret that is needed and was not given.
fn missing(key: &str) -> ConfigError {
    let aliases = environment::ALIASES.iter().filter(|(_, of)| *of == key).map(|(name, _)| format!("{name}, "));
    let reason = format!(
        "is not set: give it as {}{} or in the configuration file, or name a file that holds it with {key}_file",
        aliases.collect::<String>(),
        environment::variable(key),
    );
    ConfigError::Invalid(vec![Problem { key: key.to_owned(), reason, origin: None }])
}
