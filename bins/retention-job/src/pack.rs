//! Owns the policy of a signed pack: `data/retention.json`, after the whole verification that policy-reloader does.

use crate::args::policy::PolicyArgs;
use crate::policy::read;
use crate::setup;
use anyhow::Context as _;
use pack_verify::{Admission, Limits, PackBytes, TrustMode};
use retention_policy::{LoadedPolicy, PolicySource};
use runtime::exit::{Exit, Failure, ResultExt as _};
use std::path::Path;

/// Where the policy is in a pack.
const POLICY: &str = "data/retention.json";
/// A bundle is a few KiB.
const MAX_BUNDLE: u64 = 1 << 20;

/// Verifies the pack and reads its policy.
pub(crate) fn policy(path: &Path, args: &PolicyArgs) -> Result<LoadedPolicy, Failure> {
    let verifier = args.trust.verifier()?;
    let limits = Limits::default();
    let bytes = read(path, limits.max_pack_bytes as u64 + 1)
        .with_context(|| format!("cannot read the pack {}", path.display()))
        .exit(Exit::Usage)?;
    let bundle = setup::path(args.policy_bundle.as_ref())
        .map(|bundle| {
            read(&bundle, MAX_BUNDLE)
                .with_context(|| format!("cannot read --policy-bundle {}", bundle.display()))
                .exit(Exit::Usage)
        })
        .transpose()?;
    if bundle.is_none() && verifier.mode() != TrustMode::InsecureDigestOnly {
        return Err(Failure::usage(
            "a policy pack needs its signature: --policy-bundle FILE (RETENTION_POLICY_BUNDLE), the .sigstore.json beside it",
        ));
    }
    let refused = |refusal: pack_verify::Refusal| {
        let error = anyhow::Error::new(refusal).context(format!("the policy pack {} is refused", path.display()));
        Failure::new(Exit::Negative, error)
    };
    let pack = verifier
        .verify(PackBytes::new(bytes.into()), bundle.as_deref())
        .and_then(|signed| signed.unpack(&limits))
        .and_then(|unpacked| unpacked.admit(&Admission::at(jiff::Timestamp::now())))
        .map_err(refused)?;
    let file = pack
        .data()
        .iter()
        .find(|file| file.path == POLICY)
        .ok_or_else(|| Failure::usage(format!("the policy pack {} has no {POLICY}", path.display())))?;
    let source = PolicySource::Pack {
        pack: pack.digest().to_string(),
        path: POLICY.to_owned(),
    };
    retention_policy::read(&file.json, source, args.retention_days).exit(Exit::Usage)
}
