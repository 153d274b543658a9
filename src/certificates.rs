//! Certificates of the authorities that TLS to other services trusts: the one place that reads them, for Postgres, Redis and
//! the mail server alike.
//!
//! A certificate that cannot be read is never passed over in silence: the check of a server's certificate would fail later, and
//! nobody would know why.

use std::path::PathBuf;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The variables that name other authorities than the system's.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Why the trusted authorities cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesInvalid {
    /// A file cannot be read, or a certificate within it.
    #[error("cannot read the certificates of {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate of a file is not one.
    #[error("certificate {number} of {} cannot be used", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Which certificate of it, the first being 1.
        number: usize,
        /// Why.
        source: rustls::Error,
    },
    /// There is no certificate in a file.
    #[error("there is no certificate in {}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
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

/// The authorities of a PEM file, all of which must be good.
///
/// # Errors
/// When the file cannot be read, holds no certificate, or holds one that cannot be used.
pub fn of_file(path: PathBuf) -> Result<RootCertStore, CertificatesInvalid> {
    let mut authorities = RootCertStore::empty();
    let unreadable = |source| CertificatesInvalid::File { path: path.clone(), source };
    for (number, certificate) in (1..).zip(CertificateDer::pem_file_iter(&path).map_err(unreadable)?) {
        let certificate = certificate.map_err(unreadable)?;
        let unusable = |source| CertificatesInvalid::Certificate { path: path.clone(), number, source };
        authorities.add(certificate).map_err(unusable)?;
    }
    if authorities.is_empty() { Err(CertificatesInvalid::Empty { path }) } else { Ok(authorities) }
}
