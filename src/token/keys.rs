//! The ring of signing keys: one signs, all of them verify. Sealed under the master key wherever it is stored.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use zeroize::Zeroizing;

use super::master::{CryptoError, Master, SealedColumn};
use crate::config::Algorithm as SigningAlgorithm;

/// Why a signing key cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not opened, or not made.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Opened, but not a key of its algorithm.
    #[error("the signing key {key_id} is not a key of its algorithm")]
    Malformed {
        /// Which key.
        key_id: String,
        /// What is wrong with it.
        source: jsonwebtoken::errors::Error,
    },
    /// Of an algorithm that this version does not know.
    #[error("the signing key {key_id} is of an unknown algorithm")]
    UnknownAlgorithm {
        /// Which key.
        key_id: String,
    },
    /// There is no key that signs.
    #[error("there is no active signing key")]
    NoActiveKey,
}

/// The JWA name (RFC 7518, RFC 8037) of an algorithm.
#[must_use]
pub const fn name(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::Es256 => "ES256",
        SigningAlgorithm::EdDsa => "EdDSA",
        SigningAlgorithm::Rs256 => "RS256",
        SigningAlgorithm::Hs256 => "HS256",
    }
}

/// A key that was just made.
pub struct NewKey {
    /// Its `kid`.
    pub key_id: String,
    private_key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl NewKey {
    /// Its private part as it is stored.
    ///
    /// # Errors
    /// When a primitive fails.
    pub fn seal(&self, master: &Master) -> Result<Vec<u8>, KeyError> {
        Ok(master.seal(SealedColumn::SigningKey, self.key_id.as_bytes(), &self.private_key)?)
    }
}

/// Makes a key. One of RS256 takes a good part of a second.
///
/// # Errors
/// When a primitive fails.
pub fn generate(algorithm: SigningAlgorithm) -> Result<NewKey, KeyError> {
    let random = SystemRandom::new();
    let mut id = [0; 12];
    random.fill(&mut id).map_err(CryptoError::from)?;
    let key_id = URL_SAFE_NO_PAD.encode(id);
    let primitive = |_| CryptoError::Primitive;
    let private_key: Zeroizing<Vec<u8>> = Zeroizing::new(match algorithm {
        SigningAlgorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(primitive)?
            .as_ref()
            .to_vec(),
        SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8v1(&random).map_err(primitive)?.as_ref().to_vec(),
        SigningAlgorithm::Rs256 => rsa_private_key(&key_id)?,
        SigningAlgorithm::Hs256 => {
            let mut secret = vec![0; 32];
            random.fill(&mut secret).map_err(CryptoError::from)?;
            secret
        }
    });
    Ok(NewKey { key_id, private_key })
}

/// A 2048-bit RSA key in the form that signing takes (RFC 8017, `RSAPrivateKey`), which is inside the PKCS #8 form that it
/// is made in.
fn rsa_private_key(key_id: &str) -> Result<Vec<u8>, KeyError> {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| CryptoError::Primitive)?;
    let document = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| CryptoError::Primitive)?;
    let encoded = Zeroizing::new(STANDARD.encode(document.as_ref()));
    let pem = Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *encoded));
    let key = EncodingKey::from_rsa_pem(pem.as_bytes())
        .map_err(|source| KeyError::Malformed { key_id: key_id.to_owned(), source })?;
    Ok(key.as_bytes().to_vec())
}

/// A key that signs.
pub struct SigningKey {
    /// The `kid` of its tokens.
    pub key_id: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The private key.
    pub key: EncodingKey,
}

/// A key that verifies: with its one algorithm and no other.
#[derive(Clone)]
pub struct VerifyingKey {
    /// The only algorithm that a token naming this key may use.
    pub algorithm: Algorithm,
    /// The public key, or the secret of HS256.
    pub key: DecodingKey,
    /// Its public form (RFC 7517); none for HS256.
    pub public: Option<Jwk>,
    /// When the last token that it signed has expired, once another key signs.
    pub retired_at: Option<DateTime<Utc>>,
}

