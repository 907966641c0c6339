//! Key trust: one public key, with or without a transparency log.

use sigstore_crypto::{ArtifactHasher, KeyAlgorithm, VerificationKey};
use sigstore_types::{DerPublicKey, HashAlgorithm, MessageSignature, SignatureContent, VerificationMaterialContent};
use sigstore_verify::PublicKeyVerificationPolicy;

use super::bundle::{Parsed, excerpt, unsupported};
use super::errors::refusal;
use super::keyless::{Root, log_checks, times};
use super::report::{CheckName, Checks, KeyInfo, SignatureReport, TrustMode};
use super::{BlobRef, KeyLog, TrustConfigError};
use crate::digest::Sha256Digest;
use crate::refusal::Refusal;

pub(super) struct Key {
    der: DerPublicKey,
    algorithm: KeyAlgorithm,
    info: KeyInfo,
    log: Option<(Root, PublicKeyVerificationPolicy)>,
}

impl Key {
    pub(super) fn new(pem: &str, log: KeyLog) -> Result<Self, TrustConfigError> {
        let der = read_pem(pem)?;
        let (algorithm, name) = kind(&der)?;
        let log = match log {
            KeyLog::NotRequired => None,
            KeyLog::Required { trusted_root_json } => {
                let root = Root::parse(&trusted_root_json, TrustMode::Key)?;
                Some((root, PublicKeyVerificationPolicy::new(der.clone())))
            }
        };
        let info = KeyInfo {
            fingerprint: Sha256Digest::of(der.as_bytes()),
            algorithm: name,
        };
        Ok(Self {
            der,
            algorithm,
            info,
            log,
        })
    }

    pub(super) fn verify(&self, artifact: &BlobRef<'_>, parsed: &Parsed) -> Result<SignatureReport, Refusal> {
        if !matches!(
            parsed.bundle.verification_material.content,
            VerificationMaterialContent::PublicKey(_)
        ) {
            return Err(unsupported(
                "it was signed keyless and carries a certificate; trust mode key needs one signed with the key",
            ));
        }
        let outcome = match &self.log {
            Some((root, policy)) => self.verify_logged(artifact, parsed, root, policy),
            None => self.verify_unlogged(artifact, parsed),
        };
        outcome.map_err(|refused| self.name_the_key(refused, parsed))
    }

    fn verify_logged(
        &self,
        artifact: &BlobRef<'_>,
        parsed: &Parsed,
        root: &Root,
        policy: &PublicKeyVerificationPolicy,
    ) -> Result<SignatureReport, Refusal> {
        let evidence = parsed.log_evidence()?;
        let result = root
            .verifier
            .verify(artifact.to_sigstore(), &parsed.bundle, policy)
            .map_err(|error| refusal(&error, parsed, &root.trusted))?;
        if !result.tlog_verified() {
            return Err(Refusal::NoTransparencyLog {
                why: "the log evidence was not verified".to_owned(),
            });
        }
        let mut checks = self.checks(artifact);
        log_checks(&mut checks, evidence);
        match times(result.verified_timestamps()) {
            Some(found) => checks.passed(CheckName::Timestamps, found),
            None => checks.not_checked(&[CheckName::Timestamps], "the bundle carries no signed time"),
        };
        let mut report = self.report(artifact, parsed, checks);
        report.signed_at = result.verified_timestamps().iter().min().copied();
        Ok(report)
    }

    /// The signature alone. `sigstore-verify` wants a log entry or a signed time in every bundle, which a key in an
    /// air-gapped place has not; so the key is used directly, through `sigstore-crypto`.
    fn verify_unlogged(&self, artifact: &BlobRef<'_>, parsed: &Parsed) -> Result<SignatureReport, Refusal> {
        let SignatureContent::MessageSignature(message) = &parsed.bundle.content else {
            return Err(unsupported(
                "it is an attestation (DSSE); with a key and no log only a signature over the bytes is accepted: \
                 sign with `cosign sign-blob` or `pack sign`",
            ));
        };
        self.check_message(artifact, message, parsed)?;
        let entries = parsed.entries().len();
        let why = if entries == 0 {
            "the transparency log is not required, and the bundle has no entry".to_owned()
        } else {
            format!("the transparency log is not required; the bundle's {entries} log entries were not looked at")
        };
        let mut checks = self.checks(artifact);
        checks
            .not_checked(
                &[
                    CheckName::LogInclusion,
                    CheckName::Checkpoint,
                    CheckName::InclusionPromise,
                    CheckName::LogEntry,
                ],
                &why,
            )
            .not_checked(
                &[CheckName::Timestamps],
                "without a log and its trusted root there is nobody whose word on the time could be checked",
            );
        Ok(self.report(artifact, parsed, checks))
    }

