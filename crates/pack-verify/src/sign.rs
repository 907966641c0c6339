//! Signs packs with a key, for air-gapped installs and tests. Behind the feature `sign`: a verifier holds no secret.
//!
//! The bundles carry no log entry, so they are accepted only where the log is not required.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pem::{EncodeConfig, LineEnding, Pem};
use sigstore_types::{
    Bundle, DigestBytes, HashAlgorithm, MediaType, MessageDigest, MessageSignature, PublicKeyIdentifier,
    SignatureBytes, SignatureContent, VerificationMaterial, VerificationMaterialContent,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::digest::Sha256Digest;
use crate::trust::key::hint;

const PKCS8: &str = "PRIVATE KEY";

/// The kinds of key that this crate signs with and verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// ECDSA on P-256 with SHA-256: what cosign makes.
    EcdsaP256,
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    /// The kind in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ECDSA P-256",
            Self::Ed25519 => "Ed25519",
        }
    }
}

/// Why a key cannot be used, or a signature cannot be made. No variant quotes the key.
#[derive(Debug, Error)]
pub enum SignError {
    /// The text is not one private key in PEM.
    #[error("the private key cannot be read: expected one PEM block PRIVATE KEY (PKCS#8), found {found}{hint}")]
    KeyFile {
        /// What the text holds: the name of a block, never its content.
        found: String,
        /// What to do about it; empty, or starts with a colon.
        hint: &'static str,
    },
    /// A private key of another kind.
    #[error("the private key cannot be used: expected ECDSA P-256 or Ed25519, found another kind or a damaged key")]
    KeyKind,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed to {0}")]
    Crypto(&'static str),
    /// The bundle could not be written.
    #[error("the bundle could not be written")]
    Bundle(#[source] Box<dyn std::error::Error + Send + Sync>),
}

enum Secret {
    EcdsaP256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// A private key that signs packs.
pub struct Signer {
    secret: Secret,
    public_der: Vec<u8>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("kind", &self.kind())
            .field("fingerprint", &self.fingerprint())
            .finish()
    }
}

impl Signer {
    /// Reads a private key in PEM: PKCS#8, not encrypted, ECDSA P-256 or Ed25519.
    pub fn from_pem(private_key_pem: &str) -> Result<Self, SignError> {
        let der = read_pem(private_key_pem)?;
        let secret = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der)
            .map(|pair| Secret::EcdsaP256(Box::new(pair)))
            .or_else(|_| Ed25519KeyPair::from_pkcs8(&der).map(|pair| Secret::Ed25519(Box::new(pair))))
            .map_err(|_| SignError::KeyKind)?;
        Self::new(secret)
    }

    /// Makes a new key from the system's randomness.
    pub fn generate(kind: KeyKind) -> Result<Self, SignError> {
        let failed = |_| SignError::Crypto("make a key");
        Self::new(match kind {
            KeyKind::EcdsaP256 => Secret::EcdsaP256(Box::new(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?,
            )),
            KeyKind::Ed25519 => Secret::Ed25519(Box::new(Ed25519KeyPair::generate().map_err(failed)?)),
        })
    }

    fn new(secret: Secret) -> Result<Self, SignError> {
        let der: Result<PublicKeyX509Der<'_>, _> = match &secret {
            Secret::EcdsaP256(pair) => pair.public_key().as_der(),
            Secret::Ed25519(pair) => pair.public_key().as_der(),
        };
        let public_der = der
            .map_err(|_| SignError::Crypto("write down the public key"))?
            .as_ref()
            .to_vec();
        Ok(Self { secret, public_der })
    }

