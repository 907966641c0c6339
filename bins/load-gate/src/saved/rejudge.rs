//! A saved run, judged by other thresholds. Pure.

use anyhow::Context as _;
use load_report::ResultDoc;
use load_verdict::{
    Threshold,
    judge::{self, JudgeOptions, Judgement, StopRule, Validity, ValidityInput, ValidityLimits},
    tally::Tally,
    threshold::Metric,
};
use runtime::exit::{Exit, Failure, ResultExt as _};

/// Where the run's own confidence stands in its configuration.
const CONFIDENCE: &str = "/judging/confidence";
/// And the largest lag, if it was said.
const MAX_LAG: &str = "/judging/max_lag";
/// What bounds are made with when nobody says otherwise.
const USUAL: f64 = 0.95;
/// A lag of this much of the smallest latency limit does no harm.
const LAG_SHARE: f64 = 0.05;

/// The confidence of the run's bounds.
pub(crate) fn confidence(doc: &ResultDoc) -> f64 {
    let said = doc.config.pointer(CONFIDENCE).and_then(serde_json::Value::as_f64);
    said.filter(|confidence| (0.5..1.0).contains(confidence))
        .unwrap_or(USUAL)
}

/// Reads `METRIC=EXPRESSION` options.
pub(crate) fn thresholds(flags: &[String]) -> Result<Vec<Threshold>, Failure> {
    let read = |flag: &String| Threshold::parse_flag(flag).context("--threshold").exit(Exit::Usage);
    flags.iter().map(read).collect()
}

/// Judges the run by `thresholds` instead of its own.
///
/// # Errors
/// A threshold is about tags that were not measured apart.
pub(crate) fn rejudge(
    doc: &ResultDoc,
    tally: &Tally,
    thresholds: &[Threshold],
    confidence: f64,
) -> Result<ResultDoc, Failure> {
    let evidence = tally.evidence_for(thresholds).exit(Exit::Usage)?;
    let totals = tally.totals(doc.partial);
    // A run that stopped early because one of its own thresholds was decided says nothing final about others: what was not
    // sent is missing. That no request could succeed holds for all.
    let stop = doc
        .judgement
        .stop
        .clone()
        .filter(|stop| matches!(stop, judge::Stop::NoSuccess { .. } | judge::Stop::Interrupted));
    let said = doc.config.pointer(MAX_LAG).is_some_and(serde_json::Value::is_string);
    let validity = if said {
        doc.judgement.validity.clone()
    } else {
        stricter(&doc.judgement.validity, thresholds)
    };
    let judgement = judge::judge(&evidence, &totals, validity, &options(confidence), stop);
    Ok(with_judgement(doc.clone(), judgement))
}

/// How saved runs are judged: they are over, so nothing stops early.
pub(crate) const fn options(confidence: f64) -> JudgeOptions {
    JudgeOptions {
        confidence,
        stop_rule: StopRule::Never,
        min_duration: std::time::Duration::ZERO,
    }
}

/// The document with another judgement, and the exit code that goes with it.
pub(crate) fn with_judgement(mut doc: ResultDoc, judgement: Judgement) -> ResultDoc {
    doc.exit_code = crate::exit_code::native(judgement.verdict);
    doc.judgement = judgement;
    doc
}

/// The generator's lateness, held against the new limits: a lag that did not matter beside 350 ms may matter beside 20 ms.
fn stricter(known: &Validity, thresholds: &[Threshold]) -> Validity {
    let smallest = thresholds
        .iter()
        .filter(|threshold| is_latency(threshold.key.metric))
        .map(|threshold| threshold.limit)
        .fold(f64::INFINITY, f64::min);
    let usual = ValidityLimits::default();
    let allowed = if smallest.is_finite() {
        usual.lag_ms.max(smallest * LAG_SHARE)
    } else {
        known.lag_limit_ms
    };
    let judged = judge::validity(ValidityInput {
        lag_p50_ms: known.lag_p50_ms,
        lag_p99_ms: known.lag_p99_ms,
        scheduled: known.scheduled,
        sent: known.sent,
        cpu_wait: known.cpu_wait,
        throttled: known.throttled,
        busiest_thread: known.busiest_thread,
        limits: ValidityLimits {
            lag_ms: allowed.min(known.lag_limit_ms),
            ..usual
        },
    });
    // What the run itself found wrong stays wrong.
    let mut problems = judged.problems;
    if problems.is_empty() {
        problems.clone_from(&known.problems);
    }
    Validity { problems, ..judged }
}

