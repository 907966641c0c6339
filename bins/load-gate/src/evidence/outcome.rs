//! Owns the result of a check, as programs read it (one JSON line) and as people do.

use std::fmt::Write as _;

use load_verdict::Verdict;
use mc_client::evidence::{CostSnapshot, SloSnapshot};
use runtime::exit::Exit;
use serde::Serialize;

/// What the verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// MC's own word.
    Answered,
    /// MC had no evidence by the deadline.
    NoEvidence,
    /// What came was not a right and fresh answer.
    NotTrusted,
    /// MC could not be asked: not reached, token refused, failing.
    Unavailable,
    /// A signal came first.
    Interrupted,
}

/// The result of [`super::check`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EvidenceResult {
    /// `load-gate`.
    pub(crate) tool: &'static str,
    /// `evidence`.
    pub(crate) command: &'static str,
    /// The service that was asked about.
    pub(crate) service: String,
    /// The release that was asked about.
    pub(crate) release_id: String,
    /// PASS, FAIL, INCONCLUSIVE or INVALID.
    pub(crate) verdict: Verdict,
    /// What it rests on.
    pub(crate) cause: Cause,
    /// `true` for PASS alone, `false` for FAIL alone, `null` otherwise: whatever MC wrote, an answer that is not trusted is
    /// never `true` here.
    pub(crate) ok: Option<bool>,
    /// Why; at least one.
    pub(crate) reasons: Vec<String>,
    /// What MC decided by, or `null`.
    pub(crate) snapshot: Option<SloSnapshot>,
    /// What a request costs, or `null`.
    pub(crate) cost: Option<CostSnapshot>,
    /// When the measurement ended (RFC 3339), if the window says so.
    pub(crate) measured_until: Option<String>,
    /// How often MC was asked.
    pub(crate) asked: u32,
    /// From the first question to the end, in milliseconds.
    pub(crate) elapsed_ms: u64,
}

impl EvidenceResult {
    /// The exit code: 0 for PASS alone.
    pub(crate) fn exit(&self) -> Exit {
        match (self.verdict, self.cause) {
            (Verdict::Pass, Cause::Answered) => Exit::Done,
            (Verdict::Fail, _) => Exit::Negative,
            (_, Cause::Unavailable) => Exit::Dependency,
            _ => Exit::NoVerdict,
        }
    }

    /// `PASS` and so on.
    pub(crate) fn verdict_name(&self) -> &'static str {
        match self.verdict {
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::Inconclusive => "INCONCLUSIVE",
            Verdict::Invalid => "INVALID",
        }
    }

    /// For people: the verdict, then a line a reason.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!(
            "{}: release {} of {}\n",
            self.verdict_name(),
            self.release_id,
            self.service
        );
        for reason in &self.reasons {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "  {reason}");
        }
        let times = if self.asked == 1 { "once" } else { "times" };
        let _ = match self.asked {
            1 => writeln!(text, "  asked {times}"),
            asked => writeln!(text, "  asked {asked} {times} in {:.1} s", self.seconds()),
        };
        text
    }

    fn seconds(&self) -> f64 {
        self.elapsed_ms as f64 / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mcs_own_yes_is_exit_code_0() {
        let result = |verdict, cause| EvidenceResult {
            tool: "load-gate",
            command: "evidence",
            service: String::new(),
            release_id: String::new(),
            verdict,
            cause,
            ok: None,
            reasons: Vec::new(),
            snapshot: None,
            cost: None,
            measured_until: None,
            asked: 1,
            elapsed_ms: 0,
        };
        let causes = [
            Cause::Answered,
            Cause::NoEvidence,
            Cause::NotTrusted,
            Cause::Unavailable,
            Cause::Interrupted,
        ];
        for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive, Verdict::Invalid] {
            for cause in causes {
                let exit = result(verdict, cause).exit();
                let yes = verdict == Verdict::Pass && cause == Cause::Answered;
                assert_eq!(exit == Exit::Done, yes, "{verdict:?} {cause:?}");
            }
        }
        assert_eq!(result(Verdict::Fail, Cause::Answered).exit(), Exit::Negative);
        assert_eq!(result(Verdict::Invalid, Cause::NotTrusted).exit(), Exit::NoVerdict);
        assert_eq!(
            result(Verdict::Inconclusive, Cause::Unavailable).exit(),
            Exit::Dependency
        );
        assert_eq!(
            result(Verdict::Inconclusive, Cause::Interrupted).exit(),
            Exit::NoVerdict
        );
    }
}
