//! Collecting what is wrong, so that it can be told all at once.
//!
//! What must hold for which value is said in the sections.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration;
use super::error::{ConfigError, Origin, Problem};

/// The problems found so far, and where each value came from.
#[derive(Debug, Default)]
pub(super) struct Problems {
    origins: BTreeMap<String, Origin>,
    found: Vec<Problem>,
}

impl Problems {
    /// Notes where the value of `key` came from; a later layer replaces an earlier one.
    pub(super) fn set_origin(&mut self, key: &str, origin: Origin) {
        self.origins.insert(key.to_owned(), origin);
    }

    /// Where the value of `key` came from; `None` for a default.
    pub(super) fn origin(&self, key: &str) -> Option<&Origin> {
        self.origins.get(key)
    }

    /// Notes a problem with the value of `key`.
    pub(super) fn add(&mut self, key: &str, reason: impl Into<String>) {
        self.add_from(key, reason, self.origin(key).cloned());
    }

    /// Notes a problem with a value that was not taken over.
    pub(super) fn add_from(&mut self, key: &str, reason: impl Into<String>, origin: Option<Origin>) {
        self.found.push(Problem { key: key.to_owned(), reason: reason.into(), origin });
    }

    /// Notes a problem unless `holds`.
    pub(super) fn require(&mut self, holds: bool, key: &str, reason: &str) {
        if !holds {
            self.add(key, reason);
        }
    }

    /// Notes a problem unless the number is within its limits.
    pub(super) fn number<T: Copy + PartialOrd + fmt::Display>(
        &mut self,
        key: &str,
        value: T,
        limits: RangeInclusive<T>,
    ) {
        if !limits.contains(&value) {
            self.add(key, format!("is {value}, must be from {} to {}", limits.start(), limits.end()));
        }
    }

    /// Notes a problem unless the span of time is within its limits.
    pub(super) fn span(&mut self, key: &str, value: Duration, limits: RangeInclusive<Duration>) {
        if !limits.contains(&value) {
            let [value, start, end] = [value, *limits.start(), *limits.end()].map(duration::shown);
            self.add(key, format!("is {value}, must be from {start} to {end}"));
        }
    }

    /// Notes a problem unless the text has 1 to `most` characters, none of them a control character.
    pub(super) fn text(&mut self, key: &str, value: &str, most: usize) {
        let plain = !value.chars().any(char::is_control);
        let fits = (1..=most).contains(&value.chars().count());
        self.require(
            plain && fits,
            key,
            &format!("must have 1 to {most} characters, none of them a control character"),
        );
    }

    /// `Ok` when nothing was found.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with everything that was found.
    pub(super) fn into_result(self) -> Result<BTreeMap<String, Origin>, ConfigError> {
        if self.found.is_empty() { Ok(self.origins) } else { Err(ConfigError::Invalid(self.found)) }
    }
}
