//! Reading a bundle: size, format, and the few facts that are needed before its evidence is verified.
//!
//! Nothing here is proof. Every field of a bundle is chosen by whoever serves it, so what is read here may only make
//! a refusal earlier or clearer, never make an acceptance easier.

use std::str::FromStr as _;

use serde::Deserialize;
use sigstore_types::{
    Bundle, DerPublicKey, HashAlgorithm, KindVersion, MediaType, SignatureContent, TransparencyLogEntry,
    VerificationMaterialContent,
};
use sigstore_verify::rekor::body::RekorEntryBody;

use super::legacy_cosign;
use super::report::BundleFormat;
use crate::digest::Sha256Digest;
use crate::refusal::Refusal;

/// A real bundle has some kilobytes. The parser's memory is a small multiple of its input, so the input is capped.
pub const MAX_BUNDLE_BYTES: usize = 1 << 20;

/// A bundle in its common form.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) bundle: Bundle,
    pub(super) format: BundleFormat,
    /// A public key that an older bundle carries beside the signature; unproved.
    pub(super) carried_key: Option<DerPublicKey>,
}

/// How the log entries of a bundle show that they were logged.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogEvidence {
    pub(super) entries: usize,
    pub(super) proofs: usize,
    pub(super) promises: usize,
}

#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    #[serde(rename = "base64Signature")]
    base64_signature: Option<serde::de::IgnoredAny>,
}

pub(super) fn malformed(why: impl std::fmt::Display) -> Refusal {
    Refusal::BundleMalformed {
        why: excerpt(&why.to_string()),
    }
}

pub(super) fn unsupported(why: impl std::fmt::Display) -> Refusal {
    Refusal::BundleUnsupported {
        why: excerpt(&why.to_string()),
    }
}

/// A bundle comes from outside: an error quotes no more of it than a log line can bear.
pub(super) fn excerpt(text: &str) -> String {
    const MAX: usize = 400;
    let mut out: String = text
        .chars()
        .take(MAX)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(MAX).is_some() {
        out.push_str("...");
    }
    out
}

