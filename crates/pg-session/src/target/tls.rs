//! Owns TLS: what is verified in each mode, with rustls.

use super::address::{Address, Roots, SslMode};
use runtime::HttpConfigError;
use runtime::http::{ca_certificates, client_identity, trusted_roots};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;
use tokio_postgres_rustls_improved::MakeRustlsConnect;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

/// TLS for a mode; `None` where there is none.
///
/// # Errors
/// A file of the address cannot be used.
pub(super) fn connector(mode: SslMode, address: &Address) -> Result<Option<MakeRustlsConnect>, HttpConfigError> {
    let check = match mode {
        SslMode::Disable => return Ok(None),
        SslMode::Prefer | SslMode::Require => Check::Nothing,
        SslMode::VerifyCa => Check::Chain,
        SslMode::VerifyFull => Check::ChainAndName,
    };
    let (roots, named) = match (check, &address.roots) {
        // Not read: a mode that verifies nothing must not fail on a machine without roots.
        (Check::Nothing, _) => (RootCertStore::empty(), Vec::new()),
        (_, Roots::Machine) => (trusted_roots(None)?, Vec::new()),
        (_, Roots::File(path)) => (trusted_roots(Some(path))?, ca_certificates(path)?),
    };
    // Named, not taken from the process: two libraries may have installed different ones.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Verifier {
        check,
        roots,
        named,
        algorithms: provider.signature_verification_algorithms,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(HttpConfigError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match (
        client_identity(address.cert.as_deref(), address.key.as_deref())?,
        address,
    ) {
        (
            Some((chain, key)),
            Address {
                cert: Some(cert_path),
                key: Some(key_path),
                ..
            },
        ) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|source| HttpConfigError::IdentityMismatch {
                cert: cert_path.clone(),
                key: key_path.clone(),
                source,
            })?,
        _ => builder.with_no_client_auth(),
    };
    // Registered with IANA for PostgreSQL; servers from 17 on refuse any other, older ones do not look.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(Some(MakeRustlsConnect::new(config)))
}

#[derive(Debug)]
struct Verifier {
    check: Check,
    roots: RootCertStore,
    /// The certificates of `sslrootcert`, byte by byte.
    named: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn chain(
        &self,
        certificate: &ParsedCertificate<'_>,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let result = verify_server_cert_signed_by_trust_anchor(
            certificate,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        );
        match result {
            // `openssl req -x509`, as PostgreSQL's manual shows it, marks a self-signed server certificate as an
            // authority, which webpki refuses for a server. The user named exactly these bytes as trusted; the dates
            // were checked before that.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.named.iter().any(|named| named == end_entity) =>
            {
                Ok(())
            }
            result => result,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.check != Check::Nothing {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            self.chain(&certificate, end_entity, intermediates, now)?;
            if self.check == Check::ChainAndName {
                verify_server_name(&certificate, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    // Whoever is not verified must still hold the key of the certificate that was shown: channel binding rests on it.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What to do about a certificate that was refused.
pub(super) fn advice(error: &Error) -> String {
    use CertificateError as C;
    match error {
        Error::InvalidCertificate(C::UnknownIssuer) => {
            "no trusted authority has signed the server's certificate; name its CA with sslrootcert".to_owned()
        }
        Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "the server's certificate is for another name (only names in subjectAltName count); connect by a name in it, \
             or use sslmode=verify-ca"
                .to_owned()
        }
        Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            "the server's certificate has expired".to_owned()
        }
        other => other.to_string(),
    }
}
