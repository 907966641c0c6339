//! Owns Ed25519 keys: PEM in and out, and their names. PKCS#8 (RFC 5958) for private keys, SPKI (RFC 8410) for public
//! ones, as `openssl genpkey -algorithm ed25519` writes them.

use std::fmt::Write as _;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::audit::sha256_hex;

/// SPKI of Ed25519 before the 32 bytes of the key (RFC 8410): there is no other form.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// Object identifiers (DER) of key types, to say what was found.
const KINDS: [(&[u8], &str); 6] = [
    (&[0x06, 0x03, 0x2b, 0x65, 0x70], "Ed25519"),
    (&[0x06, 0x03, 0x2b, 0x65, 0x71], "Ed448"),
    (&[0x06, 0x03, 0x2b, 0x65, 0x6e], "X25519"),
    (
        &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
        "elliptic curve",
    ),
    (
        &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01],
        "RSA",
    ),
    (
        &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a],
        "RSA-PSS",
    ),
];

/// Why a key cannot be used. No variant quotes a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not one key in PEM.
    #[error("expected one PEM block {expected}, found {found}{hint}")]
    Pem {
        /// The block's name.
        expected: &'static str,
        /// What the text holds, never its content.
        found: String,
        /// What to do; empty, or starts with a colon.
        hint: &'static str,
    },
    /// A key of another type.
    #[error("expected an Ed25519 key, found {found}: `retention-job receipts keygen` makes one")]
    Kind {
        /// The type.
        found: &'static str,
    },
    /// An Ed25519 key that cannot be read.
    #[error("the Ed25519 key is damaged")]
    Damaged,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed to {0}")]
    Crypto(&'static str),
}

/// A private key that signs receipts. The library wipes it when it is dropped.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("keyid", &self.public.keyid())
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a new key from the system's randomness.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        Self::new(Ed25519KeyPair::generate().map_err(|_| KeyError::Crypto("make a key"))?)
    }

    /// Reads a private key: one PEM block `PRIVATE KEY`, not encrypted.
    ///
    /// # Errors
    /// It is anything else.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = block(pem, PRIVATE)?;
        match kind(&der) {
            Some("Ed25519") => Self::new(Ed25519KeyPair::from_pkcs8(&der).map_err(|_| KeyError::Damaged)?),
            found => Err(KeyError::Kind {
                found: found.unwrap_or("a key of another type"),
            }),
        }
    }

    fn new(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let public = PublicKey(
            pair.public_key()
                .as_ref()
                .try_into()
                .map_err(|_| KeyError::Crypto("give the public key"))?,
        );
        Ok(Self { pair, public })
    }

    /// The key as PEM. The caller keeps it secret; it is wiped when dropped.
    ///
    /// # Errors
    /// The cryptographic library fails.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let document = self
            .pair
            .to_pkcs8v1()
            .map_err(|_| KeyError::Crypto("write down the private key"))?;
        Ok(to_pem(PRIVATE, document.as_ref()))
    }

    /// The other half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature, 64 bytes. Ed25519 needs no randomness: the same message has the same signature.
    ///
    /// # Errors
    /// The cryptographic library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.pair
            .try_sign(message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| KeyError::Crypto("sign"))
    }
}

/// A public key that verifies receipts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a public key: one PEM block `PUBLIC KEY`.
    ///
    /// # Errors
    /// It is anything else.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = block(pem, PUBLIC)?;
        if let Some(key) = der.strip_prefix(&SPKI) {
            return key.try_into().map(Self).map_err(|_| KeyError::Damaged);
        }
        Err(match kind(&der) {
            Some("Ed25519") => KeyError::Damaged,
            found => KeyError::Kind {
                found: found.unwrap_or("a key of another type"),
            },
        })
    }

    /// The key as PEM.
    pub fn to_pem(&self) -> String {
        // Not a secret: it may leave the wiped text.
        to_pem(PUBLIC, &self.spki()).as_str().to_owned()
    }

    /// The first 16 hex digits of the SHA-256 of the key as DER (SPKI).
    pub fn keyid(&self) -> String {
        let mut digits = sha256_hex(&self.spki());
        digits.truncate(16);
        digits
    }

    /// Whether the signature is this key's.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, signature)
            .is_ok()
    }

    fn spki(&self) -> Vec<u8> {
        [SPKI.as_slice(), &self.0].concat()
    }
}

fn kind(der: &[u8]) -> Option<&'static str> {
    // The type stands within the first bytes of either form.
    let head = der.get(..32).unwrap_or(der);
    KINDS
        .iter()
        .find(|(oid, _)| head.windows(oid.len()).any(|window| window == *oid))
        .map(|(_, name)| *name)
}

/// Not the `pem` crate, which copies the text on its way to memory that nobody wipes.
fn to_pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    // Room for everything at once: a string that grows leaves copies behind.
    let mut body = Zeroizing::new(String::with_capacity(der.len() * 2 + 8));
    STANDARD.encode_string(der, &mut body);
    let mut text = Zeroizing::new(String::with_capacity(body.len() * 2 + 80));
    let _ = writeln!(text, "-----BEGIN {label}-----");
    for line in body.as_bytes().chunks(64) {
        // base64 is ASCII.
        text.extend(line.iter().map(|&byte| char::from(byte)));
        text.push('\n');
    }
    let _ = writeln!(text, "-----END {label}-----");
    text
}

