//! Owns questions: one that is shown, and the same one asked all the time, so that no gap and no mixed answer stays
//! unseen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use mc_sim::samples;
use opa_client::{DataPath, OpaClient, QueryOptions};
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinHandle;

/// Between two questions of the watcher.
const PACE: Duration = Duration::from_millis(2);
/// Nothing here takes nearly as long, even on a slow machine. It is also what the design promises.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// `data.cos.abac.decision` of the sample packs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Answer {
    /// The decision.
    pub(crate) allow: bool,
    /// Why not.
    pub(crate) reasons: Vec<String>,
    revisions: Revisions,
}

/// Each comes from another file of the pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Revisions {
    policy: u64,
    data: u64,
    purpose_tags: u64,
}

impl Answer {
    /// The revision of the pack that made it; none if several did.
    pub(crate) fn revision(&self) -> Option<u64> {
        let Revisions {
            policy,
            data,
            purpose_tags,
        } = self.revisions;
        (policy == data && data == purpose_tags).then_some(policy)
    }

    /// `allowed`, or `denied (reason)`.
    pub(crate) fn in_words(&self) -> String {
        match (self.allow, self.reasons.is_empty()) {
            (true, _) => "allowed".to_owned(),
            (false, true) => "denied".to_owned(),
            (false, false) => format!("denied ({})", self.reasons.join(", ")),
        }
    }

    /// An error unless it is this decision of this revision.
    pub(crate) fn expect(&self, allow: bool, revision: u64) -> Result<()> {
        ensure!(
            self.allow == allow && self.revision() == Some(revision),
            "expected {} by revision {revision}, found {} by {:?}",
            if allow { "allowed" } else { "denied" },
            self.in_words(),
            self.revisions
        );
        Ok(())
    }
}

/// Asks one decision point, OPA or the reloader's own.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    opa: OpaClient,
    path: DataPath,
    input: Value,
}

impl Asker {
    /// For the decision point at `url`, with the input that the samples allow.
    pub(crate) fn new(http: reqwest::Client, url: &str) -> Result<Self> {
        let base = runtime::http::parse_base_url(url).context("the address of the decision point")?;
        Ok(Self {
            opa: OpaClient::new(http, base, None),
            path: DataPath::parse(samples::DECISION).context("the path of the decision")?,
            input: serde_json::from_str(samples::INPUT_ALLOWED).context("the input")?,
        })
    }

    /// The input that the watcher asks about.
    pub(crate) fn input(&self) -> &Value {
        &self.input
    }

    /// One question.
    pub(crate) async fn ask(&self) -> Result<Answer> {
        self.ask_about(&self.input).await
    }

    /// One question about another input.
    pub(crate) async fn ask_about(&self, input: &Value) -> Result<Answer> {
        let decision = self
            .opa
            .query(&self.path, Some(input), QueryOptions::default())
            .await
            .context("asking for a decision")?;
        match decision.result {
            Some(value) => serde_json::from_value(value).context("the decision has another shape than expected"),
            None => bail!("the decision is undefined: no pack decides"),
        }
    }

    /// Asks until there is an answer.
    pub(crate) async fn first(&self) -> Result<(Answer, Instant)> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.ask().await {
                Ok(answer) => return Ok((answer, Instant::now())),
                Err(error) if Instant::now() > until => {
                    return Err(error.context(format!("no decision within {} s", PATIENCE.as_secs())));
                }
                Err(_) => tokio::time::sleep(PACE).await,
            }
        }
    }
}

/// One answer of the watcher.
#[derive(Debug, Clone)]
struct Seen {
    at: Instant,
    /// None: undefined, unreadable, or no answer at all.
    answer: Option<Answer>,
}

/// What the watcher saw in a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Questions.
    pub(crate) asked: usize,
    /// Questions without a usable answer.
    pub(crate) missing: usize,
    /// Answers made by more than one revision.
    pub(crate) torn: usize,
    /// Decisions with their revision, each once, in order.
    pub(crate) decisions: Vec<(bool, u64)>,
}