const fn is_latency(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::HttpReqDuration
            | Metric::HttpReqWaiting
            | Metric::HttpReqReceiving
            | Metric::HttpReqBlocked
            | Metric::HttpReqConnecting
            | Metric::HttpReqTlsHandshaking
            | Metric::IterationDuration
    )
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use load_verdict::Verdict;

    fn judged_by(doc: &ResultDoc, tally: &Tally, flags: &[&str]) -> ResultDoc {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        rejudge(doc, tally, &thresholds(&flags).unwrap(), 0.95).unwrap()
    }

    #[test]
    fn the_verdict_follows_the_new_thresholds() {
        // 1,000 requests of 10 ms, 30 of 500 ms.
        let (doc, tally) = samples::run(&samples::Shape::two(1000, 10.0, 30, 500.0));
        let verdict = |flags: &[&str]| judged_by(&doc, &tally, flags).judgement.verdict;
        assert_eq!(verdict(&["http_req_duration=p(95)<350"]), Verdict::Pass);
        assert_eq!(verdict(&["http_req_duration=p(99)<350"]), Verdict::Fail);
        assert_eq!(verdict(&["http_req_duration=p(97)<350"]), Verdict::Inconclusive);
        assert_eq!(
            verdict(&["http_req_duration=p(95)<350", "http_req_failed=rate<0.01"]),
            Verdict::Pass
        );
        let failed = judged_by(&doc, &tally, &["http_req_duration=p(99)<350"]);
        assert_eq!(failed.exit_code, 1);
        assert_eq!(failed.judgement.thresholds.len(), 1);
    }

    #[test]
    fn tags_that_were_not_measured_are_refused() {
        let (doc, tally) = samples::run(&samples::Shape::plain(1000, 10.0));
        let wanted = thresholds(&["http_req_duration{op:read}=p(95)<350".to_owned()]).unwrap();
        let failure = rejudge(&doc, &tally, &wanted, 0.95).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.error.to_string().contains("{op:read}"), "{}", failure.error);
    }

    #[test]
    fn a_lag_that_did_not_matter_may_matter_now() {
        let (mut doc, tally) = samples::run(&samples::Shape::plain(1000, 10.0));
        doc.judgement.validity.lag_p99_ms = 15.0;
        doc.judgement.validity.lag_limit_ms = 17.5;
        let verdict = |flags: &[&str]| judged_by(&doc, &tally, flags).judgement.verdict;
        assert_eq!(verdict(&["http_req_duration=p(95)<350"]), Verdict::Pass);
        assert_eq!(verdict(&["http_req_duration=p(95)<50"]), Verdict::Invalid);
    }

    #[test]
    fn an_invalid_run_stays_invalid() {
        let (mut doc, tally) = samples::run(&samples::Shape::plain(1000, 10.0));
        doc.judgement.validity.problems = vec!["it was late".to_owned()];
        let again = judged_by(&doc, &tally, &["http_req_duration=p(95)<350"]);
        assert_eq!(again.judgement.verdict, Verdict::Invalid);
    }

    #[test]
    fn a_run_that_stopped_early_does_not_pass_by_other_thresholds() {
        let (mut doc, tally) = samples::run(&samples::Shape {
            planned: 4000,
            ..samples::Shape::plain(1000, 10.0)
        });
        doc.judgement.stop = Some(judge::Stop::Decided {
            threshold: "http_req_duration p(95)<5".to_owned(),
        });
        let again = judged_by(&doc, &tally, &["http_req_duration=p(95)<350"]);
        assert_eq!(
            again.judgement.verdict,
            Verdict::Inconclusive,
            "{:?}",
            again.judgement.reasons
        );
    }
}
