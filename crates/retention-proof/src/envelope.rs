//! Owns the envelope of a receipt: DSSE 1.0 (<https://github.com/secure-systems-lab/dsse>), one signature at most,
//! and one spelling only, so that no byte of it can change unseen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::audit::sha256_hex;
use crate::keys::{KeyError, PublicKey, SigningKey};
use crate::receipt::Receipt;

/// What the payload is. Part of what is signed.
pub const PAYLOAD_TYPE: &str = "application/vnd.retention-receipt+json";

/// The envelope: `{"payloadType": ..., "payload": base64, "signatures": [{"keyid": ..., "sig": base64}]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

/// Why there is no envelope, or no receipt in it.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// It is no JSON of the expected shape.
    #[error("this is no envelope of a receipt: {0}")]
    Read(String),
    /// It says the same in other bytes than we write: somebody touched it.
    #[error("this envelope was changed after it was written: it is not written the way retention-job writes it")]
    NotAsWritten,
    /// The payload is something else.
    #[error("the envelope's payload is {found:?}, expected {PAYLOAD_TYPE:?}")]
    PayloadType {
        /// What it says.
        found: String,
    },
    /// More than one signature.
    #[error("the envelope has {0} signatures; retention-job writes one, or none")]
    Signatures(usize),
    /// The payload is no receipt.
    #[error("the envelope's payload is no receipt: {0}")]
    Payload(String),
    /// A receipt of another format.
    #[error(
        "the receipt has the format {found}, this program reads {}: use another retention-job",
        Receipt::FORMAT
    )]
    Format {
        /// What it says.
        found: u64,
    },
    /// The key cannot sign.
    #[error("the receipt cannot be signed")]
    Key(#[from] KeyError),
}

/// What a check of the signature gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// By this key.
    By {
        /// Its id.
        keyid: String,
    },
    /// By nobody.
    Unsigned,
    /// By a key that is none of those given.
    OtherKey {
        /// What the envelope says.
        keyid: String,
    },
    /// The envelope names one of the given keys, but the signature is not its.
    Bad,
}

impl Envelope {
    /// Puts a receipt into an envelope; without a key, it stays unsigned.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn seal(receipt: &Receipt, key: Option<&SigningKey>) -> Result<Self, EnvelopeError> {
        let payload = serde_json::to_vec(receipt).map_err(|error| EnvelopeError::Payload(error.to_string()))?;
        let signatures = key
            .map(|key| {
                Ok::<_, KeyError>(Signature {
                    keyid: key.public().keyid(),
                    sig: STANDARD.encode(key.sign(&pae(PAYLOAD_TYPE, &payload))?),
                })
            })
            .transpose()?;
        Ok(Self {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: signatures.into_iter().collect(),
        })
    }

    /// The envelope's bytes, without a line end: what is stored, and what the next receipt's `previous` is the hash of.
    pub fn to_json(&self) -> String {
        // Three fields of text: there is nothing in it that JSON cannot say.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// SHA-256 of the bytes, hex.
    pub fn sha256(&self) -> String {
        sha256_hex(self.to_json().as_bytes())
    }

    /// Reads an envelope; one line feed at its end is accepted.
    ///
    /// # Errors
    /// It is no envelope, or not written as we write them.
    pub fn parse(text: &str) -> Result<Self, EnvelopeError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let envelope: Self = serde_json::from_str(text).map_err(|error| EnvelopeError::Read(error.to_string()))?;
        if envelope.to_json() != text {
            return Err(EnvelopeError::NotAsWritten);
        }
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::PayloadType {
                found: envelope.payload_type,
            });
        }
        if envelope.signatures.len() > 1 {
            return Err(EnvelopeError::Signatures(envelope.signatures.len()));
        }
        Ok(envelope)
    }

    /// Who signed it, of the given keys.
    pub fn signed(&self, keys: &[PublicKey]) -> Signed {
        let Some(Signature { keyid, sig }) = self.signatures.first() else {
            return Signed::Unsigned;
        };
        let Some(key) = keys.iter().find(|key| key.keyid() == *keyid) else {
            return Signed::OtherKey { keyid: keyid.clone() };
        };
        let (Ok(payload), Ok(signature)) = (STANDARD.decode(&self.payload), STANDARD.decode(sig)) else {
            return Signed::Bad;
        };
        if key.verifies(&pae(&self.payload_type, &payload), &signature) {
            Signed::By { keyid: keyid.clone() }
        } else {
            Signed::Bad
        }
    }

    /// The receipt, whoever signed it.
    ///
    /// # Errors
    /// There is none in it, or one of another format.
    pub fn receipt(&self) -> Result<Receipt, EnvelopeError> {
        let failed = |error: &dyn std::fmt::Display| EnvelopeError::Payload(error.to_string());
        let payload = STANDARD.decode(&self.payload).map_err(|error| failed(&error))?;
        // The format first: a later one may have other fields.
        let loose: serde_json::Value = serde_json::from_slice(&payload).map_err(|error| failed(&error))?;
        match loose.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format == u64::from(Receipt::FORMAT) => {}
            Some(found) => return Err(EnvelopeError::Format { found }),
            None => return Err(failed(&"it has no format")),
        }
        serde_json::from_slice(&payload).map_err(|error| failed(&error))
    }
}

/// DSSE's pre-authentication encoding: `DSSEv1 LEN(type) type LEN(body) body`, lengths in bytes.
fn pae(payload_type: &str, body: &[u8]) -> Vec<u8> {
    let mut encoded = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), body.len()).into_bytes();
    encoded.extend_from_slice(body);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_protocol() {
        // The example of DSSE's protocol.md.
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(pae("\u{e9}", b""), "DSSEv1 2 \u{e9} 0 ".as_bytes());
    }
}
