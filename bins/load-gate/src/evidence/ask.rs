//! Owns the loop: ask MC, judge the answer, wait, ask again.

use std::time::Duration;

use jiff::Timestamp;
use load_verdict::Verdict;
use mc_client::{EvidenceClient, EvidenceTimeouts};
use runtime::{SecretSource, Shutdown};
use tokio::time::Instant;

use super::age::AgeRule;
use super::judge::{Judged, judge};
use super::outcome::{Cause, EvidenceResult};
use super::pace::Pace;
use super::subject::Subject;

/// How checks are made; the same for every release.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How MC is reached.
    pub(crate) client: EvidenceClient,
    /// The client's token, to try it before the first question.
    pub(crate) token: Option<SecretSource>,
    /// From the first question; zero asks once.
    pub(crate) deadline: Duration,
    /// Between two questions.
    pub(crate) poll_interval: Duration,
    /// Longest time for one question.
    pub(crate) ask_timeout: Duration,
    /// How fresh the snapshot must be.
    pub(crate) age: AgeRule,
    /// The time of day, for the age of a snapshot.
    pub(crate) clock: fn() -> Timestamp,
}

/// Asks until MC's answer decides, nothing can change any more, the deadline passes, or `shutdown` begins.
/// Dropping the future ends the check.
pub(crate) async fn check(options: &Options, subject: &Subject, shutdown: &Shutdown) -> EvidenceResult {
    let start = Instant::now();
    let pace = Pace {
        deadline: options.deadline,
        interval: options.poll_interval,
        ask_timeout: options.ask_timeout,
    };
    let mut asked = 0_u32;
    let mut last: Option<Judged> = None;
    let mut retry_after = None;
    let judged = loop {
        if let Some(before) = &last {
            let Some(wait) = pace.next(start.elapsed(), retry_after) else {
                break last.take().unwrap_or_else(interrupted);
            };
            tracing::debug!(wait_ms = wait.as_millis(), verdict = ?before.verdict, "asking again");
            tokio::select! {
                biased;
                () = shutdown.recv() => break interrupted_after(last.take()),
                () = tokio::time::sleep(wait) => {}
            }
        }
        let (limit, cut) = pace.limit(start.elapsed());
        asked += 1;
        let answer = tokio::select! {
            biased;
            () = shutdown.recv() => break interrupted_after(last.take()),
            answer = ask(options, subject, limit) => answer,
        };
        retry_after = answer.as_ref().err().and_then(mc_client::EvidenceError::retry_after);
        let timed_out = matches!(
            &answer,
            Err(mc_client::EvidenceError::Mc(mc_client::McError::Timeout { .. }))
        );
        // The end of the time came into the middle of a question: what is known is what was answered before.
        if timed_out
            && cut
            && let Some(before) = last.take()
        {
            break before;
        }
        let judged = judge(answer, &options.age, (options.clock)());
        if !judged.again {
            break judged;
        }
        tell(last.as_ref(), &judged);
        last = Some(judged);
    };
    result(subject, judged, asked, start.elapsed())
}

async fn ask(
    options: &Options,
    subject: &Subject,
    limit: Duration,
) -> Result<mc_client::EvidenceOk, mc_client::EvidenceError> {
    let timeouts = EvidenceTimeouts {
        idle: limit,
        total: limit,
    };
    let client = options.client.clone().with_timeouts(timeouts);
    client.evidence_ok(subject.service(), subject.release_id()).await
}

/// Says what is being waited for: once, until it is something else.
fn tell(before: Option<&Judged>, now: &Judged) {
    if before.is_some_and(|before| before.reasons == now.reasons) {
        return;
    }
    tracing::info!(reason = now.reasons.join("; "), "no verdict yet; asking again");
}

fn interrupted() -> Judged {
    interrupted_after(None)
}

fn interrupted_after(last: Option<Judged>) -> Judged {
    let mut reasons = vec!["interrupted before MC gave an answer that decides".to_owned()];
    if let Some(last) = last {
        reasons.extend(last.reasons);
    }
    Judged {
        verdict: Verdict::Inconclusive,
        cause: Cause::Interrupted,
        reasons,
        answer: None,
        ended: None,
        again: false,
    }
}

fn result(subject: &Subject, judged: Judged, asked: u32, elapsed: Duration) -> EvidenceResult {
    let (snapshot, cost) = match judged.answer {
        Some(answer) => (Some(answer.snapshot), answer.cost),
        None => (None, None),
    };
    EvidenceResult {
        tool: "load-gate",
        command: "evidence",
        service: subject.service().to_owned(),
        release_id: subject.release_id().to_owned(),
        verdict: judged.verdict,
        cause: judged.cause,
        ok: match judged.verdict {
            Verdict::Pass => Some(true),
            Verdict::Fail => Some(false),
            Verdict::Inconclusive | Verdict::Invalid => None,
        },
        reasons: judged.reasons,
        snapshot,
        cost,
        measured_until: judged.ended.map(|ended| ended.to_string()),
        asked,
        elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    }
}