    /// The kind of key.
    pub fn kind(&self) -> KeyKind {
        match self.secret {
            Secret::EcdsaP256(_) => KeyKind::EcdsaP256,
            Secret::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// SHA-256 of the public key as DER: what a report shows.
    pub fn fingerprint(&self) -> Sha256Digest {
        Sha256Digest::of(&self.public_der)
    }

    /// The public key, PEM block PUBLIC KEY, with line feeds.
    pub fn public_key_pem(&self) -> String {
        encode("PUBLIC KEY", self.public_der.clone())
    }

    /// The private key, PEM block PRIVATE KEY (PKCS#8, not encrypted). The caller keeps it secret.
    pub fn private_key_pem(&self) -> Result<Zeroizing<String>, SignError> {
        let document = match &self.secret {
            Secret::EcdsaP256(pair) => pair.to_pkcs8v1(),
            Secret::Ed25519(pair) => pair.to_pkcs8v1(),
        }
        .map_err(|_| SignError::Crypto("write down the private key"))?;
        Ok(Zeroizing::new(encode(PKCS8, document.as_ref().to_vec())))
    }

    /// Signs the bytes: the JSON of a Sigstore bundle 0.3 that names the key by its fingerprint, as cosign does.
    pub fn sign(&self, bytes: &[u8]) -> Result<String, SignError> {
        let digest = MessageDigest::new(
            HashAlgorithm::Sha2256,
            DigestBytes::new(Sha256Digest::of(bytes).as_bytes().to_vec()),
        );
        let message = MessageSignature::new(SignatureBytes::new(self.raw(bytes)?)).with_message_digest(digest);
        Bundle::new(
            MediaType::Bundle0_3,
            VerificationMaterial::new(VerificationMaterialContent::PublicKey(PublicKeyIdentifier::new(hint(
                &self.public_der,
            )))),
            SignatureContent::MessageSignature(message),
        )
        .to_json()
        .map_err(|error| SignError::Bundle(Box::new(error)))
    }

    /// Signs the bytes in cosign 2.x's older format, for verifiers that know no other.
    pub fn sign_legacy(&self, bytes: &[u8]) -> Result<String, SignError> {
        Ok(serde_json::json!({ "base64Signature": STANDARD.encode(self.raw(bytes)?) }).to_string())
    }

    fn raw(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = match &self.secret {
            Secret::EcdsaP256(pair) => pair.sign(&SystemRandom::new(), bytes),
            Secret::Ed25519(pair) => pair.try_sign(bytes),
        };
        signature
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| SignError::Crypto("sign"))
    }
}

fn encode(label: &str, der: Vec<u8>) -> String {
    pem::encode_config(
        &Pem::new(label, der),
        EncodeConfig::new().set_line_ending(LineEnding::LF),
    )
}

fn read_pem(text: &str) -> Result<Zeroizing<Vec<u8>>, SignError> {
    let refuse = |found: &str, hint| {
        Err(SignError::KeyFile {
            found: found.to_owned(),
            hint,
        })
    };
    let labels: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .collect();
    match labels.as_slice() {
        [PKCS8] => match pem::parse(text) {
            Ok(block) => Ok(Zeroizing::new(block.into_contents())),
            Err(_) => refuse("a damaged block PRIVATE KEY", ""),
        },
        [] => refuse(
            if text.trim().is_empty() {
                "an empty text"
            } else {
                "text without a PEM block"
            },
            "",
        ),
        labels if labels.contains(&"EC PRIVATE KEY") => refuse(
            "a block EC PRIVATE KEY (SEC1)",
            ": convert it with `openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW`",
        ),
        labels
            if labels
                .iter()
                .any(|label| label.contains("SIGSTORE") || label.contains("COSIGN")) =>
        {
            refuse(
                "a key encrypted by cosign",
                ": sign with cosign itself, or make a key with `openssl ecparam -name prime256v1 -genkey | openssl pkcs8 \
             -topk8 -nocrypt`",
            )
        }
        labels if labels.iter().any(|label| label.contains("ENCRYPTED")) => refuse(
            "an encrypted private key",
            ": decrypt it with `openssl pkey -in OLD -out NEW`",
        ),
        ["PUBLIC KEY"] => refuse("a block PUBLIC KEY", ": that is the other half; pass the private key"),
        [label] => refuse(&format!("a block {}", label.chars().take(40).collect::<String>()), ""),
        many => refuse(&format!("{} blocks", many.len()), ": pass one key"),
    }
}
