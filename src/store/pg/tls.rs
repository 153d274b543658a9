//! TLS to PostgreSQL: the check of certificates that `sslmode` and `sslrootcert` ask for, which the driver does not know in full.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::connect::ConnectError;

/// How the server's certificate is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verification {
    /// Not at all: `disable`, `prefer`, `require`, or no `sslmode`.
    None,
    /// It must be signed by a trusted authority (`verify-ca`), and be the host's own as well (`verify-full`).
    Certificate {
        /// Whether the host name must match.
        host_name: bool,
        /// A PEM file of trusted authorities; the system's when absent.
        root_file: Option<String>,
    },
}

/// The TLS client that does this verification.
pub(super) fn client_config(verification: &Verification) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match verification {
        Verification::None => Arc::new(Lenient { provider: provider.clone(), authority: None }),
        Verification::Certificate { host_name, root_file } => {
            let roots = roots(root_file.as_deref())?;
            let strict = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|error| ConnectError::Certificates(Box::new(error)))?;
            if *host_name { strict } else { Arc::new(Lenient { provider: provider.clone(), authority: Some(strict) }) }
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Certificates(Box::new(error)))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

/// The trusted authorities. One certificate of a file that cannot be used makes the whole file an error; of the system's
/// store, a warning, because nobody may be able to mend it.
fn roots(file: Option<&str>) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file.filter(|file| *file != "system") else {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(error = %error, "a part of the system's trusted certificates could not be read");
        }
        let (_, ignored) = roots.add_parsable_certificates(found.certs);
        if ignored > 0 {
            tracing::warn!(count = ignored, "some of the system's trusted certificates cannot be used");
        }
        return Ok(roots);
    };
    let unusable = |error: Box<dyn std::error::Error + Send + Sync>| ConnectError::Certificates(error);
    let text = std::fs::read(file).map_err(|error| unusable(error.into()))?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| unusable(error.into()))?;
    // The reader leaves out what has another label, such as OpenSSL's TRUSTED CERTIFICATE, or no end.
    let begun = text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"-----BEGIN ")).count();
    let keys = text.split(|byte| *byte == b'\n').filter(|line| is_key(line)).count();
    if certificates.len() + keys != begun || certificates.is_empty() {
        return Err(unusable(format!("{} of {begun} sections are certificates", certificates.len()).into()));
    }
    for certificate in certificates {
        roots.add(certificate).map_err(|error| unusable(error.into()))?;
    }
    Ok(roots)
}

/// Whether this line begins a private key, which may stand beside certificates and is not used.
fn is_key(line: &[u8]) -> bool {
    line.starts_with(b"-----BEGIN ") && line.trim_ascii_end().ends_with(b"PRIVATE KEY-----")
}

/// Accepts what `require` and `verify-ca` accept: any certificate, or any that an authority signed for whatever host.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    authority: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authority) = &self.authority else {
            return Ok(ServerCertVerified::assertion());
        };
        match authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last, so the signature chain has been found good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::roots;

    const GOOD: &str = include_str!("tls/authority.pem");

    fn read(text: &str) -> Result<usize, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, text).unwrap();
        roots(file.to_str()).map(|roots| roots.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_bad_certificate_among_good_ones_is_an_error() {
        assert_eq!(read(GOOD), Ok(1));
        assert_eq!(read(&format!("# a comment\r\n{GOOD}\n{GOOD}")), Ok(2));
        let garbage = GOOD.replace("MII", "AAA");
        let trusted = GOOD.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
        let cut = GOOD.split("-----END").next().unwrap();
        for bad in [&garbage, &trusted, cut] {
            assert!(read(bad).is_err(), "{bad}");
            assert!(read(&format!("{GOOD}\n{bad}")).is_err(), "{bad}");
            assert!(read(&format!("{bad}\n{GOOD}")).is_err(), "{bad}");
        }
        assert!(read("").is_err() && read("no certificate").is_err());
    }

    #[test]
    fn a_file_that_is_missing_is_an_error() {
        assert!(roots(Some("/no/such/file.pem")).is_err());
    }
}
