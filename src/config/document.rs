//! The whole configuration as TOML spells it: the fields that the defaults fill.
//!
//! Its keys and those of `defaults.toml` are the same; a test keeps them so.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use toml::Table;

use super::problems::Problems;
use super::{
    Audit, Cleanup, Codes, Database, Lockout, Log, Mail, Passwords, Redis, Revocations, Server, Sessions, Throttle,
    Tokens, optional_path, secret,
};

/// All sections, and the keys outside of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(deserialize_with = "secret::optional")]
    pub(super) master_key: Option<SecretString>,
    #[serde(deserialize_with = "optional_path")]
    pub(super) master_key_file: Option<PathBuf>,
    pub(super) server: Server,
    pub(super) database: Database,
    pub(super) redis: Redis,
    pub(super) mail: Mail,
    pub(super) tokens: Tokens,
    pub(super) sessions: Sessions,
    pub(super) codes: Codes,
    pub(super) passwords: Passwords,
    pub(super) revocations: Revocations,
    pub(super) audit: Audit,
    pub(super) cleanup: Cleanup,
    pub(super) throttle: Throttle,
    pub(super) lockout: Lockout,
    pub(super) log: Log,
}

impl Document {
    /// Reads every field.
    ///
    /// # Errors
    ///
    /// That of the first value that does not fit its field.
    pub(super) fn read(values: &Table) -> Result<Self, toml::de::Error> {
        values.clone().try_into()
    }

    /// Checks every value against its limits, and against the others.
    pub(super) fn check(&self, problems: &mut Problems) {
        self.server.check(problems);
        self.database.check(problems);
        self.redis.check(problems);
        self.mail.check(problems);
        self.tokens.check(problems);
        self.sessions.check(problems);
        self.codes.check(problems);
        self.passwords.check(problems);
        self.revocations.check(problems);
        self.audit.check(problems);
        self.cleanup.check(problems);
        self.throttle.check(&self.redis, problems);
        self.lockout.check(problems);
        self.log.check(problems);
    }
}