fn block(text: &str, expected: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let labels: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .collect();
    let refuse = |found: String, hint| Err(KeyError::Pem { expected, found, hint });
    match labels.as_slice() {
        [label] if *label == expected => {}
        [PUBLIC] => return refuse("a block PUBLIC KEY".to_owned(), ": pass the private key"),
        [PRIVATE] => {
            return refuse(
                "a block PRIVATE KEY".to_owned(),
                ": pass the public key, and keep that one secret",
            );
        }
        [label] if label.contains("ENCRYPTED") => {
            return refuse(
                "an encrypted private key".to_owned(),
                ": decrypt it with `openssl pkey -in OLD -out NEW`",
            );
        }
        [label] => return refuse(format!("a block {}", label.chars().take(40).collect::<String>()), ""),
        [] if text.trim().is_empty() => return refuse("an empty text".to_owned(), ""),
        [] => return refuse("text without a PEM block".to_owned(), ""),
        many => return refuse(format!("{} blocks", many.len()), ": pass one key"),
    }
    let end = format!("-----END {expected}-----");
    let mut body = Zeroizing::new(String::with_capacity(text.len()));
    let mut lines = text
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.starts_with("-----BEGIN "));
    lines.next();
    let mut ended = false;
    for line in lines {
        if line == end {
            ended = true;
            break;
        }
        body.push_str(line);
    }
    let mut der = Zeroizing::new(Vec::with_capacity(body.len()));
    match STANDARD.decode_vec(body.as_bytes(), &mut der) {
        Ok(()) if ended && !der.is_empty() => Ok(der),
        _ => refuse(format!("a damaged block {expected}"), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8410, section 10.3 and 10.1: a private key and its public key.
    const RFC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const RFC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_keys_of_the_rfc_are_read_and_written() {
        let key = SigningKey::from_pem(RFC_PRIVATE).unwrap();
        assert_eq!(key.public().to_pem(), RFC_PUBLIC);
        assert_eq!(&PublicKey::from_pem(RFC_PUBLIC).unwrap(), key.public());
        let again = SigningKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(key.public().keyid().len(), 16);
        assert!(!format!("{key:?}").contains("pair"));
    }

    #[test]
    fn a_new_key_signs_and_only_its_half_verifies() {
        let key = SigningKey::generate().unwrap();
        let other = SigningKey::generate().unwrap();
        let signature = key.sign(b"message").unwrap();
        assert!(key.public().verifies(b"message", &signature));
        assert!(!key.public().verifies(b"massage", &signature));
        assert!(!other.public().verifies(b"message", &signature));
        assert_ne!(key.public().keyid(), other.public().keyid());
        assert_eq!(PublicKey::from_pem(&key.public().to_pem()).unwrap(), *key.public());
    }

    #[test]
    fn other_keys_are_named() {
        let der = |oid: &[u8]| [&[0x30, 0x20, 0x02, 0x01, 0x00, 0x30, 0x10], oid, &[0; 16]].concat();
        for (oid, name) in KINDS.iter().skip(1) {
            let private = SigningKey::from_pem(&to_pem(PRIVATE, &der(oid)))
                .unwrap_err()
                .to_string();
            assert!(private.contains(&format!("found {name}:")), "{private}");
            let public = PublicKey::from_pem(&to_pem(PUBLIC, &der(oid))).unwrap_err().to_string();
            assert!(public.contains(&format!("found {name}:")), "{public}");
        }
        assert!(matches!(
            SigningKey::from_pem(&to_pem(PRIVATE, &der(KINDS[0].0))),
            Err(KeyError::Damaged)
        ));
    }

    #[test]
    fn texts_that_are_no_key_are_told_apart() {
        for (text, part) in [
            ("", "an empty text"),
            ("hello", "without a PEM block"),
            (RFC_PUBLIC, "pass the private key"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "decrypt it"),
            (
                "-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----",
                "damaged block",
            ),
            ("-----BEGIN PRIVATE KEY-----\nMC4C", "damaged block"),
            ("-----BEGIN PRIVATE KEY-----\n-----BEGIN PRIVATE KEY-----\n", "2 blocks"),
            ("-----BEGIN EC PRIVATE KEY-----\n", "a block EC PRIVATE KEY"),
        ] {
            let error = SigningKey::from_pem(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
        let error = PublicKey::from_pem(RFC_PRIVATE).unwrap_err().to_string();
        assert!(error.contains("keep that one secret"), "{error}");
        assert!(!error.contains("MC4C"));
    }

    #[test]
    fn every_flipped_byte_of_a_public_key_gives_another_key_or_none() {
        let key = PublicKey::from_pem(RFC_PUBLIC).unwrap();
        for at in 27..RFC_PUBLIC.len() - 27 {
            for bit in 0..8 {
                let mut bytes = RFC_PUBLIC.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                if let Ok(Ok(read)) = String::from_utf8(bytes.clone()).map(|text| PublicKey::from_pem(&text)) {
                    // White space within base64 is no difference.
                    let same = String::from_utf8(bytes)
                        .unwrap()
                        .split_whitespace()
                        .eq(RFC_PUBLIC.split_whitespace());
                    assert!(read != key || same, "byte {at} bit {bit}");
                }
            }
        }
    }
}
