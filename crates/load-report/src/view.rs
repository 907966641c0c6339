//! What every renderer says in the same words: units, verdicts, values of thresholds, quantiles, outcomes.

use crate::document::ResultDoc;
use crate::text::{self, NONE};
use load_verdict::judge::Interval;
use load_verdict::summary::{Phases, QuantileRow, Slice};
use load_verdict::threshold::{Aggregation, Kind, Metric, Operator};
use load_verdict::{Threshold, ThresholdResult, Verdict};

/// The verdict as it is printed.
pub(crate) const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Invalid => "INVALID",
    }
}

/// What the verdict means, for somebody who sees it for the first time.
pub(crate) const fn verdict_meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "every threshold is kept, and shown to be",
        Verdict::Fail => "broken, and shown to be",
        Verdict::Inconclusive => "the samples show neither that the thresholds are kept nor that they are broken",
        Verdict::Invalid => "the measurement itself cannot be trusted",
    }
}

/// The unit of a threshold's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Durations.
    Milliseconds,
    /// Shares of 1, shown in percent.
    Share,
    /// Counts, rates of counters, gauges.
    Bare,
}

impl Unit {
    /// A figure with its unit.
    pub(crate) fn show(self, x: f64) -> String {
        match self {
            _ if x.is_infinite() => "infinite".to_owned(),
            Self::Milliseconds if !x.is_nan() => format!("{} ms", text::figure(x)),
            Self::Share => text::percent(x),
            _ => text::figure(x),
        }
    }
}

/// What a threshold asks for, read from its own words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Asked {
    /// Unit of all its figures.
    pub unit: Unit,
    /// The limit; `None` when the expression cannot be read (a foreign or newer file).
    pub limit: Option<f64>,
    /// The percentile, for those that are judged as one.
    pub percentile: Option<f64>,
    /// About the latency of all requests, so its limit belongs into the plots.
    pub all_latency: bool,
    /// `<` or `<=`: kept below the limit.
    pub below: bool,
}

/// Reads a threshold's words.
pub(crate) fn asked(result: &ThresholdResult) -> Asked {
    let Ok(threshold) = Threshold::parse(&result.metric, &result.expression) else {
        return Asked {
            unit: Unit::Bare,
            limit: None,
            percentile: None,
            all_latency: false,
            below: true,
        };
    };
    let unit = match (threshold.key.metric.kind(), threshold.aggregation) {
        (Kind::Trend, _) => Unit::Milliseconds,
        (Kind::Rate, Aggregation::Rate) => Unit::Share,
        _ => Unit::Bare,
    };
    let percentile = threshold.aggregation.quantile().map(|q| q * 100.0);
    Asked {
        unit,
        limit: Some(threshold.limit).filter(|limit| limit.is_finite()),
        percentile: percentile.filter(|_| unit == Unit::Milliseconds),
        all_latency: threshold.key.metric == Metric::HttpReqDuration && threshold.key.tags.is_empty(),
        below: matches!(threshold.operator, Operator::Less | Operator::LessOrEqual),
    }
}

/// The judged figure in words.
pub(crate) fn observed(result: &ThresholdResult, unit: Unit) -> String {
    match result.observed {
        Some(x) => unit.show(x),
        None if result.infinite => "infinite".to_owned(),
        None => "no data".to_owned(),
    }
}

/// What k6 would have computed, in words.
pub(crate) fn plain(result: &ThresholdResult, unit: Unit) -> String {
    result.plain.map_or_else(|| "no data".to_owned(), |x| unit.show(x))
}

/// The limit in words.
pub(crate) fn limit(asked: Asked) -> String {
    asked.limit.map_or_else(|| NONE.to_owned(), |x| asked.unit.show(x))
}

