//! Owns the key of `hmac` transforms, in the form that SQL needs.

use pg_session::Sql;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The keys that transforms need.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// For `hmac`.
    pub hmac: Option<HmacKey>,
}

/// An HMAC-SHA-256 key, padded twice as RFC 2104 has it, in hex. PostgreSQL has SHA-256 but no HMAC; with the padded
/// halves two hashes make one.
#[derive(Clone)]
pub struct HmacKey {
    inner: Zeroizing<String>,
    outer: Zeroizing<String>,
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey([redacted])")
    }
}

impl HmacKey {
    /// From the key's bytes, of any length.
    pub fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0_u8; 64]);
        if key.len() > block.len() {
            block[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let padded = |pad: u8| Zeroizing::new(hex::encode(Zeroizing::new(block.map(|byte| byte ^ pad)).as_slice()));
        Self {
            inner: padded(0x36),
            outer: padded(0x5c),
        }
    }

    /// `hmac:` and 64 hex digits, of an SQL expression of type text.
    pub(crate) fn sql(&self, value: &Sql) -> Sql {
        Sql::text("'hmac:' || encode(sha256(decode(")
            .secret(self.outer.as_str(), "text")
            .raw(", 'hex') || sha256(decode(")
            .secret(self.inner.as_str(), "text")
            .raw(", 'hex') || convert_to(")
            .append(value)
            .raw(", 'UTF8'))), 'hex')")
    }
}
