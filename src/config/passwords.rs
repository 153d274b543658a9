//! `[passwords]`: what a hash costs, and how many are made at once.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::thread;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::duration;
use super::problems::Problems;

/// What an argon2id hash costs, and how many are made at once.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passwords {
    /// The memory for one hash, in KiB; at least 8 for each lane (RFC 9106).
    pub memory_kib: NonZeroU32,
    /// The passes over the memory.
    pub iterations: NonZeroU32,
    /// The lanes.
    pub parallelism: NonZeroU32,
    /// How many passwords are hashed at once.
    pub workers: Workers,
    /// How many calls may wait for a worker.
    pub queue: NonZeroUsize,
    /// How long a call may wait for a worker.
    #[serde(deserialize_with = "duration::deserialize")]
    pub deadline: Duration,
    /// What a stored hash may cost at most.
    pub ceilings: Ceilings,
}

/// What a stored hash may cost at most to compare with, wherever it was made.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceilings {
    /// argon2's memory, in KiB.
    pub argon2_memory_kib: NonZeroU32,
    /// argon2's memory, in KiB, times its passes over it.
    pub argon2_work_kib: NonZeroU32,
    /// bcrypt's cost.
    pub bcrypt_cost: NonZeroU32,
    /// scrypt's memory, in KiB, times its `p`.
    pub scrypt_memory_kib: NonZeroU32,
    /// PBKDF2's iterations.
    pub pbkdf2_iterations: NonZeroU32,
}

/// How many passwords are hashed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// As many as this process may use cores.
    Cores,
    /// So many.
    Count(NonZeroUsize),
}

impl Workers {
    /// The number of workers; one when the number of cores cannot be told.
    #[must_use]
    pub fn count(self) -> NonZeroUsize {
        match self {
            Self::Cores => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            Self::Count(count) => count,
        }
    }
}

impl Passwords {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.number("passwords.memory_kib", self.memory_kib.get(), 8..=4_194_304);
        problems.number("passwords.iterations", self.iterations.get(), 1..=1000);
        problems.number("passwords.parallelism", self.parallelism.get(), 1..=64);
        let enough = self.memory_kib.get() >= self.parallelism.get().saturating_mul(8);
        problems.require(enough, "passwords.memory_kib", "must be at least 8 times passwords.parallelism");
        if let Workers::Count(count) = self.workers {
            problems.number("passwords.workers", count.get(), 1..=1024);
        }
        problems.number("passwords.queue", self.queue.get(), 1..=100_000);
        problems.span("passwords.deadline", self.deadline, Duration::from_millis(10)..=Duration::from_mins(1));
        self.ceilings.check(problems);
    }

    /// Whether a hash costs at least what OWASP's Password Storage Cheat Sheet asks for.
    pub(super) fn is_strong(&self) -> bool {
        let (memory, iterations) = (self.memory_kib.get(), self.iterations.get());
        [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)]
            .iter()
            .any(|(least_memory, least_iterations)| memory >= *least_memory && iterations >= *least_iterations)
    }
}

impl Ceilings {
    fn check(&self, problems: &mut Problems) {
        problems.number("passwords.ceilings.argon2_memory_kib", self.argon2_memory_kib.get(), 8..=4_194_304);
        problems.number("passwords.ceilings.argon2_work_kib", self.argon2_work_kib.get(), 8..=1_073_741_824);
        problems.number("passwords.ceilings.bcrypt_cost", self.bcrypt_cost.get(), 4..=20);
        problems.number("passwords.ceilings.scrypt_memory_kib", self.scrypt_memory_kib.get(), 1..=4_194_304);
        problems.number("passwords.ceilings.pbkdf2_iterations", self.pbkdf2_iterations.get(), 1..=100_000_000);
    }
}

impl<'de> Deserialize<'de> for Workers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WorkersVisitor)
    }
}

struct WorkersVisitor;

impl Visitor<'_> for WorkersVisitor {
    type Value = Workers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`cores` or a number from 1 to 1024")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Workers, E> {
        self.visit_str(&number.to_string())
    }

    /// A variable of the environment is text even when it is a number.
    fn visit_str<E: Error>(self, text: &str) -> Result<Workers, E> {
        match text {
            "cores" => Ok(Workers::Cores),
            number => number
                .parse()
                .map(Workers::Count)
                .map_err(|_| E::custom(format!("`{text}` is not `cores` or a number from 1 to 1024"))),
        }
    }
}