/// An interval in words: `208 to 217 ms`, `88.1 ms to infinite`.
pub(crate) fn interval(interval: &Interval, unit: Unit) -> String {
    let low = interval.low.filter(|x| x.is_finite());
    let high = interval.high.filter(|x| x.is_finite());
    match (low, high) {
        (None, None) => "infinite".to_owned(),
        (None, Some(high)) => format!("up to {}", unit.show(high)),
        (Some(low), None) => format!("{} to infinite", unit.show(low)),
        (Some(low), Some(high)) => match unit {
            Unit::Milliseconds => format!("{} to {} ms", text::figure(low), text::figure(high)),
            Unit::Share => {
                let low = text::percent(low);
                format!("{} to {}", low.trim_end_matches(" %"), text::percent(high))
            }
            Unit::Bare => format!("{} to {}", text::figure(low), text::figure(high)),
        },
    }
}

/// The confidence of an interval: `95 %`.
pub(crate) fn confidence(interval: &Interval) -> String {
    let p = interval.confidence * 100.0;
    if !(0.0..=100.0).contains(&p) {
        return NONE.to_owned();
    }
    format!("{} %", (p * 1000.0).round() / 1000.0)
}

/// The head of a column of intervals: `95 % interval`.
pub(crate) fn interval_head(doc: &ResultDoc) -> String {
    let first = doc.summary.latency.first();
    first.map_or_else(String::new, |row| format!("{} interval", confidence(&row.interval)))
}

/// When the run began, to the second, RFC 3339.
pub(crate) fn started(doc: &ResultDoc) -> String {
    doc.started_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The name of a quantile: `p50`, `p99.9`; `max` for 100.
pub(crate) fn quantile_name(percent: f64) -> String {
    if (100.0..=100.0).contains(&percent) {
        return "max".to_owned();
    }
    if !(0.0..100.0).contains(&percent) {
        return "p?".to_owned();
    }
    format!("p{}", (percent * 1e6).round() / 1e6)
}

/// A judged latency: `None` is infinite when there were requests.
pub(crate) fn judged_ms(x: Option<f64>, scheduled: u64) -> String {
    match x {
        Some(x) => text::figure(x),
        None if scheduled > 0 => "infinite".to_owned(),
        None => NONE.to_owned(),
    }
}

/// A judged latency with its unit.
pub(crate) fn judged_words(x: Option<f64>, scheduled: u64) -> String {
    let words = judged_ms(x, scheduled);
    if x.is_some_and(f64::is_finite) {
        format!("{words} ms")
    } else {
        words
    }
}

/// A plain latency with its unit.
pub(crate) fn plain_words(x: Option<f64>) -> String {
    x.map_or_else(|| "no data".to_owned(), |ms| Unit::Milliseconds.show(ms))
}

/// How far a run came that a signal ended; `None` for others. Why others ended early is one of their reasons.
pub(crate) fn partial(doc: &ResultDoc) -> Option<String> {
    doc.partial.then(|| {
        let done = text::percent(doc.judgement.completed);
        format!("a partial result: {done} of the schedule was carried out")
    })
}

/// An interval, if it says anything: one that is infinite at both ends repeats the judged figure.
pub(crate) fn telling(interval: Option<&Interval>) -> Option<&Interval> {
    interval.filter(|interval| interval.low.is_some() || interval.high.is_some())
}

/// The row of one quantile.
pub(crate) fn quantile(doc: &ResultDoc, percent: f64) -> Option<&QuantileRow> {
    doc.summary
        .latency
        .iter()
        .find(|row| (row.percent - percent).abs() < 1e-9)
}

/// An outcome as people say it; `None` for a name that is not ours.
pub(crate) fn outcome_words(name: &str) -> Option<&'static str> {
    Some(match name {
        "ok" => "answered rightly",
        "http_error" => "answered with status 400 or above",
        "check_failed" => "answered, and a check failed",
        "timeout" => "no complete answer in time",
        "dns" => "host name not resolved",
        "connect" => "no connection: refused, unreachable",
        "tls" => "TLS handshake failed",
        "reset" => "connection ended during the answer",
        "protocol" => "the answer was not HTTP",
        "dropped" => "never sent: too many were waiting",
        "unfinished" => "cut off with the run",
        _ => return None,
    })
}

