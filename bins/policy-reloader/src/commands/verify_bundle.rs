//! Owns `verify-bundle`: any blob against a Sigstore bundle, with the options and exit behaviour of the Sigstore client
//! conformance protocol (0 verified, anything else not), so that its suite can drive this binary.

use pack_verify::{BlobRef, IdentityRule, IssuerRule, KeyLog, Sha256Digest, Verifier, trust::STAGING_TRUSTED_ROOT};
use runtime::{
    args::OutputArgs,
    exit::{Exit, Failure, ResultExt as _},
};

use super::{print, read};
use crate::args::VerifyBundleArgs;

/// Verifies and reports.
pub(crate) fn verify_bundle(args: &VerifyBundleArgs) -> Result<Exit, Failure> {
    let root = || match (&args.trusted_root, args.staging) {
        (None, true) => Ok(STAGING_TRUSTED_ROOT.to_owned()),
        (path, _) => trust_args::trusted_root(path.as_deref()),
    };
    let verifier = match (&args.key, &args.certificate_identity, &args.certificate_oidc_issuer) {
        (Some(key), ..) => {
            let pem = String::from_utf8_lossy(&read(key)?).into_owned();
            let log = if args.insecure_ignore_tlog {
                KeyLog::NotRequired
            } else {
                KeyLog::Required {
                    trusted_root_json: root()?,
                }
            };
            Verifier::key(&pem, log).exit(Exit::Usage)?
        }
        (None, Some(identity), Some(issuer)) => Verifier::keyless(
            &root()?,
            IdentityRule::Exact(identity.clone()),
            IssuerRule::Exact(issuer.clone()),
        )
        .exit(Exit::Usage)?,
        _ => {
            return Err(Failure::usage(
                "say who must have signed: --certificate-identity and --certificate-oidc-issuer, or --key",
            ));
        }
    };
    let bundle = read(&args.bundle)?;
    let content;
    // As the protocol has it: a digest when it looks like one and no file has that name.
    let artifact = match args.artifact.parse::<Sha256Digest>() {
        Ok(digest) if args.artifact.starts_with("sha256:") && !std::path::Path::new(&args.artifact).exists() => {
            BlobRef::Sha256(digest)
        }
        _ => {
            content = read(args.artifact.as_ref())?;
            BlobRef::Bytes(&content)
        }
    };
    let report = verifier.verify_blob(artifact, &bundle).exit(Exit::Negative)?;
    print(OutputArgs::default(), &report, |report| {
        format!("verified: {} signed by {}", report.digest, report.signed_by())
    })?;
    Ok(Exit::Done)
}