impl Tally {
    fn of<'a>(seen: impl Iterator<Item = &'a Seen>) -> Self {
        let mut tally = Self::default();
        for seen in seen {
            tally.asked += 1;
            match seen.answer.as_ref().map(|answer| (answer.allow, answer.revision())) {
                None => tally.missing += 1,
                Some((_, None)) => tally.torn += 1,
                Some((allow, Some(revision))) => {
                    if tally.decisions.last() != Some(&(allow, revision)) {
                        tally.decisions.push((allow, revision));
                    }
                }
            }
        }
        tally
    }

    /// An error unless every question was answered, by one revision each, and the decisions were exactly these.
    pub(crate) fn expect(&self, decisions: &[(bool, u64)]) -> Result<()> {
        ensure!(self.asked > 0, "nothing was asked");
        ensure!(
            self.missing == 0 && self.torn == 0 && self.decisions == decisions,
            "of {} decisions {} were missing and {} were made by more than one revision; expected (allow, revision) \
             {decisions:?}, found {:?}",
            self.asked,
            self.missing,
            self.torn,
            self.decisions
        );
        Ok(())
    }
}

/// Asks the same question over and over. Dropping it ends that.
pub(crate) struct Watcher {
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Watcher {
    /// Begins to ask.
    pub(crate) fn start(asker: Asker) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let book = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let answer = asker.ask().await.ok();
                let at = Instant::now();
                lock(&book).push(Seen { at, answer });
                tokio::time::sleep(PACE).await;
            }
        });
        Self { seen, task }
    }

    /// How many questions were asked so far: the start of a stretch.
    pub(crate) fn mark(&self) -> usize {
        lock(&self.seen).len()
    }

    /// What was seen since a mark.
    pub(crate) fn since(&self, mark: usize) -> Tally {
        Tally::of(lock(&self.seen).iter().skip(mark))
    }

    /// Waits until a decision since the mark is this one, and says when it came.
    pub(crate) async fn until(&self, mark: usize, allow: bool, revision: u64) -> Result<Instant> {
        let limit = Instant::now() + PATIENCE;
        loop {
            let found = lock(&self.seen).iter().skip(mark).find_map(|seen| {
                let answer = seen.answer.as_ref()?;
                (answer.allow == allow && answer.revision() == Some(revision)).then_some(seen.at)
            });
            if let Some(at) = found {
                return Ok(at);
            }
            ensure!(
                Instant::now() < limit,
                "the decision was not {} by revision {revision} within {} s; seen were {:?}",
                if allow { "allowed" } else { "denied" },
                PATIENCE.as_secs(),
                self.since(mark)
            );
            tokio::time::sleep(PACE).await;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The list is only ever pushed to, so a poisoned lock still holds whole values.
fn lock(seen: &Mutex<Vec<Seen>>) -> std::sync::MutexGuard<'_, Vec<Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(answer: Option<(bool, u64, u64)>) -> Seen {
        Seen {
            at: Instant::now(),
            answer: answer.map(|(allow, policy, data)| Answer {
                allow,
                reasons: Vec::new(),
                revisions: Revisions {
                    policy,
                    data,
                    purpose_tags: data,
                },
            }),
        }
    }

    #[test]
    fn gaps_and_mixed_answers_are_seen() {
        let good = [
            seen(Some((true, 1, 1))),
            seen(Some((true, 1, 1))),
            seen(Some((false, 2, 2))),
        ];
        let tally = Tally::of(good.iter());
        assert_eq!(tally.asked, 3);
        assert!(tally.expect(&[(true, 1), (false, 2)]).is_ok());
        assert!(tally.expect(&[(true, 1)]).is_err());
        for bad in [None, Some((false, 2, 1))] {
            let tally = Tally::of(good.iter().chain([&seen(bad)]));
            assert!(tally.expect(&[(true, 1), (false, 2)]).is_err(), "{bad:?}");
        }
        assert!(Tally::default().expect(&[]).is_err());
    }
}
