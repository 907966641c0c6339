//! Owns `verify`: the whole examination of one pack, and a report of everything that was checked.

use std::{fmt::Write as _, path::Path};

use anyhow::Context as _;
use bytes::Bytes;
use mc_client::Validators;
use pack_verify::{CheckOutcome, PackBytes, Sha256Digest, SignatureReport, TrustMode, manifest::PackManifest};
use runtime::{
    exit::{Exit, Failure, ResultExt as _},
    style::Palette,
};
use serde::Serialize;

use super::{print, read, read_capped};
use crate::{
    args::VerifyArgs,
    examine::{Circumstances, Rules, examine},
    fetch::{FetchError, Fetched, fetch},
    preflight::PreflightReport,
    setup,
};

#[derive(Serialize)]
struct Report {
    verdict: &'static str,
    digest: Option<Sha256Digest>,
    digest_announced: bool,
    signature: Option<SignatureReport>,
    manifest: Option<PackManifest>,
    preflight: Option<PreflightReport>,
    reason: Option<&'static str>,
    message: Option<String>,
}

struct Subject {
    pack: PackBytes,
    bundle: Option<Bytes>,
    digest_announced: bool,
}

/// Examines a file or what MC serves.
pub(crate) fn verify(args: &VerifyArgs) -> Result<Exit, Failure> {
    runtime::log::init(&args.log).exit(Exit::Usage)?;
    let rules = setup::rules(&args.rules)?;
    let subject = if args.pack.contains("://") {
        from_mc(args, &rules)?
    } else {
        from_file(args)?
    };
    let subject = match subject {
        Ok(subject) => subject,
        Err(rejection) => return report_refusal(args, None, false, &rejection),
    };
    let digest = subject.pack.digest();
    if let Some(expected) = args.digest.filter(|expected| *expected != digest) {
        return Err(Failure::new(
            Exit::Negative,
            anyhow::anyhow!("the pack is not the expected one: expected {expected} (--digest), found {digest}"),
        ));
    }
    let circumstances = Circumstances {
        now: crate::clock(),
        last: None,
        digest_announced: subject.digest_announced || args.digest.is_some(),
        restoring: false,
    };
    match examine(subject.pack, subject.bundle.as_deref(), &rules, &circumstances) {
        Err(rejection) => report_refusal(args, Some(digest), subject.digest_announced, &rejection),
        Ok(deployable) => {
            let report = Report {
                verdict: "accepted",
                digest: Some(digest),
                digest_announced: circumstances.digest_announced,
                signature: Some(deployable.pack().report().clone()),
                manifest: deployable.pack().manifest().cloned(),
                preflight: Some(deployable.report()),
                reason: None,
                message: None,
            };
            print(args.output, &report, words)?;
            Ok(Exit::Done)
        }
    }
}

fn report_refusal(
    args: &VerifyArgs,
    digest: Option<Sha256Digest>,
    digest_announced: bool,
    rejection: &crate::examine::Rejection,
) -> Result<Exit, Failure> {
    let report = Report {
        verdict: "refused",
        digest,
        digest_announced,
        signature: None,
        manifest: None,
        preflight: None,
        reason: Some(rejection.reason().as_str()),
        message: Some(crate::chain(rejection)),
    };
    print(args.output, &report, words)?;
    Ok(Exit::Negative)
}

fn from_file(args: &VerifyArgs) -> Result<Result<Subject, crate::examine::Rejection>, Failure> {
    let path = Path::new(&args.pack);
    let pack = read_capped(path, args.rules.max_pack_bytes)?;
    let bundle = args.bundle.as_deref().map(read).transpose()?.map(Bytes::from);
    Ok(Ok(Subject {
        pack,
        bundle,
        digest_announced: false,
    }))
}

fn from_mc(args: &VerifyArgs, rules: &Rules) -> Result<Result<Subject, crate::examine::Rejection>, Failure> {
    if args.bundle.is_some() {
        return Err(Failure::usage(
            "--bundle goes with a file; MC serves the signature of its own pack",
        ));
    }
    let token = setup::secret("MC_TOKEN", args.mc_token.as_ref(), args.mc_token_file.as_deref())?;
    let client = setup::pack_client(&args.pack, "the address of the pack", token, &args.http)?;
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")
        .exit(Exit::Dependency)?;
    let signed = rules.verifier.mode() != TrustMode::InsecureDigestOnly;
    let limit = args.rules.max_pack_bytes;
    let fetched = executor.block_on(async {
        let first = fetch(&client, &Validators::default(), limit, signed).await;
        match first {
            Ok(Fetched::Candidate(candidate)) if candidate.raced => {
                fetch(&client, &Validators::default(), limit, signed).await
            }
            first => first,
        }
    });
    match fetched {
        Ok(Fetched::Candidate(candidate)) => Ok(Ok(Subject {
            pack: candidate.pack,
            bundle: candidate.bundle,
            digest_announced: candidate.digest_announced,
        })),
        Ok(Fetched::Unchanged) => Err(Failure::new(
            Exit::Dependency,
            anyhow::anyhow!("MC answered 304 to a request that was not conditional"),
        )),
        Err(FetchError::Refused(refusal)) => Ok(Err(refusal.into())),
        Err(error) => Err(Failure::new(Exit::Dependency, error)),
    }
}

fn words(report: &Report) -> String {
    let palette = Palette::stdout();
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = match (&report.message, report.reason) {
        (Some(message), Some(reason)) => writeln!(text, "{} ({reason}): {message}", palette.red("refused")),
        _ => writeln!(text, "{}", palette.green("accepted")),
    };
    if let Some(digest) = report.digest {
        let _ = writeln!(text, "pack       {digest}");
    }
    if let Some(signature) = &report.signature {
        let _ = writeln!(text, "signed by  {}", signature.signed_by());
        for check in &signature.checks {
            let detail = check.detail.as_deref().unwrap_or_default();
            let _ = match &check.outcome {
                CheckOutcome::Passed => {
                    writeln!(text, "  {} {:<22} {detail}", palette.green("✓"), check.name.as_str())
                }
                CheckOutcome::NotChecked { why } => {
                    writeln!(
                        text,
                        "  {} {:<22} not checked: {why}",
                        palette.yellow("–"),
                        check.name.as_str()
                    )
                }
            };
        }
    }
    if let Some(manifest) = &report.manifest {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let _ = writeln!(
            text,
            "pack.json  id {}, revision {}, expires {}",
            shown(manifest.id.clone()),
            shown(manifest.revision.map(|revision| revision.to_string())),
            shown(manifest.expires.map(|expires| expires.to_string()))
        );
    }
    if let Some(preflight) = &report.preflight {
        if let Some(warning) = &preflight.warning {
            let _ = writeln!(
                text,
                "{} the Rego was not looked at, OPA's compiler will judge: {warning}",
                palette.yellow("warning")
            );
        }
        for module in &preflight.modules {
            let _ = writeln!(text, "rego v{}    {}", module.rego_version, module.path);
        }
        let _ = writeln!(
            text,
            "golden     {} decisions hold\nroots      {}",
            preflight.golden_checked,
            preflight.roots.join(", ")
        );
    }
    text.trim_end().to_owned()
}
