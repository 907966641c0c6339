//! `p(95)>+10%`: how large a change from one result to another may be. Pure.

use load_verdict::{
    Verdict,
    judge::Interval,
    stats::compare::{Comparison, QuantileEffect},
};
use serde::{Serialize, Serializer};
use std::fmt;

/// How it is written.
const FORMS: &str = "expected p(N)>+X%, p(N)>+Xms or failed>+X% (percentage points), such as p(95)>+10%";

/// A limit on a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    text: String,
    of: Of,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Of {
    /// Percent of the quantile, and the largest ratio.
    Ratio(f64, f64),
    /// Percent of the quantile, and the largest difference in milliseconds.
    Milliseconds(f64, f64),
    /// Largest difference of the share of failed requests, 0 to 1.
    Failed(f64),
}

/// A limit, held against a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Held {
    /// The limit as written.
    pub(crate) limit: Limit,
    /// FAIL: surely broken. PASS: surely kept. INCONCLUSIVE: neither.
    pub(crate) verdict: Verdict,
    /// One sentence for people.
    pub(crate) reason: String,
}

impl Limit {
    /// Reads one; for clap.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{FORMS}, found {text:?}");
        let squeezed: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        let (figure, change) = squeezed.split_once('>').ok_or_else(wrong)?;
        let number = |digits: &str| {
            let value: f64 = digits.strip_prefix('+').unwrap_or(digits).parse().ok()?;
            // A limit of less than nothing would ask for an improvement; that is another question.
            (value.is_finite() && value >= 0.0 && !value.is_sign_negative()).then_some(value)
        };
        let quantile = || {
            let inner = if figure == "med" {
                "50"
            } else {
                figure.strip_prefix("p(")?.strip_suffix(')')?
            };
            let percent: f64 = inner.parse().ok()?;
            (percent > 0.0 && percent < 100.0).then_some(percent)
        };
        let of = if figure == "failed" {
            let points = change.strip_suffix('%').and_then(number).ok_or_else(wrong)?;
            Of::Failed(points / 100.0)
        } else if let Some(ms) = change.strip_suffix("ms") {
            Of::Milliseconds(quantile().ok_or_else(wrong)?, number(ms).ok_or_else(wrong)?)
        } else {
            let percent = change.strip_suffix('%').and_then(number).ok_or_else(wrong)?;
            Of::Ratio(quantile().ok_or_else(wrong)?, 1.0 + percent / 100.0)
        };
        Ok(Self { text: squeezed, of })
    }

    /// The quantile that it is about, in percent.
    pub(crate) fn percent(&self) -> Option<f64> {
        match self.of {
            Of::Ratio(percent, _) | Of::Milliseconds(percent, _) => Some(percent),
            Of::Failed(_) => None,
        }
    }

    /// Holds it against a comparison that has its quantile. `surely_infinite`: whether even the lower bound of that
    /// quantile of the second result is infinite.
    pub(crate) fn hold(&self, comparison: &Comparison, surely_infinite: bool) -> Held {
        let effect = self
            .percent()
            .and_then(|percent| comparison.quantiles.iter().find(|effect| same(effect.percent, percent)));
        let (verdict, reason) = match (self.of, effect) {
            (Of::Ratio(_, most), Some(effect)) => by_quantile(effect, effect.ratio_interval, most, surely_infinite),
            (Of::Milliseconds(_, most), Some(effect)) => {
                by_quantile(effect, effect.difference_interval, most, surely_infinite)
            }
            (Of::Failed(most), _) => by_failures(comparison, most),
            (Of::Ratio(..) | Of::Milliseconds(..), None) => {
                (Verdict::Inconclusive, "this quantile was not compared".to_owned())
            }
        };
        Held {
            limit: self.clone(),
            verdict,
            reason,
        }
    }
}

#[expect(clippy::float_cmp, reason = "the same number, parsed once")]
fn same(a: f64, b: f64) -> bool {
    a == b
}

fn by_quantile(effect: &QuantileEffect, interval: Interval, most: f64, surely_infinite: bool) -> (Verdict, String) {
    let reason = effect.sentence.clone();
    if effect.first_ms.is_some() && effect.second_ms.is_none() && surely_infinite {
        return (Verdict::Fail, reason);
    }
    (side(interval, most), reason)
}

fn by_failures(comparison: &Comparison, most: f64) -> (Verdict, String) {
    let Some(change) = comparison.failures else {
        let reason = "the share of failed requests cannot be compared: one of the two results has no requests";
        return (Verdict::Inconclusive, reason.to_owned());
    };
    (
        side(comparison.failures_interval, most),
        failures_sentence(change, comparison.failures_interval),
    )
}

/// The change of the share of failed requests, for people.
pub(crate) fn failures_sentence(change: f64, interval: Interval) -> String {
    let points = |share: f64| format!("{:+.2}", share * 100.0);
    let end = |end: Option<f64>| end.map_or_else(|| "no bound".to_owned(), points);
    format!(
        "the share of requests without a right answer changed by {} percentage points ({} % interval: {} to {})",
        points(change),
        interval.confidence * 100.0,
        end(interval.low),
        end(interval.high)
    )
}

/// Where an interval lies of a limit. An end that is not bounded is on the wrong side.
fn side(interval: Interval, most: f64) -> Verdict {
    if interval.low.is_some_and(|low| low > most) {
        Verdict::Fail
    } else if interval.high.is_some_and(|high| high <= most) {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        for (text, of) in [
            ("p(95)>+10%", Of::Ratio(95.0, 1.1)),
            ("p(95) > 10 %", Of::Ratio(95.0, 1.1)),
            ("p(99.9)>+20ms", Of::Milliseconds(99.9, 20.0)),
            ("med>+0%", Of::Ratio(50.0, 1.0)),
            ("failed>+0.5%", Of::Failed(0.005)),
        ] {
            assert_eq!(Limit::parse(text).unwrap().of, of, "{text}");
        }
        assert_eq!(Limit::parse("p(95) > +10 %").unwrap().to_string(), "p(95)>+10%");
    }

    #[test]
    fn what_is_no_limit_says_what_one_is() {
        for wrong in [
            "",
            "p(95)",
            "p(95)>",
            "p(95)>+10",
            "p(95)<+10%",
            "p(95)>-10%",
            "p(95)>--10%",
            "p(95)>-0%",
            "p(0)>+1%",
            "p(100)>+1%",
            "p(x)>+1%",
            "avg>+1%",
            "failed>+5ms",
            "p(95)>+inf%",
            "p(95)>+NaN%",
        ] {
            let error = Limit::parse(wrong).unwrap_err();
            assert!(error.contains("p(95)>+10%"), "{wrong}: {error}");
        }
    }

    #[test]
    fn only_a_whole_interval_decides() {
        let interval = |low, high| Interval {
            low,
            high,
            confidence: 0.95,
        };
        for (low, high, verdict) in [
            (Some(1.2), Some(1.3), Verdict::Fail),
            (Some(1.2), None, Verdict::Fail),
            (Some(0.9), Some(1.1), Verdict::Pass),
            (None, Some(1.0), Verdict::Pass),
            (Some(1.0), Some(1.2), Verdict::Inconclusive),
            (Some(1.0), None, Verdict::Inconclusive),
            (None, None, Verdict::Inconclusive),
        ] {
            assert_eq!(side(interval(low, high), 1.1), verdict, "{low:?} {high:?}");
        }
    }
}
