//! Owns the entries of the external ledger of erased subjects: MACs, the chain, and how a ledger's text is read. No
//! files: see [`crate::ledger_file`].
//!
//! An entry is an obligation: it is written, durably, before the subject's rows are erased. The links of the chain are
//! MACs too, so nobody without the key can write, drop or exchange entries unseen. What the chain itself cannot show is
//! a cut tail: the database remembers how far it has carried the ledger out, and compares.

use aws_lc_rs::hmac;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::{ChainHash, to_microseconds};

/// The key of the ledger.
#[derive(Clone)]
pub struct LedgerKey(hmac::Key);

impl std::fmt::Debug for LedgerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LedgerKey([redacted])")
    }
}

/// A key that is too short to keep subjects from being guessed.
#[derive(Debug, thiserror::Error)]
#[error(
    "the ledger's key has {found} bytes, at least {} are needed: make one with `openssl rand -hex 32`",
    LedgerKey::LEAST_BYTES
)]
pub struct ShortKey {
    /// Its length.
    pub found: usize,
}

impl LedgerKey {
    /// A shorter key is refused.
    pub const LEAST_BYTES: usize = 16;

    /// Takes a key: the bytes of the text as it is given, so other programs can compute the same MACs.
    ///
    /// # Errors
    /// It is too short.
    pub fn new(key: &str) -> Result<Self, ShortKey> {
        if key.len() < Self::LEAST_BYTES {
            return Err(ShortKey { found: key.len() });
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())))
    }

    /// HMAC-SHA-256 of the subject's key, as PostgreSQL prints it.
    pub fn mac(&self, subject: &str) -> SubjectMac {
        SubjectMac(self.tag(&[subject.as_bytes()]))
    }

    fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let tag = context.sign();
        let mut bytes = [0; 32];
        // HMAC-SHA-256 gives 32 bytes.
        for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        bytes
    }
}

/// A subject, known only by its MAC. 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectMac(pub [u8; 32]);

impl SubjectMac {
    /// 64 hex digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Reads 64 small hex digits; `None`: it is anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        ChainHash::from_hex(text).map(|hash| Self(hash.0))
    }
}

impl std::fmt::Display for SubjectMac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl Serialize for SubjectMac {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for SubjectMac {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ChainHash::deserialize(deserializer).map(|hash| Self(hash.0))
    }
}

/// An entry: this subject is to be erased. One JSON object a line, or one row of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// 1, 2, 3 and so on.
    pub seq: u64,
    /// The subject.
    pub subject: SubjectMac,
    /// When it was written, in microseconds.
    pub at: Timestamp,
    /// The link before.
    pub prev: ChainHash,
    /// HMAC-SHA-256 of the link before and this entry.
    pub link: ChainHash,
}

/// Where the ledger ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// The last entry's number; 0: there is none.
    pub seq: u64,
    /// The last entry's link.
    pub link: ChainHash,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It cannot be read.
    #[error("it is no entry: {0}")]
    Read(String),
    /// It says the same in other bytes than we write.
    #[error("it is not written the way retention-job writes entries")]
    NotAsWritten,
    /// It is another number's turn.
    #[error("its number is {found}, expected {expected}: entries were dropped, repeated or swapped")]
    Order {
        /// Expected.
        expected: u64,
        /// Found.
        found: u64,
    },
    /// It does not follow from the entry before, or was written with another key.
    #[error(
        "its link is not that of this key after the entry before: it was changed, or RETENTION_LEDGER_KEY is another one"
    )]
    Link,
}

impl Tip {
    /// Of an empty ledger.
    pub fn start(key: &LedgerKey) -> Self {
        Self {
            seq: 0,
            link: ChainHash(key.tag(&[b"retention-ledger-v1\0"])),
        }
    }

    /// The entry that comes next.
    pub fn next(&self, key: &LedgerKey, subject: SubjectMac, at: Timestamp) -> Entry {
        let mut entry = Entry {
            seq: self.seq.saturating_add(1),
            subject,
            at: to_microseconds(at),
            prev: self.link,
            link: self.link,
        };
        entry.link = entry.computed(key);
        entry
    }

    /// The tip after an entry.
    ///
    /// # Errors
    /// The entry does not follow.
    pub fn after(&self, key: &LedgerKey, entry: &Entry) -> Result<Self, EntryError> {
        let expected = self.seq.saturating_add(1);
        if entry.seq != expected {
            return Err(EntryError::Order {
                expected,
                found: entry.seq,
            });
        }
        if entry.prev != self.link || entry.computed(key) != entry.link {
            return Err(EntryError::Link);
        }
        Ok(Self {
            seq: entry.seq,
            link: entry.link,
        })
    }
}

impl Entry {
    fn computed(&self, key: &LedgerKey) -> ChainHash {
        let fields = serde_json::json!([self.seq, self.subject, self.at.as_microsecond()]).to_string();
        ChainHash(key.tag(&[b"retention-ledger-entry-v1\0", &self.prev.0, fields.as_bytes()]))
    }

    /// The line, with its end.
    pub fn to_line(&self) -> String {
        // Numbers, hex and a time: there is nothing in it that JSON cannot say.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }

    /// Reads a line, without its end.
    ///
    /// # Errors
    /// It is no line as [`Self::to_line`] writes it.
    pub fn parse(line: &str) -> Result<Self, EntryError> {
        let entry: Self = serde_json::from_str(line).map_err(|error| EntryError::Read(error.to_string()))?;
        if entry.to_line().strip_suffix('\n') != Some(line) || entry.at != to_microseconds(entry.at) {
            return Err(EntryError::NotAsWritten);
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_plain_hmac_sha_256() {
        // openssl's answer:
        // printf 'user-42' | openssl dgst -sha256 -hmac 'key of the ledger'
        let key = LedgerKey::new("key of the ledger").unwrap();
        assert_eq!(
            key.mac("user-42").to_hex(),
            "7f5d584bbc0b8bf6c4f314f2954c00f6eb8bb4a05523c8f91489345db791288e"
        );
    }

    #[test]
    fn a_short_key_is_refused_and_no_key_is_shown() {
        let error = LedgerKey::new("0123456789abcde").unwrap_err().to_string();
        assert!(error.contains("15 bytes"), "{error}");
        assert!(!format!("{:?}", LedgerKey::new("0123456789abcdef").unwrap()).contains("0123"));
    }

    #[test]
    fn entries_follow_from_each_other_and_from_the_key() {
        let key = LedgerKey::new("0123456789abcdef").unwrap();
        let other = LedgerKey::new("0123456789abcdeg").unwrap();
        let at: Timestamp = "2026-01-02T03:04:05.123456789Z".parse().unwrap();
        let start = Tip::start(&key);
        let first = start.next(&key, key.mac("1"), at);
        let tip = start.after(&key, &first).unwrap();
        let second = tip.next(&key, key.mac("1"), at);
        assert_ne!(first.link, second.link);
        assert_eq!(tip.after(&key, &second).unwrap().seq, 2);
        assert_eq!(
            start.after(&key, &second),
            Err(EntryError::Order { expected: 1, found: 2 })
        );
        assert_eq!(Tip::start(&other).after(&other, &first), Err(EntryError::Link));
        assert_eq!(Entry::parse(first.to_line().trim_end()).unwrap(), first);
    }
}
