//! Owns MC's misbehaviour: every fault of mc-sim, what is said about it, and the recovery.

use std::time::Duration;

use e2e::{Lab, Mode, Reloader, eventually, reloader::POLL};
use libtest_mimic::Trial;
use mc_sim::{Endpoint, Fault, FaultSpec, PACK_ID, Target, build_signed, samples};

use crate::with_opa;

/// Shorter than the faults that hang; longer than a busy machine needs for an honest answer.
const PATIENCE: Duration = Duration::from_millis(1500);
/// One watch, one activation, and a busy machine.
const MARGIN: Duration = Duration::from_secs(4);

/// A fault that lasts is met more often than this, so that the first answer was dealt with in full.
const TIMES: usize = 2;

/// What a fault comes to while it lasts.
#[derive(Debug, Clone, Copy)]
enum Comes {
    /// MC gave no pack, for this reason.
    Fails(&'static str),
    /// A pack was refused, for this reason.
    Refused(&'static str),
    /// It looks as if nothing were new.
    Unnoticed,
    /// The new pack is activated all the same.
    Through,
}

struct Case {
    name: &'static str,
    fault: FaultSpec,
    comes: Comes,
}

fn cases() -> Vec<Case> {
    let case = |name, fault: FaultSpec, comes| Case { name, fault, comes };
    vec![
        case("latency", Fault::Latency { ms: 200 }.into(), Comes::Through),
        case(
            "latency_without_end",
            Fault::Latency { ms: 60_000 }.into(),
            Comes::Fails("timeout"),
        ),
        case("status_500", status(500, None), Comes::Fails("status")),
        case("status_503_retry_after", status(503, Some(1)), Comes::Fails("status")),
        case("status_404", status(404, None), Comes::Fails("unknown_pack")),
        case("status_403", status(403, None), Comes::Fails("unauthorized")),
        case("reset", Fault::Reset { at: None }.into(), Comes::Fails("unreachable")),
        case(
            "reset_in_the_body",
            Fault::Reset { at: Some(100) }.on(Target::Pack),
            Comes::Fails("truncated"),
        ),
        case(
            "truncate",
            Fault::Truncate { at: 100 }.on(Target::Pack),
            Comes::Fails("truncated"),
        ),
        case(
            "truncate_attestation",
            Fault::Truncate { at: 20 }.on(Target::Attestation),
            Comes::Fails("truncated"),
        ),
        case("endless", Fault::Endless.on(Target::Pack), Comes::Refused("too_large")),
        case(
            "endless_attestation",
            Fault::Endless.on(Target::Attestation),
            Comes::Fails("too_large"),
        ),
        case(
            "wrong_digest",
            Fault::WrongDigest.on(Target::Pack),
            Comes::Refused("digest_mismatch"),
        ),
        case(
            "digest_conflict",
            Fault::DigestConflict.on(Target::Pack),
            Comes::Refused("digest_malformed"),
        ),
        case("no_digest_header", Fault::NoDigestHeader.into(), Comes::Through),
        case("stale_304", Fault::Stale304.into(), Comes::Unnoticed),
        case(
            "missing_attestation",
            Fault::MissingAttestation.into(),
            Comes::Refused("signature_missing"),
        ),
        case(
            "foreign_attestation",
            Fault::ForeignAttestation { bundle: None }.into(),
            Comes::Refused("signature_mismatch"),
        ),
        case("redirect_loop", Fault::RedirectLoop.into(), Comes::Fails("redirect")),
        // Slower than the patience for one wait, but it comes.
        case(
            "slow_drip",
            Fault::SlowDrip { bytes_per_sec: 4000 }.on(Target::Pack),
            Comes::Through,
        ),
        case(
            "slow_drip_of_nothing",
            Fault::SlowDrip { bytes_per_sec: 0 }.into(),
            Comes::Fails("timeout"),
        ),
        case("html", Fault::Html.into(), Comes::Fails("not_a_pack")),
        case("unauthorized", Fault::Unauthorized.into(), Comes::Fails("unauthorized")),
        case(
            "etag_race_without_end",
            Fault::EtagRace.into(),
            Comes::Refused("signature_mismatch"),
        ),
        case("etag_race", Fault::EtagRace.times(1), Comes::Through),
        case("inline_bundle", Fault::InlineBundle { on: true }.into(), Comes::Through),
    ]
}

fn status(code: u16, retry_after: Option<u32>) -> FaultSpec {
    Fault::Status { code, retry_after }.into()
}

/// Fails to compile when mc-sim learns a fault that has no case here.
fn has_a_case(fault: &Fault) -> bool {
    match fault {
        Fault::Latency { .. }
        | Fault::Status { .. }
        | Fault::Reset { .. }
        | Fault::Truncate { .. }
        | Fault::Endless
        | Fault::WrongDigest
        | Fault::DigestConflict
        | Fault::NoDigestHeader
        | Fault::Stale304
        | Fault::MissingAttestation
        | Fault::ForeignAttestation { .. }
        | Fault::RedirectLoop
        | Fault::SlowDrip { .. }
        | Fault::Html
        | Fault::Unauthorized
        | Fault::EtagRace
        | Fault::InlineBundle { .. } => cases().iter().any(|case| case.fault.fault.name() == fault.name()),
        // Of the GraphQL endpoint, which the reloader never asks: load-gate's tests have a case for each.
        Fault::NotYet
        | Fault::DataNull
        | Fault::GraphqlErrors { .. }
        | Fault::MissingField { .. }
        | Fault::SetField { .. }
        | Fault::StaleSnapshot { .. }
        | Fault::DuplicateOk
        | Fault::Bom
        | Fault::TwoDocuments
        | Fault::CutJson { .. }
        | Fault::EmptyBody { .. }
        | Fault::Body { .. }
        | Fault::ContentType { .. }
        | Fault::Cached { .. } => true,
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for mode in Mode::ALL {
        for case in cases() {
            let name = format!("fault::{}::{}", case.name, mode.name());
            trials.push(with_opa(name, move || a_fault_of_mc(mode, case)));
        }
    }
    trials
}

async fn a_fault_of_mc(mode: Mode, case: Case) {
    assert!(has_a_case(&case.fault.fault));
    let lab = Lab::new(mode);
    let opa = lab.opa().await;
    let patience = PATIENCE.as_millis().to_string();
    let options = lab
        .options(&[&opa])
        .args(&["--http-request-timeout-ms", &patience, "--max-pack-bytes", "1000000"]);
    let reloader = lab.running_with(&options, &opa, samples::v1(1), 1).await;
    let untouched = opa.everything().await;

    let fault = case.fault.fault.name();
    let newest = if fault == "etag_race" {
        lab.sim
            .stage(PACK_ID, build_signed(samples::deny_by_data(3), &lab.signer).unwrap());
        3
    } else {
        2
    };
    lab.sim.clear_requests();
    lab.sim.set_fault(case.fault);
    lab.publish(samples::deny_by_data(2));
    if matches!(case.comes, Comes::Through) {
        opa.decides_by(newest).await;
        assert_eq!(opa.allows().await, Some(false));
        let met = lab.sim.requests();
        assert!(met.iter().any(|request| request.faults.contains(&fault)));
        if fault == "inline_bundle" {
            assert_eq!(met.answered(Endpoint::Attestation), 0, "the bundle came with the pack");
        }
    } else {
        let met = lab.sim.wait_until(e2e::LIMIT, |requests| {
            requests
                .iter()
                .filter(|request| request.faults.contains(&fault))
                .count()
                > TIMES
        });
        assert!(
            met.await,
            "the reloader keeps polling: {:?}",
            lab.sim.requests().counts()
        );
        said(&reloader, case.comes).await;
        assert_eq!(opa.revision().await, Some(1), "the last good pack keeps deciding");
        assert_eq!(opa.allows().await, Some(true));
        assert_eq!(opa.everything().await, untouched);
        assert!(reloader.is_ready().await, "OPA decides by an accepted pack");
    }

    lab.sim.clear_faults();
    let newest = if case.name == "etag_race_without_end" {
        // Which of the two stands now is chance; MC's next one is not.
        lab.publish(samples::deny_by_data(4));
        4
    } else {
        newest
    };
    if !matches!(case.comes, Comes::Through) {
        let took = opa.decides_by_within(POLL + PATIENCE + MARGIN, newest).await;
        eprintln!(
            "{} ({}): recovered after {} ms",
            case.name,
            mode.name(),
            took.as_millis()
        );
        assert_eq!(opa.allows().await, Some(false));
    }
    reloader
        .status_until("the trouble is over", |status| {
            (status["state"] == "steady" && status["last_poll"]["outcome"] == "unchanged").then_some(())
        })
        .await;
}

/// What `/status` and the metrics say of it.
async fn said(reloader: &Reloader, comes: Comes) {
    match comes {
        Comes::Through => {}
        Comes::Unnoticed => {
            let status = reloader.status().await;
            assert_eq!(status["last_poll"]["outcome"], "unchanged");
            assert!(status["last_refusal"].is_null(), "{status}");
        }
        Comes::Fails(reason) => {
            let (status, _) = eventually("the poll is said to have failed", async || {
                let status = reloader.status().await;
                (status["last_poll"]["outcome"] == "failed").then_some(status)
            })
            .await;
            assert!(status["last_poll"]["message"].is_string(), "{status}");
            assert!(status["last_refusal"].is_null(), "MC's trouble is no refusal: {status}");
            let times = reloader.poll_failures(reason).await;
            assert!(times >= 1.0, "expected reason {reason}: {status}");
        }
        Comes::Refused(reason) => {
            let (status, _) = eventually("the pack is said to be refused", async || {
                let status = reloader.status().await;
                (!status["last_refusal"].is_null()).then_some(status)
            })
            .await;
            assert_eq!(status["last_refusal"]["reason"], reason, "{status}");
            assert_eq!(status["last_poll"]["outcome"], "refused", "{status}");
            assert!(reloader.refusals(reason).await >= 1.0);
        }
    }
}
