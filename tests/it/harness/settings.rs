//! The configuration of a service under test: what production reads, in the form of its environment.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyward::config::Config;
use uuid::Uuid;

/// Settings by their key. Whatever is not set has the default that production has.
#[derive(Clone, Debug)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Default for Settings {
    /// Quick hashing, mail by SMTP, a master key of its own, no throttles or lockouts, no cleanups but by hand, and waiting times so long that a busy
    /// machine does not decide what a test sees.
    fn default() -> Self {
        let master_key: Vec<u8> = [Uuid::new_v4(), Uuid::new_v4()].iter().flat_map(|id| *id.as_bytes()).collect();
        let pairs = [
            ("master_key", STANDARD.encode(master_key).as_str()),
            ("server.listen", "127.0.0.1:0"),
            ("server.http_listen", "127.0.0.1:0"),
            ("server.request_timeout", "1m"),
            // A stop that waits for it instead of the calls would go unnoticed if it were short.
            ("server.shutdown_grace", "10m"),
            ("database.max_connections", "8"),
            ("database.acquire_timeout", "30s"),
            ("database.statement_timeout", "30s"),
            ("redis.timeout", "10s"),
            ("mail.transport", "smtp"),
            ("passwords.memory_kib", "8"),
            ("passwords.iterations", "1"),
            ("passwords.queue", "1000"),
            ("passwords.deadline", "30s"),
            // All devices of a test are on one network.
            ("codes.per_network", "1000"),
            // Nothing is deleted behind a test's back.
            ("cleanup.enabled", "false"),
            ("throttle.enabled", "false"),
            ("lockout.enabled", "false"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        Self(pairs.into())
    }
}

impl Settings {
    /// A master key alone: everything else is as production has it.
    pub(crate) fn bare() -> Self {
        let Self(settings) = Self::default();
        Self(settings.into_iter().filter(|(key, _)| key == "master_key").collect())
    }

    /// With another value for a key, such as `codes.ttl`.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.0.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With throttles and lockouts as production has them.
    pub(crate) fn limited(self) -> Self {
        self.set("throttle.enabled", "true").set("lockout.enabled", "true")
    }

    /// The value of a key that is set.
    pub(crate) fn value(&self, key: &str) -> &str {
        &self.0[key]
    }

    /// As the service reads them.
    pub(crate) fn load(&self) -> Config {
        Config::load(None, self.environment()).unwrap()
    }

    /// As variables, for the program itself.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (String, String)> {
        let variable = |key: &str| format!("KEYWARD__{}", key.replace('.', "__").to_uppercase());
        self.0.iter().map(move |(key, value)| (variable(key), value.clone()))
    }
}