impl VerifyingKey {
    /// Whether every token that it signed in its time has expired by `now`.
    #[must_use]
    pub fn is_retired(&self, now: DateTime<Utc>) -> bool {
        self.retired_at.is_some_and(|retired_at| retired_at <= now)
    }
}

/// The keys of one moment.
pub struct Keys {
    /// The key that signs.
    pub active: SigningKey,
    /// Every key that verifies, by `kid`.
    pub verifying: HashMap<String, VerifyingKey>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("active", &self.active.key_id).field("verifying", &self.verifying.len()).finish()
    }
}

/// A stored key, to be put on the ring.
#[derive(Debug)]
pub struct SealedKey<'a> {
    /// Its `kid`.
    pub key_id: &'a str,
    /// Its JWA name.
    pub algorithm: &'a str,
    /// Its private key, sealed.
    pub private_key: &'a [u8],
    /// Whether it signs.
    pub active: bool,
    /// When the last token that it signed has expired, once another key signs.
    pub retired_at: Option<DateTime<Utc>>,
}

impl Keys {
    /// Opens stored keys.
    ///
    /// # Errors
    /// When one cannot be opened, or none signs.
    pub fn open<'a>(stored: impl IntoIterator<Item = SealedKey<'a>>, master: &Master) -> Result<Self, KeyError> {
        let mut active = None;
        let mut verifying = HashMap::new();
        for sealed in stored {
            let key_id = sealed.key_id.to_owned();
            let private_key =
                Zeroizing::new(master.open(SealedColumn::SigningKey, key_id.as_bytes(), sealed.private_key)?);
            let (algorithm, key) = match sealed.algorithm {
                "ES256" => (Algorithm::ES256, EncodingKey::from_ec_der(&private_key)),
                "EdDSA" => (Algorithm::EdDSA, EncodingKey::from_ed_der(&private_key)),
                "RS256" => (Algorithm::RS256, EncodingKey::from_rsa_der(&private_key)),
                "HS256" => (Algorithm::HS256, EncodingKey::from_secret(&private_key)),
                _ => return Err(KeyError::UnknownAlgorithm { key_id }),
            };
            let malformed = |source| KeyError::Malformed { key_id: key_id.clone(), source };
            let mut public = Jwk::from_encoding_key(&key, algorithm).map_err(malformed)?;
            public.common.key_id = Some(key_id.clone());
            public.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
            let verifier = DecodingKey::from_jwk(&public).map_err(malformed)?;
            let public = (algorithm != Algorithm::HS256).then_some(public);
            let retired_at = sealed.retired_at;
            verifying.insert(key_id.clone(), VerifyingKey { algorithm, key: verifier, public, retired_at });
            if sealed.active {
                active = Some(SigningKey { key_id, algorithm, key });
            }
        }
        Ok(Self { active: active.ok_or(KeyError::NoActiveKey)?, verifying })
    }

    /// Whether the key of this `kid` is one that verifies tokens at `now`.
    #[must_use]
    pub fn verify_with(&self, key_id: &str, now: DateTime<Utc>) -> bool {
        self.verifying.get(key_id).is_some_and(|key| !key.is_retired(now))
    }

    /// The public keys that tokens of now are verified with, and the one that signs next, in a settled order. A shared
    /// secret is not among them.
    #[must_use]
    pub fn published(&self, now: DateTime<Utc>) -> Vec<&Jwk> {
        let in_use = self.verifying.values().filter(|key| !key.is_retired(now));
        let mut published: Vec<_> = in_use.filter_map(|key| key.public.as_ref()).collect();
        published.sort_by(|one, other| one.common.key_id.cmp(&other.common.key_id));
        published
    }
}

/// The keys in use, replaced as a whole when they change.
#[derive(Debug)]
pub struct KeyRing(RwLock<Arc<Keys>>);

impl KeyRing {
    /// A ring that holds these keys.
    #[must_use]
    pub fn new(keys: Keys) -> Self {
        Self(RwLock::new(Arc::new(keys)))
    }

    /// The keys of this moment.
    #[must_use]
    pub fn current(&self) -> Arc<Keys> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts other keys in their place.
    pub fn replace(&self, keys: Keys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }
}
