//! Certificates of the authorities that the system trusts, for TLS to Redis and to the mail server alike.
//!
//! A certificate that cannot be read is never passed over in silence: the check of a server's certificate would fail later, and
//! nobody would know why.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

/// The variables that name other authorities than the system's.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Why the trusted authorities cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesInvalid {
    /// The authorities that the environment names cannot be read.
    #[error("cannot read the certificates that SSL_CERT_FILE or SSL_CERT_DIR names")]
    Named(#[source] rustls_native_certs::Error),
    /// One of the authorities that the environment names is not a certificate that can be used.
    #[error("a certificate that SSL_CERT_FILE or SSL_CERT_DIR names cannot be used")]
    Unusable(#[source] rustls::Error),
    /// The system has no trusted authorities.
    #[error("no trusted certificate authorities were found: install ca-certificates, or name a file in SSL_CERT_FILE")]
    None,
}

/// The authorities that the system trusts, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead.
///
/// # Errors
/// When there are none, or when one of those that the environment names cannot be read. A broken certificate of the system's own
/// store is passed over with a warning.
pub fn trusted() -> Result<Vec<CertificateDer<'static>>, CertificatesInvalid> {
    let found = rustls_native_certs::load_native_certs();
    let are_named = VARIABLES.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    for error in found.errors {
        if are_named {
            return Err(CertificatesInvalid::Named(error));
        }
        tracing::warn!(%error, "a certificate authority of the system cannot be read");
    }
    let mut usable = Vec::new();
    for certificate in found.certs {
        match RootCertStore::empty().add(certificate.clone()) {
            Ok(()) => usable.push(certificate),
            Err(error) if are_named => return Err(CertificatesInvalid::Unusable(error)),
            // Systems ship authorities of forms that are out of use.
            Err(error) => tracing::debug!(%error, "a certificate authority of the system cannot be used"),
        }
    }
    if usable.is_empty() { Err(CertificatesInvalid::None) } else { Ok(usable) }
}
