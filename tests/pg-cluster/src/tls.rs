//! Owns certificates: an authority and a server's, made for each server.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, RsaKeySize};

use crate::error::Error;

/// The keys of authority and server, and the hash of their signatures (which channel binding goes by).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Keys {
    /// ECDSA P-256 with SHA-256.
    #[default]
    P256,
    /// ECDSA P-384 with SHA-384.
    P384,
    /// RSA of 2048 bits with SHA-512.
    RsaSha512,
}

/// What the server's certificate says.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The host names and addresses that it is for.
    pub names: Vec<String>,
    /// The kind of its key and signature.
    pub keys: Keys,
}

impl Default for Tls {
    /// The right one: for `localhost` and 127.0.0.1.
    fn default() -> Self {
        Self::new(Keys::P256)
    }
}

impl Tls {
    /// The right one, with these keys.
    pub fn new(keys: Keys) -> Self {
        Self {
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            keys,
        }
    }

    /// One for another host: `verify-full` must refuse it.
    pub fn wrong_name() -> Self {
        Self {
            names: vec!["elsewhere.test".to_owned()],
            keys: Keys::P256,
        }
    }
}

/// In PEM.
pub(crate) struct Certificates {
    pub(crate) authority: String,
    pub(crate) server: String,
    pub(crate) key: String,
}

impl Tls {
    pub(crate) fn make(&self) -> Result<Certificates, Error> {
        let key = self.keys.generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "authority of a test");
        let authority = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);

        let key = self.keys.generate()?;
        let mut params = CertificateParams::new(self.names.clone())?;
        params.distinguished_name.push(DnType::CommonName, "server of a test");
        Ok(Certificates {
            authority,
            server: params.signed_by(&key, &issuer)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl Keys {
    fn generate(self) -> Result<KeyPair, rcgen::Error> {
        match self {
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::RsaSha512 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA512, RsaKeySize::_2048),
        }
    }
}
