//! Which authorities are trusted: the machine's, or Mozilla's (built in) where the machine has no store, and those of
//! `--ca-file` beside them.
//!
//! reqwest would use rustls-platform-verifier, which fails when there is no store at all (an image built `FROM scratch`)
//! and, worse, silently trusts *only* the extra certificates then. So the roots are gathered here.

use super::{HttpConfigError, looks_like, read_file};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;

/// What the machine gave.
struct Machine {
    certificates: Vec<CertificateDer<'static>>,
    /// Only looked at when there are no certificates.
    errors: Vec<String>,
}

pub(super) fn load(
    ca_file: Option<&Path>,
    env: &impl Fn(&str) -> Option<String>,
) -> Result<RootCertStore, HttpConfigError> {
    let extra = ca_file.map_or(Ok(Vec::new()), read_ca_file)?;
    let found = rustls_native_certs::load_native_certs();
    let machine = Machine {
        certificates: found.certs,
        errors: found.errors.iter().map(ToString::to_string).collect(),
    };
    // The variables of OpenSSL, which the machine's store is found by.
    let pinned = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .find(|name| env(name).is_some_and(|v| !v.is_empty()));
    let mut store = gather(machine, pinned)?;
    for certificate in extra {
        // Checked when the file was read.
        store.add_parsable_certificates([certificate]);
    }
    Ok(store)
}

/// Built-in roots stand in only where nobody chose: a store that was named and gives nothing is an error, because
/// trusting others than the chosen ones would be worse.
fn gather(machine: Machine, pinned: Option<&'static str>) -> Result<RootCertStore, HttpConfigError> {
    let mut store = RootCertStore::empty();
    let (added, ignored) = store.add_parsable_certificates(machine.certificates);
    if added > 0 {
        tracing::debug!(added, ignored, "trusting the machine's certificate store");
        return Ok(store);
    }
    let first_error = machine.errors.into_iter().next();
    if let Some(variable) = pinned {
        let found = first_error.unwrap_or_else(|| "no certificate in it".to_owned());
        return Err(HttpConfigError::BadSystemRoots { variable, found });
    }
    let (added, _) = store.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    tracing::debug!(
        added,
        "this machine has no certificate store: trusting the built-in roots"
    );
    Ok(store)
}

pub(super) fn read_ca_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpConfigError> {
    if matches!(path.try_exists(), Ok(false)) {
        return Err(HttpConfigError::MissingCaFile { path: path.to_owned() });
    }
    let pem = read_file("CA file", path)?;
    let mut certificates = Vec::new();
    // A store of its own: rustls is asked whether it can use each, so that an error can name it.
    let mut probe = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
        let bad = |source| HttpConfigError::BadCaFile {
            path: path.to_owned(),
            number: index + 1,
            source,
        };
        let certificate = certificate.map_err(|error| bad(error.into()))?;
        probe.add(certificate.clone()).map_err(|error| bad(error.into()))?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(HttpConfigError::CaFileWithoutCertificate {
            path: path.to_owned(),
            found: looks_like(&pem),
        });
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(certificates: Vec<CertificateDer<'static>>) -> Machine {
        Machine {
            certificates,
            errors: vec!["no such file".to_owned()],
        }
    }

    fn own_ca() -> CertificateDer<'static> {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
            .self_signed(&rcgen::KeyPair::generate().expect("key"))
            .expect("certificate")
            .der()
            .clone()
    }

    #[test]
    fn a_machine_without_a_store_gets_the_built_in_roots() {
        let store = gather(machine(Vec::new()), None).expect("roots");
        assert!(store.len() > 100, "{} roots", store.len());
        // Certificates that rustls cannot read are as good as none.
        let store = gather(machine(vec![CertificateDer::from(vec![1, 2, 3])]), None).expect("roots");
        assert!(store.len() > 100, "{} roots", store.len());
    }

    #[test]
    fn a_machine_with_a_store_keeps_to_it() {
        let store = gather(machine(vec![own_ca()]), None).expect("roots");
        assert_eq!(store.len(), 1);
        let store = gather(machine(vec![own_ca()]), Some("SSL_CERT_FILE")).expect("roots");
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn a_named_store_that_gives_nothing_is_an_error() {
        let error = gather(machine(Vec::new()), Some("SSL_CERT_FILE")).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "SSL_CERT_FILE is set, but no certificate could be loaded from there (no such file); correct it or unset it"
        );
    }
}
