//! Stored hashes of every family: read, weighed, compared with, and renewed as argon2id with the present parameters.
//!
//! Hashes that other systems made come in by an import and last until their owner's first login. Each family has a file.

use super::argon2id::{Argon2id, Recipe};
use super::bcrypt::Bcrypt;
use super::memory::Memory;
use super::pbkdf2::Pbkdf2;
use super::scrypt::Scrypt;
use super::{HashingError, Verdict};
use crate::config::Ceilings;
use crate::model::password::{Password, PasswordHash};

/// The longest text that is looked at as a hash, in bytes. No family's is half as long.
const MAX_BYTES: usize = 512;

/// Why a hash cannot be compared with. Says nothing of its salt or output.
#[derive(Debug, thiserror::Error)]
pub enum HashUnusable {
    /// It begins like none that is known.
    #[error("is of no known family; argon2, bcrypt, scrypt and PBKDF2 are known, in PHC or modular crypt form")]
    Unknown,
    /// It holds a control character, as no family's does.
    #[error("holds a control character")]
    ControlCharacter,
    /// It begins like an Argon2 hash and does not go on like one.
    #[error("is not a whole argon2 hash")]
    Argon2(#[source] argon2::password_hash::Error),
    /// It begins like a hash of this family and does not go on like one.
    #[error("is not a whole {family} hash")]
    Malformed {
        /// The family.
        family: &'static str,
    },
    /// It asks for more than is allowed.
    #[error("costs too much: {asked}, where passwords.ceilings.{ceiling} allows {most}")]
    TooCostly {
        /// The setting that forbids it.
        ceiling: &'static str,
        /// What it asks for.
        asked: u64,
        /// What is allowed.
        most: u64,
    },
}

impl HashUnusable {
    /// Refuses what is above a ceiling.
    pub(super) fn unless_below(ceiling: &'static str, asked: u64, most: u64) -> Result<(), Self> {
        if asked > most { Err(Self::TooCostly { ceiling, asked, most }) } else { Ok(()) }
    }
}

/// A stored hash that may be compared with.
pub(super) enum Stored {
    Argon2(Recipe),
    Bcrypt(Bcrypt),
    Scrypt(Scrypt),
    Pbkdf2(Pbkdf2),
}

/// How hashes are made, and what stored ones may cost.
pub(super) struct Hashes {
    pub(super) argon2id: Argon2id,
    pub(super) ceilings: Ceilings,
}

impl Hashes {
    /// Reads a stored hash of any family, unless it costs too much.
    pub(super) fn read(&self, stored: &PasswordHash) -> Result<Stored, HashUnusable> {
        let text = stored.as_str();
        if text.len() > MAX_BYTES {
            return Err(HashUnusable::Unknown);
        }
        if text.chars().any(char::is_control) {
            return Err(HashUnusable::ControlCharacter);
        }
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        if begins(&["$argon2"]) {
            let recipe = Recipe::read(text)?;
            self.argon2id.weigh(&recipe, &self.ceilings)?;
            Ok(Stored::Argon2(recipe))
        } else if begins(&["$2a$", "$2b$", "$2y$"]) {
            Bcrypt::read(text, &self.ceilings).map(Stored::Bcrypt)
        } else if begins(&["$scrypt$", "$7$"]) {
            Scrypt::read(text, &self.ceilings).map(Stored::Scrypt)
        } else if begins(&["$pbkdf2", "pbkdf2_"]) {
            Pbkdf2::read(text, &self.ceilings).map(Stored::Pbkdf2)
        } else {
            Err(HashUnusable::Unknown)
        }
    }

    /// Compares a password with a stored hash, or does the work of a new one without one.
    ///
    /// What was typed is compared as well, where that is another text: whoever made a hash elsewhere may have hashed just that.
    /// So such a text costs twice, whatever it is compared with.
    pub(super) fn verify(
        &self,
        password: &Password,
        stored: Option<&PasswordHash>,
        memory: &mut Memory,
    ) -> Result<Verdict, HashingError> {
        let stored = stored.map(|stored| self.read(stored)).transpose().map_err(HashingError::StoredHashUnusable)?;
        let is_present = matches!(&stored, Some(Stored::Argon2(recipe)) if self.argon2id.is_present(recipe));
        for (text, is_typed) in texts(password, is_present) {
            let is_right = match &stored {
                Some(stored) => stored.matches(text, memory)?,
                None => false,
            };
            match (is_right, is_present) {
                (true, true) if !is_typed => return Ok(Verdict::Right { rehash: None }),
                (true, _) => return Ok(Verdict::Right { rehash: Some(self.argon2id.hash(password, memory)?) }),
                (false, true) => {}
                (false, false) => self.argon2id.spend(text, memory)?,
            }
        }
        Ok(Verdict::Wrong)
    }
}

/// The texts that a hash may be made of, the likelier one first, and whether they are as typed.
fn texts(password: &Password, is_ours: bool) -> impl Iterator<Item = (&str, bool)> {
    let typed = password.expose_typed().map(|text| (text, true));
    let (first, last) = if is_ours { (None, typed) } else { (typed, None) };
    first.into_iter().chain([(password.expose(), false)]).chain(last)
}

impl Stored {
    /// Whether this is the hash of a text.
    fn matches(&self, text: &str, memory: &mut Memory) -> Result<bool, HashingError> {
        Ok(match self {
            Self::Argon2(recipe) => recipe.matches(text, memory)?,
            Self::Bcrypt(hash) => hash.matches(text),
            Self::Scrypt(hash) => hash.matches(text),
            Self::Pbkdf2(hash) => hash.matches(text),
        })
    }
}
