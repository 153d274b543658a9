//! TLS to PostgreSQL: what libpq's `sslmode` and `sslrootcert` ask for, which the driver does not know in full.

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
    /// Not at all: `disable`, `prefer`, `require`, or no `sslmode`; the driver knows these.
    AsUrlSays,
    /// It must be signed by a trusted authority (`verify-ca`), and be the host's own as well (`verify-full`).
    Certificate {
        /// Whether the host name must match.
        host_name: bool,
        /// A PEM file of trusted authorities; the system's when absent.
        root_file: Option<String>,
    },
}

/// The URL without what the driver does not know, and the verification that it asked for.
pub(super) fn verification_of(url: &str) -> Result<(String, Verification), ConnectError> {
    let Some((base, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), Verification::AsUrlSays));
    };
    let mut rest = Vec::new();
    let mut mode = None;
    let mut root_file = None;
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => root_file = Some(value.replace("%2F", "/").replace("%2f", "/")),
            _ => rest.push(pair.to_owned()),
        }
    }
    let verification = match mode {
        Some("verify-full") => Verification::Certificate { host_name: true, root_file },
        Some("verify-ca") => Verification::Certificate { host_name: false, root_file },
        // As in libpq, naming the authorities asks for them to be used.
        Some("require") if root_file.is_some() => Verification::Certificate { host_name: false, root_file },
        // The driver has no `allow`; `prefer` differs only in what it tries first.
        Some("allow") => {
            rest.push("sslmode=prefer".to_owned());
            Verification::AsUrlSays
        }
        Some(known @ ("disable" | "prefer" | "require")) => {
            rest.push(format!("sslmode={known}"));
            Verification::AsUrlSays
        }
        None => Verification::AsUrlSays,
        Some(_) => return Err(ConnectError::SslMode),
    };
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    Ok((url, verification))
}

/// The TLS client that does this verification.
pub(super) fn client_config(verification: &Verification) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match verification {
        Verification::AsUrlSays => Arc::new(Lenient { provider: provider.clone(), authority: None }),
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

fn roots(file: Option<&str>) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = file.filter(|file| *file != "system") {
        for certificate in
            CertificateDer::pem_file_iter(file).map_err(|error| ConnectError::Certificates(Box::new(error)))?
        {
            let certificate = certificate.map_err(|error| ConnectError::Certificates(Box::new(error)))?;
            roots.add(certificate).map_err(|error| ConnectError::Certificates(Box::new(error)))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(roots)
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

    use super::{Verification, verification_of};

    #[test]
    fn what_the_driver_knows_stays_in_the_url() {
        let (url, verification) = verification_of("postgres://h/d?application_name=x&sslmode=require").unwrap();
        assert_eq!(url, "postgres://h/d?application_name=x&sslmode=require");
        assert_eq!(verification, Verification::AsUrlSays);
    }

    #[test]
    fn verification_is_taken_out_of_the_url() {
        let (url, verification) =
            verification_of("postgres://h/d?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem").unwrap();
        assert_eq!(url, "postgres://h/d");
        assert_eq!(
            verification,
            Verification::Certificate { host_name: true, root_file: Some("/etc/ca.pem".to_owned()) }
        );
    }

    #[test]
    fn an_unknown_mode_is_refused() {
        assert!(verification_of("postgres://h/d?sslmode=verify").is_err());
    }
}