    fn check_message(
        &self,
        artifact: &BlobRef<'_>,
        message: &MessageSignature,
        parsed: &Parsed,
    ) -> Result<(), Refusal> {
        let scheme = match &message.message_digest {
            None => self.algorithm.default_signing_scheme(),
            Some(stated) => {
                let found = digest(artifact, stated.algorithm)?;
                if stated.digest.as_bytes() != found.as_slice() {
                    return Err(Refusal::SignatureMismatch {
                        why: format!("its messageDigest ({}) is not that of the bytes", stated.algorithm),
                    });
                }
                self.algorithm
                    .resolve_signing_scheme(stated.algorithm)
                    .map_err(unsupported)?
            }
        };
        let key = VerificationKey::from_spki_with_scheme(&self.der, scheme).map_err(unsupported)?;
        let checked = match (scheme.hash_algorithm(), artifact) {
            (Some(algorithm), _) => key.verify_prehashed(&digest(artifact, algorithm)?, &message.signature),
            (None, BlobRef::Bytes(bytes)) => key.verify(bytes, &message.signature),
            (None, BlobRef::Sha256(_)) => {
                return Err(unsupported(format!(
                    "{} signs the whole message: pass the file, not its digest",
                    scheme.name()
                )));
            }
        };
        checked.map_err(|error| Refusal::SignatureInvalid {
            why: excerpt(&error.to_string()),
            names_no_digest: parsed.names_no_digest(),
        })
    }

    /// A signature by another key looks like a broken one. When the bundle itself names another key, say that.
    fn name_the_key(&self, refused: Refusal, parsed: &Parsed) -> Refusal {
        if !matches!(
            refused,
            Refusal::SignatureInvalid { .. } | Refusal::NoTransparencyLog { .. }
        ) {
            return refused;
        }
        match parsed.names_other_key(&self.der, self.info.fingerprint) {
            Some(found) => Refusal::WrongKey {
                expected: self.info.fingerprint.to_string(),
                found,
            },
            None => refused,
        }
    }

    fn checks(&self, artifact: &BlobRef<'_>) -> Checks {
        let mut checks = Checks::default();
        checks
            .passed(CheckName::Digest, artifact.digest().to_string())
            .passed(
                CheckName::Signature,
                format!("{} with key {}", self.info.algorithm, self.info.fingerprint),
            )
            .not_checked(
                &[
                    CheckName::CertificateChain,
                    CheckName::Sct,
                    CheckName::Identity,
                    CheckName::Issuer,
                ],
                "signed with a key: there is no certificate",
            );
        checks
    }

    fn report(&self, artifact: &BlobRef<'_>, parsed: &Parsed, checks: Checks) -> SignatureReport {
        SignatureReport {
            mode: TrustMode::Key,
            digest: artifact.digest(),
            signer: None,
            key: Some(self.info.clone()),
            bundle_format: Some(parsed.format),
            attestation: parsed.attestation(),
            signed_at: None,
            checks: checks.finish(),
        }
    }
}

fn digest(artifact: &BlobRef<'_>, algorithm: HashAlgorithm) -> Result<Vec<u8>, Refusal> {
    match artifact {
        BlobRef::Bytes(bytes) => {
            let mut hasher = ArtifactHasher::new(algorithm).map_err(unsupported)?;
            hasher.update(bytes);
            Ok(hasher.finalize().as_bytes().to_vec())
        }
        BlobRef::Sha256(digest) if algorithm == HashAlgorithm::Sha2256 => Ok(digest.as_bytes().to_vec()),
        BlobRef::Sha256(_) => Err(unsupported(format!(
            "it needs the {algorithm} digest: pass the file, not its digest"
        ))),
    }
}

fn read_pem(text: &str) -> Result<DerPublicKey, TrustConfigError> {
    let file = |found: String, hint| TrustConfigError::KeyFile { found, hint };
    let labels: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .collect();
    match labels.as_slice() {
        ["PUBLIC KEY"] => DerPublicKey::from_pem(text).map_err(|error| file(error.to_string(), "")),
        ["RSA PUBLIC KEY"] => Err(TrustConfigError::KeyKind {
            found: "RSA".to_owned(),
        }),
        [label] if label.ends_with("PRIVATE KEY") => Err(file(
            format!("a block {label}"),
            ": that is the secret half; pass the public key",
        )),
        ["CERTIFICATE"] => Err(file(
            "a block CERTIFICATE".to_owned(),
            ": extract its key with `openssl x509 -pubkey -noout`",
        )),
        [label] => Err(file(format!("a block {}", excerpt(label)), "")),
        [] => {
            let kind = if text.trim().is_empty() {
                "an empty text"
            } else {
                "text without a PEM block"
            };
            Err(file(kind.to_owned(), ""))
        }
        many => Err(file(
            format!("{} blocks", many.len()),
            ": only one key can be trusted at a time",
        )),
    }
}

fn kind(der: &DerPublicKey) -> Result<(KeyAlgorithm, &'static str), TrustConfigError> {
    let other = |found: String| TrustConfigError::KeyKind { found };
    let algorithm = KeyAlgorithm::from_spki(der).map_err(|error| other(excerpt(&error.to_string())))?;
    let name = match algorithm {
        KeyAlgorithm::EcdsaP256 => "ECDSA P-256",
        KeyAlgorithm::Ed25519 => "Ed25519",
        KeyAlgorithm::EcdsaP384 => return Err(other("ECDSA P-384".to_owned())),
        KeyAlgorithm::Rsa => return Err(other("RSA".to_owned())),
        unknown => return Err(other(format!("{unknown:?}"))),
    };
    // Points that are not on the curve are found here, not with the first pack.
    VerificationKey::from_spki(der).map_err(|error| other(format!("{name}, but invalid: {error}")))?;
    Ok((algorithm, name))
}

/// The fingerprint that cosign puts into a bundle as the hint: base64 of SHA-256 of the key as DER.
#[cfg(feature = "sign")]
pub(crate) fn hint(der: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(Sha256Digest::of(der).as_bytes())
}
