//! The master key and what is derived from it: HKDF-SHA256 (RFC 5869) gives each purpose a key of its own.
//!
//! Several master keys may be given: the first one makes, all of them check and open, so that a key can be replaced
//! without a flag day.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::{digest, hmac};

use crate::config::MasterKeys;

/// The bytes of a message authentication code: HMAC-SHA256.
pub const MAC_LEN: usize = 32;

/// How a sealed value names the master key that opens it.
const KEY_ID_LEN: usize = 4;

/// A cryptographic operation failed: the system's random numbers, or a value that no key of ours opens.
#[derive(Debug, thiserror::Error)]
pub enum CryptoError {
    /// The key cannot be derived or the random number generator failed.
    #[error("a cryptographic primitive failed")]
    Primitive,
    /// Sealed under a master key that is not given, or changed since.
    #[error("a sealed value cannot be opened with the master keys given")]
    Unopenable,
}

impl From<aws_lc_rs::error::Unspecified> for CryptoError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Primitive
    }
}

/// A column, or a field in Redis, whose values are sealed. Its name is part of what authenticates a value, so that a value opens
/// in its own column alone.
#[derive(Clone, Copy, Debug)]
pub enum SealedColumn {
    /// The private key of a signing key.
    SigningKey,
    /// The payload of a mail in the outbox.
    Mail,
    /// The name of a device or network that is locked out.
    LockoutName,
}

impl SealedColumn {
    const fn name(self) -> &'static str {
        match self {
            Self::SigningKey => "signing_keys.private_key",
            Self::Mail => "mail_outbox.payload",
            Self::LockoutName => "lockout.name",
        }
    }

    /// The associated data of the value in the row with this key. No name has the byte that ends it.
    fn associated_data(self, row: &[u8]) -> Vec<u8> {
        [self.name().as_bytes(), &[0], row].concat()
    }
}

/// What a derived key is for; keys of different purposes are unrelated.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Authenticates refresh tokens.
    RefreshToken,
    /// Authenticates reset tokens.
    ResetToken,
    /// Hashes mailed codes.
    Code,
    /// Hashes addresses that quotas are counted by.
    Address,
    /// Authenticates page tokens.
    PageToken,
    /// Hashes devices and addresses that limits are counted by.
    Limit,
}

/// One master key's derived keys.
struct Derived {
    id: [u8; KEY_ID_LEN],
    refresh_token: hmac::Key,
    reset_token: hmac::Key,
    code: hmac::Key,
    address: hmac::Key,
    page_token: hmac::Key,
    limit: hmac::Key,
    seal: LessSafeKey,
}

/// The derived keys of every master key given.
pub struct Master {
    current: Derived,
    previous: Vec<Derived>,
    random: SystemRandom,
}

impl std::fmt::Debug for Master {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Master").field("previous", &self.previous.len()).finish_non_exhaustive()
    }
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

impl Derived {
    fn new(master_key: &[u8]) -> Result<Self, CryptoError> {
        let pseudo_random_key = Salt::new(HKDF_SHA256, b"keyward/v1").extract(master_key);
        let derive = |info: &str| -> Result<[u8; 32], CryptoError> {
            let mut key = [0; 32];
            pseudo_random_key.expand(&[info.as_bytes()], Length)?.fill(&mut key)?;
            Ok(key)
        };
        let mac = |info| derive(info).map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key));
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(derive("key-id")?.first_chunk::<KEY_ID_LEN>().ok_or(CryptoError::Primitive)?);
        Ok(Self {
            id,
            refresh_token: mac("refresh-token")?,
            reset_token: mac("reset-token")?,
            code: mac("code")?,
            address: mac("address")?,
            page_token: mac("page-token")?,
            limit: mac("limit")?,
            seal: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &derive("seal")?)?),
        })
    }

    const fn mac_key(&self, purpose: Purpose) -> &hmac::Key {
        match purpose {
            Purpose::RefreshToken => &self.refresh_token,
            Purpose::ResetToken => &self.reset_token,
            Purpose::Code => &self.code,
            Purpose::Address => &self.address,
            Purpose::PageToken => &self.page_token,
            Purpose::Limit => &self.limit,
        }
    }

    fn sign(&self, purpose: Purpose, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(self.mac_key(purpose));
        for part in parts {
            // The length before each part makes different partitions of the same bytes different messages.
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        context.sign()
    }
}

