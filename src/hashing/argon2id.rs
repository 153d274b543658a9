//! Argon2 (RFC 9106) over reused memory, with its hashes in the PHC string format.
//!
//! The `PasswordHasher` trait of the argon2 crate would allocate for each hash; this does what it does, in given memory.

use argon2::password_hash::Error;
use argon2::password_hash::phc::{self, Output, ParamsString, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::memory::Memory;
use super::stored::HashUnusable;
use super::{HasherInvalid, HashingError};
use crate::config::Ceilings;
use crate::model::password::{Password, PasswordHash};

const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// Argon2id with the present parameters, for new hashes; and any Argon2 for stored ones.
pub(super) struct Argon2id {
    /// The present parameters with a salt and an output of zeros: the model of new hashes, and what is compared with when there
    /// is no stored hash.
    present: Recipe,
}

/// All that goes into a hash besides the password, and what is to come out.
#[derive(Clone)]
pub(super) struct Recipe {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Salt,
    output: Output,
}

impl Argon2id {
    pub(super) fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, HasherInvalid> {
        let params =
            Params::new(memory_kib, iterations, parallelism, Some(OUTPUT_BYTES)).map_err(HasherInvalid::Parameters)?;
        let invalid = |_| HasherInvalid::Parameters(argon2::Error::OutputTooShort);
        let present = Recipe {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params,
            salt: Salt::new(&[0; SALT_BYTES]).map_err(invalid)?,
            output: Output::new(&[0; OUTPUT_BYTES]).map_err(invalid)?,
        };
        Ok(Self { present })
    }

    /// How many blocks a hash with the present parameters fills.
    pub(super) fn blocks(&self) -> usize {
        self.present.params.block_count()
    }

    /// Hashes a password with a new salt.
    pub(super) fn hash(&self, password: &Password, memory: &mut Memory) -> Result<PasswordHash, HashingError> {
        let mut salt = [0; SALT_BYTES];
        aws_lc_rs::rand::fill(&mut salt).map_err(HashingError::Randomness)?;
        let recipe = Recipe { salt: Salt::new(&salt).map_err(failed)?, ..self.present.clone() };
        let output = Output::new(&recipe.compute(password.expose(), memory)?).map_err(failed)?;
        let hash = phc::PasswordHash {
            algorithm: recipe.algorithm.ident(),
            version: Some(recipe.version.into()),
            params: ParamsString::try_from(&recipe.params).map_err(HashingError::Argon2)?,
            salt: Some(recipe.salt),
            hash: Some(output),
        };
        Ok(PasswordHash::from(hash.to_string()))
    }

    /// Does the work of a hash for nothing.
    pub(super) fn spend(&self, password: &str, memory: &mut Memory) -> Result<(), HashingError> {
        self.present.compute(password, memory).map(drop)
    }

    /// Whether a hash is made as a new one would be.
    pub(super) fn is_present(&self, recipe: &Recipe) -> bool {
        recipe.algorithm == self.present.algorithm
            && recipe.version == self.present.version
            && recipe.params == self.present.params
            && recipe.salt.len() == self.present.salt.len()
    }

    /// Refuses what costs more than both the ceilings and a new hash.
    pub(super) fn weigh(&self, recipe: &Recipe, ceilings: &Ceilings) -> Result<(), HashUnusable> {
        let (asked, present) = (&recipe.params, &self.present.params);
        let memory = ceilings.argon2_memory_kib.get().max(present.m_cost());
        HashUnusable::unless_below("argon2_memory_kib", asked.m_cost().into(), memory.into())?;
        let work = |params: &Params| u64::from(params.m_cost()) * u64::from(params.t_cost());
        let most = work(present).max(ceilings.argon2_work_kib.get().into());
        HashUnusable::unless_below("argon2_work_kib", work(asked), most)
    }

    #[cfg(test)]
    pub(super) fn compares_unknown_like(&self, stored: &PasswordHash) -> bool {
        Recipe::read(stored.as_str()).is_ok_and(|recipe| self.is_present(&recipe))
    }
}

impl Recipe {
    /// Reads a stored hash, of any variant and version of Argon2.
    pub(super) fn read(stored: &str) -> Result<Self, HashUnusable> {
        let invalid = HashUnusable::Argon2;
        let parsed = phc::PasswordHash::new(stored).map_err(|error| invalid(error.into()))?;
        let params = Params::try_from(&parsed).map_err(invalid)?;
        Ok(Self {
            algorithm: Algorithm::try_from(parsed.algorithm.as_str()).map_err(invalid)?,
            // Hashes from before there were versions do not name one.
            version: parsed
                .version
                .map_or(Ok(Version::V0x10), Version::try_from)
                .map_err(|error| invalid(error.into()))?,
            params,
            salt: parsed.salt.ok_or(invalid(Error::SaltInvalid))?,
            output: parsed.hash.ok_or(invalid(Error::OutputSize))?,
        })
    }

    /// Whether this is the hash of a password.
    pub(super) fn matches(&self, password: &str, memory: &mut Memory) -> Result<bool, HashingError> {
        Ok(self.compute(password, memory)?.ct_eq(self.output.as_bytes()).into())
    }

    /// Computes the hash of a password.
    fn compute(&self, password: &str, memory: &mut Memory) -> Result<Zeroizing<Vec<u8>>, HashingError> {
        let blocks = memory.blocks(self.params.block_count()).map_err(HashingError::Memory)?;
        let mut output = Zeroizing::new(vec![0; self.output.len()]);
        Argon2::new(self.algorithm, self.version, self.params.clone())
            .hash_password_into_with_memory(password.as_bytes(), &self.salt, &mut output, blocks)
            .map_err(|error| HashingError::Argon2(error.into()))?;
        Ok(output)
    }
}

/// Salts and outputs of ours have lengths that the PHC format takes; this is for the type.
fn failed(error: phc::Error) -> HashingError {
    HashingError::Argon2(error.into())
}
