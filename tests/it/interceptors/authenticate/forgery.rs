//! Access tokens that are not quite ours.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

/// The parts of a token, to be changed and put together again.
pub(crate) struct Forgery {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    signature: String,
}

impl Forgery {
    /// The parts of a good token.
    pub(crate) fn of(token: &str) -> Self {
        let parts: Vec<_> = token.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else { panic!("not a token") };
        let read = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        Self { header: read(header), claims: read(claims), signature: (*signature).to_owned() }
    }

    fn signed_part(&self) -> String {
        let write = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        // What is null is not there.
        let mut header = self.header.clone();
        header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        format!("{}.{}", write(&header), write(&self.claims))
    }

    pub(crate) fn with_the_same_signature(&self) -> String {
        format!("{}.{}", self.signed_part(), self.signature)
    }

    /// Signed with a P-256 key, whatever the header says.
    pub(crate) fn signed_with(&self, key: &EncodingKey) -> String {
        let signed = self.signed_part();
        let signature = crypto::sign(signed.as_bytes(), key, Algorithm::ES256).unwrap();
        format!("{signed}.{signature}")
    }

    /// With this algorithm in its header, and no signature.
    pub(crate) fn unsigned(&self, algorithm: &str) -> String {
        format!("{}.", self.naming(algorithm).signed_part())
    }

    /// As HS256 has it, with this secret.
    pub(crate) fn signed_with_secret(&self, secret: &[u8]) -> String {
        let signed = self.naming("HS256").signed_part();
        let signature = crypto::sign(signed.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256).unwrap();
        format!("{signed}.{signature}")
    }

    fn naming(&self, algorithm: &str) -> Self {
        let mut header = self.header.clone();
        header["alg"] = json!(algorithm);
        Self { header, claims: self.claims.clone(), signature: String::new() }
    }

    /// A P-256 key that the service has never seen.
    pub(crate) fn another_key() -> EncodingKey {
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        EncodingKey::from_ec_der(key.as_ref())
    }

    /// A public key in the forms in which a careless verifier would take it for a shared secret.
    pub(crate) fn public_key_as_secrets(key: &Jwk) -> Vec<Vec<u8>> {
        /// What comes before the point of a P-256 key in its DER form (RFC 5480).
        const SPKI: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
        let AlgorithmParameters::EllipticCurve(curve) = &key.algorithm else { panic!("not an elliptic curve") };
        let read = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let point = [read(&curve.x), read(&curve.y)].concat();
        let der = [STANDARD.decode(SPKI).unwrap(), point.clone()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
        let jwk = serde_json::to_vec(key).unwrap();
        vec![point, der, pem.into_bytes(), jwk, curve.x.clone().into_bytes(), Vec::new()]
    }
}
