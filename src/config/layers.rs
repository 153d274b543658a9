//! Laying the file and the environment over the defaults.
//!
//! The defaults hold every key there is, so that a key which is not among them is unknown. Each given value is tried alone:
//! one that does not fit its field is reported and left out, and the reading goes on, so that all problems are told at once.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::document::Document;
use super::error::Origin;
use super::problems::Problems;
use super::{environment, secret, tree};

/// The key of the mail server's URL, which chooses the transport too.
const SMTP_URL: &str = "mail.smtp_url";

/// The key of the transport of mail.
const TRANSPORT: &str = "mail.transport";

/// The values so far.
#[derive(Debug)]
pub(super) struct Layers {
    defaults: Table,
    pub(super) values: Table,
    pub(super) problems: Problems,
}

impl Layers {
    /// The lowest layer.
    pub(super) fn new(defaults: Table) -> Self {
        Self { values: defaults.clone(), defaults, problems: Problems::default() }
    }

    /// Lays a configuration file over what is there.
    pub(super) fn add_file(&mut self, path: &Path, given: Table) {
        self.add_section("", given, &Origin::File(path.to_owned()));
    }

    fn add_section(&mut self, prefix: &str, given: Table, origin: &Origin) {
        for (name, value) in given {
            let key = format!("{prefix}{name}");
            // A quoted key may hold a dot of its own, which is not a step down.
            let known = tree::find(&self.defaults, &key).filter(|_| !name.contains('.'));
            match (known.map(Value::is_table), value) {
                (Some(true), Value::Table(section)) => {
                    self.add_section(&format!("{key}."), section, origin);
                }
                (Some(true), _) => {
                    self.problems.add_from(&key, "is a section, not a value", Some(origin.clone()));
                }
                (Some(false), Value::Table(_)) => {
                    self.problems.add_from(&key, "is a value, not a section", Some(origin.clone()));
                }
                (Some(false), value) => self.set(&key, value, origin.clone()),
                (None, _) => self.problems.add_from(&key, "unknown key", Some(origin.clone())),
            }
        }
    }

    /// Lays the environment over what is there: first the variables with names of their own, then the `KEYWARD__` ones.
    pub(super) fn add_environment(&mut self, given: impl IntoIterator<Item = (String, String)>) {
        let given: BTreeMap<String, String> = given.into_iter().collect();
        for (name, key) in environment::ALIASES {
            if let Some(text) = given.get(name).filter(|text| environment::is_set(text)) {
                let origin = Origin::Variable(name.to_owned());
                self.set(key, Value::from(text.as_str()), origin.clone());
                if key == SMTP_URL {
                    self.set(TRANSPORT, Value::from("smtp"), origin);
                }
            }
        }

        // The default decides how text is read: by now the value may be another of the types that its field takes.
        let defaults = self.defaults.clone();
        let keys: BTreeMap<String, (String, &Value)> = tree::leaves(&defaults)
            .into_iter()
            .map(|(key, default)| (environment::variable(&key), (key, default)))
            .collect();
        let ours = |(name, _): &(&String, &String)| name.starts_with(environment::PREFIX);
        for (name, text) in given.iter().filter(ours) {
            let origin = Origin::Variable(name.clone());
            let Some((key, default)) = keys.get(name) else {
                let key = environment::key_of(name);
                self.problems.add_from(&key, "unknown key", Some(origin));
                continue;
            };
            if !environment::is_set(text) {
                continue;
            }
            match environment::coerce(text, default) {
                Ok(value) => self.set(key, value, origin),
                Err(reason) => self.problems.add_from(key, reason, Some(origin)),
            }
        }
    }

    /// Chooses the transport `smtp` where a mail server is given, by whatever name, and no transport: the URL would be
    /// ignored otherwise, and the codes printed.
    pub(super) fn choose_transport(&mut self) {
        let is_given = tree::find(&self.values, SMTP_URL).and_then(Value::as_str).is_some_and(|url| !url.is_empty());
        if let (true, None, Some(origin)) =
            (is_given, self.problems.origin(TRANSPORT), self.problems.origin(SMTP_URL).cloned())
        {
            self.set(TRANSPORT, Value::from("smtp"), origin);
        }
    }

    /// Takes `value` over if it fits the field of `key`.
    fn set(&mut self, key: &str, value: Value, origin: Origin) {
        let Some(old) = tree::replace(&mut self.values, key, value) else {
            return;
        };
        match Document::read(&self.values) {
            Ok(_) => self.problems.set_origin(key, origin),
            Err(error) => {
                let reason = if secret::is_secret(key) { "must be a string" } else { error.message() };
                self.problems.add_from(key, reason, Some(origin));
                tree::replace(&mut self.values, key, old);
            }
        }
    }
}