/// Failures by outcome, most frequent first.
pub(crate) fn failures(doc: &ResultDoc) -> Vec<(&str, u64)> {
    let mut failures: Vec<(&str, u64)> = doc
        .summary
        .outcomes
        .iter()
        .filter(|(name, n)| name.as_str() != "ok" && **n > 0)
        .map(|(name, n)| (name.as_str(), *n))
        .collect();
    failures.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    failures
}

/// Requests that were not answered rightly.
pub(crate) const fn failed(doc: &ResultDoc) -> u64 {
    doc.summary.scheduled.saturating_sub(doc.summary.succeeded)
}

/// Scheduled requests per second of the counted schedule.
pub(crate) fn rate(doc: &ResultDoc) -> Option<f64> {
    (doc.summary.seconds > 0.0).then(|| doc.summary.scheduled as f64 / doc.summary.seconds)
}

/// The phases of a request, in the order in which they happen: class, name, what it means, milliseconds.
pub(crate) const fn phases(p: &Phases) -> [(&'static str, &'static str, &'static str, f64); 6] {
    [
        ("lag", "send lag", "the generator's own lateness", p.lag_ms),
        ("queue", "queue", "waiting for a free connection", p.queue_ms),
        ("connect", "connect", "opening connections", p.connect_ms),
        ("tls", "TLS", "TLS handshakes", p.tls_ms),
        ("server", "server", "waiting for the first byte", p.server_ms),
        ("receive", "receive", "receiving the rest", p.receive_ms),
    ]
}

/// Slices in which somebody was due.
pub(crate) fn busy(slices: &[Slice]) -> impl Iterator<Item = &Slice> {
    slices.iter().filter(|slice| slice.scheduled > 0)
}

/// Whether a reader who knows only "kept" and "crossed" may take this threshold for kept.
///
/// A run that did not pass has at least one threshold that is not kept in this sense, whatever the reason was (an
/// interrupted run, a generator that could not keep its schedule): such a reader sees nothing else.
pub(crate) fn kept(doc: &ResultDoc, result: &ThresholdResult) -> bool {
    let run = doc.judgement.verdict;
    let explained = doc.judgement.thresholds.iter().any(|t| t.verdict != Verdict::Pass);
    result.verdict == Verdict::Pass && (run == Verdict::Pass || (run != Verdict::Invalid && explained))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_read_like_sentences() {
        let of = |low, high| Interval {
            low,
            high,
            confidence: 0.95,
        };
        let cases = [
            (of(Some(208.0), Some(217.4)), Unit::Milliseconds, "208 to 217 ms"),
            (of(Some(88.1), None), Unit::Milliseconds, "88.1 ms to infinite"),
            (of(None, Some(88.1)), Unit::Milliseconds, "up to 88.1 ms"),
            (of(None, None), Unit::Milliseconds, "infinite"),
            (of(Some(0.001), Some(0.02)), Unit::Share, "0.10 to 2 %"),
            (of(Some(3.0), Some(f64::NAN)), Unit::Bare, "3.00 to infinite"),
        ];
        for (i, unit, expected) in cases {
            assert_eq!(interval(&i, unit), expected);
        }
        assert_eq!(confidence(&of(None, None)), "95 %");
    }

    #[test]
    fn quantiles_have_their_usual_names() {
        assert_eq!([50.0, 99.9, 100.0].map(quantile_name), ["p50", "p99.9", "max"]);
        assert_eq!(quantile_name(f64::NAN), "p?");
        // What multiplying by 100 leaves behind.
        assert_eq!(quantile_name(0.57 * 100.0), "p57");
    }

    #[test]
    fn every_outcome_has_words() {
        for outcome in load_verdict::Outcome::ALL {
            assert!(outcome_words(outcome.as_str()).is_some(), "{}", outcome.as_str());
        }
    }
}
