//! Keyless trust: a certificate for a named identity, and evidence that leads to a pinned trusted root.

use jiff::Timestamp;
use sigstore_trust_root::TrustedRoot;
use sigstore_verify::{SubjectAltName, VerificationPolicy, VerificationResult};

use super::bundle::{LogEvidence, Parsed, unsupported};
use super::errors::refusal;
use super::report::{CheckName, Checks, SignatureReport, Signer, SignerKind, TrustMode};
use super::{BlobRef, IdentityRule, IssuerRule, TrustConfigError};
use crate::refusal::Refusal;

/// A trusted root, parsed once, with the verifier built from it.
pub(super) struct Root {
    pub(super) trusted: TrustedRoot,
    pub(super) verifier: sigstore_verify::Verifier,
}

impl Root {
    pub(super) fn parse(json: &str, mode: TrustMode) -> Result<Self, TrustConfigError> {
        let trusted = TrustedRoot::from_json(json).map_err(TrustConfigError::trusted_root)?;
        let verifier = sigstore_verify::Verifier::new(&trusted).map_err(TrustConfigError::trusted_root)?;
        let needs = [
            (trusted.tlogs.is_empty(), "transparency log", true),
            (
                trusted.certificate_authorities.is_empty(),
                "certificate authority",
                mode == TrustMode::Keyless,
            ),
            (
                trusted.ctlogs.is_empty(),
                "certificate transparency log",
                mode == TrustMode::Keyless,
            ),
        ];
        match needs.into_iter().find(|(missing, _, needed)| *missing && *needed) {
            Some((_, what, _)) => Err(TrustConfigError::TrustedRootIncomplete {
                what,
                mode: mode.as_str(),
            }),
            None => Ok(Self { trusted, verifier }),
        }
    }
}

pub(super) struct Keyless {
    root: Root,
    policy: VerificationPolicy,
    identity: IdentityRule,
    issuer: IssuerRule,
}

impl Keyless {
    pub(super) fn new(root: &str, identity: IdentityRule, issuer: IssuerRule) -> Result<Self, TrustConfigError> {
        identity.check()?;
        issuer.check()?;
        // Exact rules are also given to sigstore-verify, which then checks them before it looks at the log.
        let mut policy = VerificationPolicy::any_identity();
        if let IdentityRule::Exact(text) = &identity {
            policy = policy.require_identity(text.as_str());
        }
        if let IssuerRule::Exact(text) = &issuer {
            policy = policy.require_issuer(text.as_str());
        }
        Ok(Self {
            root: Root::parse(root, TrustMode::Keyless)?,
            policy,
            identity,
            issuer,
        })
    }

    pub(super) fn verify(&self, artifact: &BlobRef<'_>, parsed: &Parsed) -> Result<SignatureReport, Refusal> {
        if parsed.bundle.signing_certificate().is_none() {
            return Err(unsupported(
                "it was signed with a key and carries no certificate; trust mode keyless needs one (or use mode key)",
            ));
        }
        let evidence = parsed.log_evidence()?;
        let result = self
            .root
            .verifier
            .verify(artifact.to_sigstore(), &parsed.bundle, &self.policy)
            .map_err(|error| refusal(&error, parsed, &self.root.trusted))?;
        demand_everything(&result)?;
        let signer = self.authorize(&result)?;
        Ok(report(artifact, parsed, &result, signer, evidence))
    }

    /// Who signed is decided here for both kinds of rule: without a name there is nobody to trust.
    fn authorize(&self, result: &VerificationResult) -> Result<Signer, Refusal> {
        let none = || "none".to_owned();
        let san = result.identity();
        let identity = san
            .map(SubjectAltName::as_str)
            .filter(|name| self.identity.matches(name))
            .ok_or_else(|| Refusal::WrongIdentity {
                expected: self.identity.to_string(),
                found: san.map_or_else(none, |san| format!("{:?}", san.as_str())),
            })?;
        let issuer = result
            .issuer()
            .filter(|issuer| self.issuer.matches(issuer))
            .ok_or_else(|| Refusal::WrongIssuer {
                expected: self.issuer.to_string(),
                found: result.issuer().map_or_else(none, |issuer| format!("{issuer:?}")),
            })?;
        let kind = match san {
            Some(SubjectAltName::Email(_)) => SignerKind::Email,
            Some(SubjectAltName::Uri(_)) => SignerKind::Uri,
            _ => SignerKind::Other,
        };
        Ok(Signer {
            identity: identity.to_owned(),
            issuer: issuer.to_owned(),
            kind,
        })
    }
}

/// The library says what it did; a policy of ours that skipped a step by mistake must not pass as verified.
fn demand_everything(result: &VerificationResult) -> Result<(), Refusal> {
    let untrusted = |why: &str| Err(Refusal::UntrustedRoot { why: why.to_owned() });
    if !result.certificate_verified() {
        return untrusted("the certificate chain was not verified");
    }
    if !result.sct_verified() {
        return untrusted("the certificate's signed certificate timestamp was not verified");
    }
    if !result.tlog_verified() {
        return Err(Refusal::NoTransparencyLog {
            why: "the log evidence was not verified".to_owned(),
        });
    }
    if result.verified_timestamps().is_empty() {
        return untrusted("no time of signing was proved");
    }
    Ok(())
}

fn report(
    artifact: &BlobRef<'_>,
    parsed: &Parsed,
    result: &VerificationResult,
    signer: Signer,
    evidence: LogEvidence,
) -> SignatureReport {
    let mut checks = Checks::default();
    checks
        .passed(CheckName::Digest, artifact.digest().to_string())
        .passed(
            CheckName::Signature,
            result.certificate().map(|cert| format!("{:?}", cert.key_algorithm)),
        )
        .passed(
            CheckName::CertificateChain,
            result
                .certificate()
                .map(|cert| format!("valid from {} to {}", cert.not_before, cert.not_after)),
        )
        .passed(CheckName::Sct, None)
        .passed(CheckName::Identity, signer.identity.clone())
        .passed(CheckName::Issuer, signer.issuer.clone());
    log_checks(&mut checks, evidence);
    checks.passed(CheckName::Timestamps, times(result.verified_timestamps()));
    SignatureReport {
        mode: TrustMode::Keyless,
        digest: artifact.digest(),
        signer: Some(signer),
        key: None,
        bundle_format: Some(parsed.format),
        attestation: parsed.attestation(),
        signed_at: result.verified_timestamps().iter().min().copied(),
        checks: checks.finish(),
    }
}

/// What the verified log entries prove, the same in both modes that use a log.
pub(super) fn log_checks(checks: &mut Checks, evidence: LogEvidence) {
    use CheckName::{Checkpoint, InclusionPromise, LogEntry, LogInclusion};
    let LogEvidence {
        entries,
        proofs,
        promises,
    } = evidence;
    let of = |n: usize| Some(format!("{n} of {entries}"));
    if proofs == entries {
        checks.passed(LogInclusion, of(proofs)).passed(Checkpoint, of(proofs));
    } else {
        checks.not_checked(
            &[LogInclusion, Checkpoint],
            "this older bundle carries the log's signed promise to include the entry, not a proof",
        );
    }
    if promises > 0 {
        checks.passed(InclusionPromise, of(promises));
    } else {
        checks.not_checked(
            &[InclusionPromise],
            "the entry carries no signed promise; the inclusion proof stands for it",
        );
    }
    checks.passed(LogEntry, of(entries));
}

pub(super) fn times(times: &[Timestamp]) -> Option<String> {
    let list: Vec<String> = times.iter().map(ToString::to_string).collect();
    (!list.is_empty()).then(|| list.join(", "))
}
