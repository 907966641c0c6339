//! The client certificate for servers that ask for one (mTLS).

use super::{HttpConfigError, looks_like, read_file};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};

const CERT: &str = "client certificate";
const KEY: &str = "client key";

pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) cert_path: PathBuf,
    pub(super) key_path: PathBuf,
}

/// Both files or none; one file may hold both.
pub(super) fn load(cert: Option<&Path>, key: Option<&Path>) -> Result<Option<Identity>, HttpConfigError> {
    let (cert, key) = match (cert, key) {
        (None, None) => return Ok(None),
        (Some(_), None) => {
            return Err(HttpConfigError::HalfIdentity {
                missing: "the client key",
            });
        }
        (None, Some(_)) => {
            return Err(HttpConfigError::HalfIdentity {
                missing: "the client certificate",
            });
        }
        (Some(cert), Some(key)) => (cert, key),
    };
    Ok(Some(Identity {
        chain: read_chain(cert)?,
        key: read_key(key)?,
        cert_path: cert.to_owned(),
        key_path: key.to_owned(),
    }))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpConfigError> {
    let pem = read_file(CERT, path)?;
    let bad = |found| HttpConfigError::BadIdentity {
        what: CERT,
        path: path.to_owned(),
        expected: "a PEM certificate (-----BEGIN CERTIFICATE-----)",
        found,
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| bad("damaged PEM"))?;
    if chain.is_empty() {
        Err(bad(looks_like(&pem)))
    } else {
        Ok(chain)
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, HttpConfigError> {
    let pem = zeroize::Zeroizing::new(read_file(KEY, path)?);
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| HttpConfigError::BadIdentity {
        what: KEY,
        path: path.to_owned(),
        expected: "an unencrypted PEM private key (-----BEGIN PRIVATE KEY-----)",
        found: match error {
            rustls::pki_types::pem::Error::NoItemsFound => looks_like(&pem),
            _ => "damaged PEM",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(cert: &str, key: &str) -> String {
        let dir = tempfile::tempdir().expect("dir");
        let (cert_path, key_path) = (dir.path().join("c"), dir.path().join("k"));
        std::fs::write(&cert_path, cert).expect("write");
        std::fs::write(&key_path, key).expect("write");
        let error = load(Some(&cert_path), Some(&key_path)).err().expect("refused");
        error.to_string().replace(&dir.path().display().to_string(), "")
    }

    #[test]
    fn wrong_content_is_named() {
        let pair = rcgen::generate_simple_self_signed(Vec::new()).expect("certificate");
        let (cert, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        assert_eq!(
            error(&key, &key),
            "the client certificate /c cannot be used: expected a PEM certificate (-----BEGIN CERTIFICATE-----), found a private key"
        );
        assert!(
            error(&cert, &cert).ends_with("found a certificate"),
            "{}",
            error(&cert, &cert)
        );
        assert!(error(&cert, "").ends_with("found an empty file"));
        assert!(error(&cert, "not a key").ends_with("found something else"));
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(error(&cert, encrypted).ends_with("found an encrypted private key"));
        let damaged = "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n";
        assert!(
            error(&cert, damaged).ends_with("found damaged PEM"),
            "{}",
            error(&cert, damaged)
        );
    }

    #[test]
    fn half_an_identity_is_refused() {
        let error = load(Some(Path::new("/c")), None).err().expect("refused");
        assert_eq!(
            error.to_string(),
            "a client certificate needs its key: the client key is not set"
        );
        assert!(load(None, Some(Path::new("/k"))).is_err());
        assert!(load(None, None).expect("none").is_none());
    }
}
