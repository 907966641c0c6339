//! What callers are told: one JSON shape for everything, and the status that makes Argo do the right thing with it.
//!
//! | check | status | `ok` | Argo with both conditions |
//! |---|---|---|---|
//! | PASS | 200 | true | Successful |
//! | FAIL | 200 | false | Failed: aborts |
//! | INCONCLUSIVE, INVALID | 200 | null | Inconclusive: pauses |
//! | still running | 503, Retry-After | null | Error: asks again 10 s later, up to consecutiveErrorLimit |
//! | anything else | 4xx, 5xx | null | Error |
//!
//! "Still running" must not be a 200: with `count: 1` Argo would pause at once, for a person to look at a check that
//! merely takes its time. And nothing may ever be a 2xx without JSON: Argo takes such a measurement as passed.

use super::board::{Check, Key, Kind, What};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use load_verdict::Verdict;
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// When to ask again, for those who are told to.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The answer is kept in Argo's objects: reasons are for reading, not for archiving.
const MOST_REASONS: usize = 20;
const LONGEST_REASON: usize = 500;

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Why, most important first.
    pub(crate) reasons: Vec<String>,
    /// A few figures for the answer: a JSON object, or null.
    pub(crate) details: serde_json::Value,
    /// The whole result as JSON, for `GET /v1/checks/{id}/result`.
    pub(crate) document: Option<String>,
}

/// Why a check could not be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Trouble {
    /// The plan or the configuration cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// Something it depends on failed.
    #[error("{0}")]
    Dependency(String),
    /// The check itself broke.
    #[error("{0}")]
    Internal(String),
}

/// The end of a check.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    /// What it came to.
    pub(crate) outcome: Result<Finding, Trouble>,
    /// When, for people.
    pub(crate) ended_at: jiff::Timestamp,
    /// When.
    pub(crate) ended: Instant,
}

/// The word in `verdict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Word {
    /// Kept.
    Pass,
    /// Broken.
    Fail,
    /// Neither could be shown.
    Inconclusive,
    /// The measurement cannot be trusted.
    Invalid,
    /// Not at its end.
    Running,
    /// There is no check to speak of: refused, or failed.
    Error,
}

impl From<Verdict> for Word {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Fail => Self::Fail,
            Verdict::Inconclusive => Self::Inconclusive,
            Verdict::Invalid => Self::Invalid,
        }
    }
}

impl Word {
    /// The tri-state of `successCondition: result.ok == true` and `failureCondition: result.ok == false`.
    const fn ok(self) -> Option<bool> {
        match self {
            Self::Pass => Some(true),
            Self::Fail => Some(false),
            Self::Inconclusive | Self::Invalid | Self::Running | Self::Error => None,
        }
    }
}

/// The body of every answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    /// The tri-state; `null` is neither.
    ok: Option<bool>,
    /// The verdict.
    verdict: Word,
    /// Why, at least one.
    reasons: Vec<String>,
    /// The check, when there is one.
    #[serde(flatten)]
    check: Option<About>,
    #[serde(skip)]
    status: StatusCode,
    #[serde(skip)]
    retry: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct About {
    id: String,
    kind: Kind,
    release_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    started_at: jiff::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<jiff::Timestamp>,
    /// Seconds since the end: how old the verdict is. Seconds since the start while it runs.
    age_seconds: f64,
    /// Whether an earlier request started this check.
    reused: bool,
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    details: serde_json::Value,
}

impl Answer {
    /// The state of a check now.
    pub(crate) fn of(check: &Check, reused: bool, now: Instant) -> Self {
        let Some(ended) = check.ended() else {
            let age = seconds(now.duration_since(check.started));
            return Self {
                ok: None,
                verdict: Word::Running,
                reasons: vec![format!("running for {age} s; ask again to wait for its end")],
                check: Some(about(check, None, age, reused, serde_json::Value::Null)),
                status: StatusCode::SERVICE_UNAVAILABLE,
                retry: true,
            };
        };
        let age = seconds(now.duration_since(ended.ended));
        let ended_at = Some(ended.ended_at);
        match &ended.outcome {
            Ok(finding) => {
                let verdict = Word::from(finding.verdict);
                Self {
                    ok: verdict.ok(),
                    verdict,
                    reasons: shown(&finding.reasons),
                    check: Some(about(check, ended_at, age, reused, finding.details.clone())),
                    status: StatusCode::OK,
                    retry: false,
                }
            }
            Err(trouble) => Self {
                ok: None,
                verdict: Word::Error,
                reasons: shown(&[trouble.to_string()]),
                check: Some(about(check, ended_at, age, reused, serde_json::Value::Null)),
                status: match trouble {
                    Trouble::Unusable(_) => StatusCode::UNPROCESSABLE_ENTITY,
                    Trouble::Dependency(_) => StatusCode::BAD_GATEWAY,
                    Trouble::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
                },
                retry: matches!(trouble, Trouble::Dependency(_)),
            },
        }
    }

    /// No check: the request is refused.
    pub(crate) fn refused(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            ok: None,
            verdict: Word::Error,
            reasons: shown(&[reason.into()]),
            check: None,
            status,
            retry: matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE
            ),
        }
    }

    /// For `GET`: somebody who looks at a check sees a state, and the state exists.
    pub(crate) fn looked_at(mut self) -> Self {
        if self.verdict == Word::Running {
            self.status = StatusCode::OK;
        }
        self
    }

    /// The word, for the metrics.
    pub(crate) const fn verdict(&self) -> Word {
        self.verdict
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (status, retry) = (self.status, self.retry);
        let mut response = (status, [(header::CACHE_CONTROL, "no-store")], Json(self)).into_response();
        if retry {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
        }
        response
    }
}

fn about(
    check: &Check,
    ended_at: Option<jiff::Timestamp>,
    age_seconds: f64,
    reused: bool,
    mut details: serde_json::Value,
) -> About {
    let Key {
        release_id,
        attempt,
        what,
    } = check.key.clone();
    let kind = what.kind();
    if let serde_json::Value::Object(details) = &mut details {
        // Said above, and `ok` only as the tri-state: a second one that is `false` for INCONCLUSIVE would mislead.
        for said in ["ok", "verdict", "reasons"] {
            details.remove(said);
        }
    }
    let (service, plan, target) = match what {
        What::Evidence { service } => (Some(service), None, None),
        What::Run { plan, url } => (None, Some(plan), url.as_ref().map(runtime::http::redact)),
    };
    About {
        id: check.id.clone(),
        kind,
        release_id,
        attempt,
        service,
        plan,
        target,
        started_at: check.started_at,
        ended_at,
        age_seconds,
        reused,
        details,
    }
}

/// At least one reason, not too many, none too long.
fn shown(reasons: &[String]) -> Vec<String> {
    if reasons.is_empty() {
        return vec!["no reason was given".to_owned()];
    }
    let mut shown: Vec<String> = reasons.iter().take(MOST_REASONS).map(|reason| cut(reason)).collect();
    if reasons.len() > MOST_REASONS {
        shown.push(format!("and {} more", reasons.len() - MOST_REASONS));
    }
    shown
}

fn cut(reason: &str) -> String {
    match reason.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{}...", &reason[..end]),
        None => reason.to_owned(),
    }
}

/// Tenths are enough.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}