impl Parsed {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return Err(malformed(format!(
                "expected at most {MAX_BUNDLE_BYTES} bytes, found {}",
                bytes.len()
            )));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| malformed(format!("it is not UTF-8: {error}")))?;
        let probe: Probe = serde_json::from_str(text).map_err(|error| malformed(format!("it is not JSON: {error}")))?;
        match (probe.media_type, probe.base64_signature) {
            (Some(media_type), _) => Self::sigstore(text, &media_type),
            (None, Some(_)) => legacy_cosign::read(text),
            (None, None) => Err(malformed(
                "expected a Sigstore bundle (it has a mediaType) or cosign 2's older bundle (it has a base64Signature), \
                 found JSON with neither",
            )),
        }
    }

    fn sigstore(text: &str, media_type: &str) -> Result<Self, Refusal> {
        let format = match MediaType::from_str(media_type) {
            Ok(MediaType::Bundle0_1) => BundleFormat::SigstoreV01,
            Ok(MediaType::Bundle0_2) => BundleFormat::SigstoreV02,
            Ok(MediaType::Bundle0_3) => BundleFormat::SigstoreV03,
            _ => {
                return Err(unsupported(format!(
                    "expected a Sigstore bundle 0.1, 0.2 or 0.3, found {media_type:?}"
                )));
            }
        };
        let bundle = Bundle::from_json(text).or_else(|error| {
            without_empty_digest(text)
                .and_then(|text| Bundle::from_json(&text).ok())
                .ok_or_else(|| malformed(error))
        })?;
        Ok(Self {
            bundle,
            format,
            carried_key: None,
        })
    }

    pub(super) fn entries(&self) -> &[TransparencyLogEntry] {
        &self.bundle.verification_material.tlog_entries
    }

    /// The predicate type, when the bundle is an attestation about the bytes instead of a signature over them.
    pub(super) fn attestation(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Statement {
            #[serde(rename = "predicateType", default)]
            predicate_type: String,
        }
        match &self.bundle.content {
            SignatureContent::MessageSignature(_) => None,
            SignatureContent::DsseEnvelope(envelope) => Some(
                serde_json::from_slice::<Statement>(envelope.payload.as_bytes())
                    .map(|statement| excerpt(&statement.predicate_type))
                    .unwrap_or_default(),
            ),
            _ => Some(String::new()),
        }
    }

    /// The SHA-256 that the bundle says it signs, with the place that says so. `None`: it does not say.
    fn stated_digest(&self) -> Option<(Sha256Digest, &'static str)> {
        let SignatureContent::MessageSignature(message) = &self.bundle.content else {
            return None;
        };
        if let Some(digest) = &message.message_digest {
            if digest.algorithm != HashAlgorithm::Sha2256 {
                return None;
            }
            let bytes = digest.digest.as_bytes().try_into().ok()?;
            return Some((Sha256Digest::new(bytes), "messageDigest"));
        }
        self.entries().iter().find_map(|entry| {
            match RekorEntryBody::parse(&entry.canonicalized_body, entry.kind_version) {
                Ok(RekorEntryBody::HashedRekordV001(body)) => {
                    Some((body.spec.data.hash.value.as_str().parse().ok()?, "log entry"))
                }
                Ok(RekorEntryBody::HashedRekordV002(body)) => {
                    let digest = body.spec.hashed_rekord_v002.data.digest.as_bytes().try_into().ok()?;
                    Some((Sha256Digest::new(digest), "log entry"))
                }
                _ => None,
            }
        })
    }

    /// Whether nothing in the bundle says which bytes it is for.
    pub(super) fn names_no_digest(&self) -> bool {
        matches!(self.bundle.content, SignatureContent::MessageSignature(_)) && self.stated_digest().is_none()
    }

    /// A bundle that names other bytes is refused before anything else, so that the reason is the same in each
    /// format: the caller fetches pack and bundle again, once, when it sees this one.
    pub(super) fn check_stated_digest(&self, actual: Sha256Digest) -> Result<(), Refusal> {
        match self.stated_digest() {
            Some((stated, place)) if stated != actual => Err(Refusal::SignatureMismatch {
                why: format!("its {place} is for {stated}, the bytes are {actual}"),
            }),
            _ => Ok(()),
        }
    }

    /// The public key that the bundle names, unproved, when it names one that is not `expected`.
    pub(super) fn names_other_key(&self, expected: &DerPublicKey, fingerprint: Sha256Digest) -> Option<String> {
        use base64::Engine as _;
        if let VerificationMaterialContent::PublicKey(named) = &self.bundle.verification_material.content
            && let Ok(hint) = base64::engine::general_purpose::STANDARD.decode(&named.hint)
            && let Ok(hint) = <[u8; 32]>::try_from(hint)
            && hint != *fingerprint.as_bytes()
        {
            return Some(Sha256Digest::new(hint).to_string());
        }
        let logged = self.entries().iter().filter_map(logged_key);
        self.carried_key
            .iter()
            .cloned()
            .chain(logged)
            .find(|key| key != expected)
            .map(|key| Sha256Digest::of(key.as_bytes()).to_string())
    }

    /// How each entry shows that it was logged; an error unless every entry shows it.
    ///
    /// This is checked here because `sigstore-verify` verifies the evidence that an entry carries but does not insist
    /// that each entry carries some. A proof is asked for, except from the two formats that were made before proofs
    /// were put into bundles (Sigstore 0.1, cosign 2's older bundle): there the log's signed promise is enough.
    pub(super) fn log_evidence(&self) -> Result<LogEvidence, Refusal> {
        let promise_is_enough = matches!(self.format, BundleFormat::SigstoreV01 | BundleFormat::CosignLegacy);
        let entries = self.entries();
        let mut evidence = LogEvidence {
            entries: entries.len(),
            proofs: 0,
            promises: 0,
        };
        if entries.is_empty() {
            return Err(Refusal::NoTransparencyLog {
                why: "the bundle has no log entry".to_owned(),
            });
        }
        for entry in entries {
            let version_1 = entry.kind_version != KindVersion::HashedRekordV002;
            let promise = version_1 && entry.inclusion_promise.is_some() && entry.integrated_time.is_some();
            evidence.promises += usize::from(promise);
            evidence.proofs += usize::from(entry.inclusion_proof.is_some());
            if entry.inclusion_proof.is_none() && !(promise_is_enough && promise) {
                return Err(Refusal::NoTransparencyLog {
                    why: format!(
                        "the log entry {} has no inclusion proof{}",
                        entry.log_index.get(),
                        if promise_is_enough {
                            " and no signed promise with a time"
                        } else {
                            ""
                        }
                    ),
                });
            }
        }
        Ok(evidence)
    }
}

/// cosign 3 writes `"messageDigest": {}` when it signs with Ed25519, which signs the message itself: protobuf for
/// "no digest". The parser wants no field then, so the empty one is taken out. `None`: this is not such a bundle.
fn without_empty_digest(text: &str) -> Option<String> {
    let mut json: serde_json::Value = serde_json::from_str(text).ok()?;
    let message = json.get_mut("messageSignature")?.as_object_mut()?;
    if message.get("messageDigest")?.as_object()?.is_empty() {
        message.remove("messageDigest");
        return Some(json.to_string());
    }
    None
}

fn logged_key(entry: &TransparencyLogEntry) -> Option<DerPublicKey> {
    match RekorEntryBody::parse(&entry.canonicalized_body, entry.kind_version).ok()? {
        RekorEntryBody::HashedRekordV001(body) => body.spec.signature.public_key.parse_public_key().ok(),
        RekorEntryBody::HashedRekordV002(body) => body
            .spec
            .hashed_rekord_v002
            .signature
            .verifier
            .public_key
            .map(|key| key.raw_bytes),
        _ => None,
    }
}