impl Master {
    /// Derives every key.
    ///
    /// # Errors
    /// When a primitive fails.
    pub fn new(keys: &MasterKeys) -> Result<Self, CryptoError> {
        let mut derived = keys.iter().map(|key| Derived::new(key)).collect::<Result<Vec<_>, _>>()?.into_iter();
        let current = derived.next().ok_or(CryptoError::Primitive)?;
        Ok(Self { current, previous: derived.collect(), random: SystemRandom::new() })
    }

    /// The authentication code of `parts`, made with the current master key.
    #[must_use]
    pub fn mac(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; MAC_LEN] {
        let mut mac = [0; MAC_LEN];
        mac.copy_from_slice(self.current.sign(purpose, parts).as_ref());
        mac
    }

    /// Whether `mac` is the authentication code of `parts` under any of the master keys; takes the same time wherever
    /// they differ.
    #[must_use]
    pub fn verify(&self, purpose: Purpose, parts: &[&[u8]], mac: &[u8]) -> bool {
        std::iter::once(&self.current).chain(&self.previous).any(|derived| {
            aws_lc_rs::constant_time::verify_slices_are_equal(derived.sign(purpose, parts).as_ref(), mac).is_ok()
        })
    }

    /// Seals `plaintext` with AES-256-GCM under a random nonce; it opens only in the same column of the row with the same key.
    ///
    /// # Errors
    /// When the random number generator fails.
    pub fn seal(&self, column: SealedColumn, row: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce)?;
        let mut ciphertext = plaintext.to_vec();
        self.current.seal.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(column.associated_data(row)),
            &mut ciphertext,
        )?;
        Ok([self.current.id.as_slice(), &nonce, &ciphertext].concat())
    }

    /// Opens what [`Master::seal`] sealed, also what an earlier version sealed for the row without the name of the column.
    ///
    /// # Errors
    /// [`CryptoError::Unopenable`] when no master key given does.
    pub fn open(&self, column: SealedColumn, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (id, rest) = sealed.split_first_chunk::<KEY_ID_LEN>().ok_or(CryptoError::Unopenable)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(CryptoError::Unopenable)?;
        let derived = std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|derived| derived.id == *id)
            .ok_or(CryptoError::Unopenable)?;
        let open = |associated_data: &[u8]| {
            let mut plaintext = ciphertext.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let opened = derived.seal.open_in_place(nonce, Aad::from(associated_data), &mut plaintext);
            let length = opened.map_err(|_| CryptoError::Unopenable)?.len();
            plaintext.truncate(length);
            Ok(plaintext)
        };
        open(&column.associated_data(row)).or_else(|_: CryptoError| open(row))
    }

    /// `N` random bytes.
    ///
    /// # Errors
    /// When the random number generator fails.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], CryptoError> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes)?;
        Ok(bytes)
    }
}

/// SHA-256 of `bytes` (FIPS 180-4).
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{Aad, CryptoError, Master, MasterKeys, Nonce, SealedColumn};

    fn master() -> Master {
        let key = "Xb04YnNbWdaW4JrHN9Fwt2q6ZWGsh4lIeCHfnuCWClU=";
        Master::new(&MasterKeys::parse(key).unwrap()).unwrap()
    }

    #[test]
    fn a_sealed_value_opens_in_its_own_column_and_row_alone() {
        let master = master();
        let sealed = master.seal(SealedColumn::Mail, b"row", b"secret").unwrap();
        assert_eq!(master.open(SealedColumn::Mail, b"row", &sealed).unwrap(), b"secret");
        for (column, row) in [(SealedColumn::SigningKey, b"row"), (SealedColumn::Mail, b"raw")] {
            assert!(matches!(master.open(column, row, &sealed), Err(CryptoError::Unopenable)));
        }
    }

    #[test]
    fn what_an_earlier_version_sealed_for_its_row_alone_opens_still() {
        let master = master();
        let mut ciphertext = b"secret".to_vec();
        let nonce = [7; 12];
        let key = &master.current.seal;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(b"row"), &mut ciphertext).unwrap();
        let sealed = [master.current.id.as_slice(), &nonce, &ciphertext].concat();
        assert_eq!(master.open(SealedColumn::SigningKey, b"row", &sealed).unwrap(), b"secret");
        assert!(master.open(SealedColumn::SigningKey, b"raw", &sealed).is_err());
    }
}
