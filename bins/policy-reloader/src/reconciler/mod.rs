//! Owns what makes OPA follow MC: polls, looks at OPA, and carries out what the machine orders.

mod fetching;
mod orders;
mod outcome;
mod repair;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mc_client::{PackClient, Validators};
use pack_verify::{Sha256Digest, TrustMode, admit::Accepted};

use fetching::RefusedSignature;
pub use fetching::{Done, Fetching};
pub use outcome::Outcome;
use repair::Repairs;

use crate::{
    activate::{Activation, Prepared},
    board::{Board, PackInfo, Timings},
    examine::{Again, Circumstances, Rejection, Rules, examine},
    fetch::{Candidate, FetchError, Fetched},
    machine::{Event, Machine, Observation},
    preflight::Deployable,
    store::{State, Store},
};

/// Everything the loop needs from outside.
#[derive(Debug)]
pub struct Parts {
    /// Where packs come from.
    pub client: PackClient,
    /// What they have to satisfy.
    pub rules: Arc<Rules>,
    /// How they come to decide.
    pub activation: Arc<Activation>,
    /// What survives a restart.
    pub store: Option<Store>,
    /// What others can see.
    pub board: Board,
    /// Largest pack, bytes.
    pub limit: usize,
    /// The time of day.
    pub clock: fn() -> Timestamp,
}

#[derive(Debug)]
struct Held {
    prepared: Prepared,
    info: PackInfo,
    timings: Timings,
}

/// The bytes and the signature that were refused last, so that they are not examined again at every poll.
#[derive(Debug)]
struct Refused {
    digest: Sha256Digest,
    bundle: Option<Sha256Digest>,
    again: Again,
    reason: &'static str,
    message: String,
}

/// The loop's state.
#[derive(Debug)]
pub struct Reconciler {
    parts: Parts,
    machine: Machine,
    packs: HashMap<Sha256Digest, Held>,
    known: Validators,
    refused: Option<Refused>,
    last: Option<Accepted>,
    saved: Option<State>,
    repairs: Repairs,
    begun: Instant,
}

/// MC has this long for its first answer before the saved pack is used; a slow MC must not keep OPA undefined.
const SAVED_PACK_AFTER: Duration = Duration::from_secs(5);

impl Reconciler {
    /// Starts with what an earlier life left behind, which is used when MC gives nothing better.
    pub fn new(parts: Parts, saved: Option<State>) -> Self {
        let targets = parts.activation.targets().len();
        Self {
            machine: Machine::new(targets),
            packs: HashMap::new(),
            known: Validators::default(),
            refused: None,
            last: saved.as_ref().map(State::accepted),
            saved,
            repairs: Repairs::new(targets, Instant::now()),
            begun: Instant::now(),
            parts,
        }
    }

    /// Where everything stands.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// One poll of MC, with everything that follows from it.
    pub async fn poll(&mut self) -> Outcome {
        let mut fetching = self.begin();
        loop {
            match self.finish(fetching.run().await).await {
                Ok(outcome) => return outcome,
                Err(again) => fetching = *again,
            }
        }
    }

    /// The first half of a poll, to be run while other things go on.
    pub fn begin(&self) -> Fetching {
        self.fetching(self.known.clone(), Instant::now(), false)
    }

    fn fetching(&self, known: Validators, begun: Instant, again: bool) -> Fetching {
        let signed = self.parts.rules.verifier.mode() != TrustMode::InsecureDigestOnly;
        let refused = self.refused.as_ref();
        Fetching {
            client: self.parts.client.clone(),
            known,
            limit: self.parts.limit,
            signed,
            refused: refused
                .filter(|refused| signed && refused.again == Again::OtherSignature)
                .map(|refused| RefusedSignature(refused.bundle)),
            begun,
            again,
        }
    }

    /// The second half of a poll. An error is a fetch that has to be made first: pack and signature may belong to two
    /// publications of MC, and are fetched again, once.
    pub async fn finish(&mut self, done: Done) -> Result<Outcome, Box<Fetching>> {
        let retry = |this: &Self| Err(Box::new(this.fetching(Validators::default(), done.begun, true)));
        let outcome = match done.result {
            Ok(Fetched::Unchanged) => self.unchanged(),
            Ok(Fetched::Candidate(candidate)) => {
                if candidate.raced && !done.again {
                    return retry(self);
                }
                match self.consider(*candidate, done.took, !done.again).await {
                    Some(outcome) => outcome,
                    None => return retry(self),
                }
            }
            Err(FetchError::Refused(refusal)) => self.reject(None, None, &Rejection::from(refusal)),
            Err(error) => self.failed(&error),
        };
        let message = match &outcome {
            Outcome::Refused { message, .. } | Outcome::Failed { message, .. } | Outcome::Pending { message, .. } => {
                Some(message.clone())
            }
            Outcome::Unchanged | Outcome::Activated(_) => None,
        };
        let now = (self.parts.clock)();
        self.parts.board.polled(outcome.name(), message, now);
        if self.machine.wanted().is_none() {
            self.restore().await;
        }
        self.parts.board.show(&self.machine, now);
        Ok(outcome)
    }

    fn unchanged(&self) -> Outcome {
        match &self.refused {
            Some(refused) => Outcome::Refused {
                reason: refused.reason,
                message: refused.message.clone(),
            },
            None => Outcome::Unchanged,
        }
    }

    fn failed(&self, error: &FetchError) -> Outcome {
        let (reason, retry_after) = match error {
            FetchError::Mc(error) => (error.kind().as_str(), error.retry_after()),
            FetchError::Refused(_) => ("refused", None),
        };
        self.parts.board.metrics().poll_failed(reason);
        let message = crate::chain(error);
        tracing::warn!(
            reason,
            error = message,
            "MC gave no pack; what decides goes on deciding"
        );
        Outcome::Failed { message, retry_after }
    }

    /// `None` when pack and signature may belong to two publications and should be fetched again.
    async fn consider(&mut self, candidate: Candidate, fetched: Duration, may_race: bool) -> Option<Outcome> {
        let digest = candidate.pack.digest();
        let bundle = candidate.bundle.as_deref().map(Sha256Digest::of);
        if self.machine.wanted() == Some(digest) {
            self.known = candidate.validators;
            self.refused = None;
            return Some(Outcome::Unchanged);
        }
        if let Some(refused) = self.refused.as_ref().filter(|refused| {
            refused.digest == digest
                && match refused.again {
                    Again::OtherBytes => true,
                    Again::OtherSignature => refused.bundle == bundle,
                    Again::EveryPoll => false,
                }
        }) {
            let outcome = Outcome::Refused {
                reason: refused.reason,
                message: refused.message.clone(),
            };
            self.known = candidate.validators;
            return Some(outcome);
        }
        let verifying = Instant::now();
        let (held, pack) = match self.prepare(&candidate, false).await {
            Ok(ready) => ready,
            Err(rejection) if may_race && rejection.may_be_race() => return None,
            Err(rejection) => {
                let validators = candidate.validators;
                let keep = rejection.again() != Again::EveryPoll;
                let outcome = self.reject(Some(digest), bundle, &rejection);
                self.known = if keep { validators } else { Validators::default() };
                return Some(outcome);
            }
        };
        if !candidate.digest_announced {
            tracing::info!(%digest, "MC announced no digest for this pack; its signature covers the bytes");
        }
        let timings = Timings {
            fetch_ms: millis(fetched),
            verify_ms: millis(verifying.elapsed()),
            activate_ms: 0.0,
        };
        if let Some(store) = self.parts.store.clone() {
            let bundle = candidate.bundle.clone();
            let staged = blocking(move || store.stage(&pack, bundle.as_deref())).await;
            if let Err(error) = staged {
                tracing::error!(error = %error, "cannot save the pack; it will be activated all the same, and forgotten at a restart");
            }
        }
        self.known = candidate.validators.clone();
        self.refused = None;
        drop(candidate);
        self.packs.insert(digest, Held { timings, ..held });
        let orders = self.machine.on(Event::Admitted(digest));
        self.carry_out(orders).await;
        Some(self.outcome_of(digest))
    }

    fn outcome_of(&self, digest: Sha256Digest) -> Outcome {
        if self.machine.good() == Some(digest) {
            return match self.packs.get(&digest) {
                Some(held) => Outcome::Activated(Box::new(held.info.clone())),
                None => Outcome::Unchanged,
            };
        }
        match &self.refused {
            Some(refused) if refused.digest == digest => Outcome::Refused {
                reason: refused.reason,
                message: refused.message.clone(),
            },
            _ => Outcome::Pending {
                unreachable: self
                    .machine
                    .targets()
                    .iter()
                    .any(|seen| matches!(seen, Observation::Unreachable { .. })),
                message: self
                    .parts
                    .board
                    .not_ready(&self.machine)
                    .unwrap_or_else(|| "waiting for OPA to activate it".to_owned()),
            },
        }
    }

    /// Examines and prepares on a thread where computing is fine. Gives the received bytes back for the store.
    async fn prepare(
        &self,
        candidate: &Candidate,
        restoring: bool,
    ) -> Result<(Held, pack_verify::PackBytes), Rejection> {
        let rules = Arc::clone(&self.parts.rules);
        let activation = Arc::clone(&self.parts.activation);
        let circumstances = Circumstances {
            now: (self.parts.clock)(),
            last: self.last.clone().filter(|_| !restoring),
            digest_announced: candidate.digest_announced,
            restoring,
        };
        let pack = candidate.pack.clone();
        let bundle = candidate.bundle.clone();
        blocking(move || {
            let deployable = examine(pack.clone(), bundle.as_deref(), &rules, &circumstances)?;
            if let Some(warning) = deployable.warning() {
                tracing::warn!(digest = %pack.digest(), warning, "the Rego could not be looked at; OPA's compiler judges it");
            }
            let info = describe(&deployable);
            let prepared = activation.prepare(deployable).map_err(|error| Rejection::Prepare {
                why: format!("{error:#}"),
            })?;
            let held = Held {
                prepared,
                info,
                timings: Timings::default(),
            };
            Ok((held, pack))
        })
        .await
    }

    fn reject(&mut self, digest: Option<Sha256Digest>, bundle: Option<Sha256Digest>, rejection: &Rejection) -> Outcome {
        let now = (self.parts.clock)();
        self.parts.board.rejected(digest, rejection, now);
        let reason = rejection.reason().as_str();
        let message = crate::chain(rejection);
        tracing::error!(
            reason,
            error = message,
            digest = digest.map(tracing::field::display),
            active = self.machine.good().map(tracing::field::display),
            "policy pack refused; what decides goes on deciding"
        );
        self.refused = digest.map(|digest| Refused {
            digest,
            bundle,
            again: rejection.again(),
            reason,
            message: message.clone(),
        });
        Outcome::Refused { reason, message }
    }

    /// MC has nothing for us: the last good pack of an earlier life is better than undefined answers.
    async fn restore(&mut self) {
        let (Some(state), Some(store)) = (self.saved.take(), self.parts.store.clone()) else {
            return;
        };
        let digest = state.digest;
        let candidate = match blocking(move || store.load_pack(&state)).await {
            Ok((pack, bundle)) => Candidate {
                pack,
                bundle,
                validators: Validators::default(),
                digest_announced: true,
                raced: false,
            },
            Err(error) => {
                tracing::error!(%digest, error = format!("{error:#}"), "the saved pack cannot be read");
                return;
            }
        };
        match self.prepare(&candidate, true).await {
            Ok((held, _)) => {
                tracing::warn!(%digest, "MC gave no pack that can be used; going on with the saved one");
                if held.info.expires.is_some_and(|expires| expires <= (self.parts.clock)()) {
                    tracing::error!(%digest, "the saved pack has expired; it goes on deciding until MC gives a newer one");
                }
                self.packs.insert(digest, held);
                let orders = self.machine.on(Event::Restored(digest));
                self.carry_out(orders).await;
            }
            Err(rejection) => {
                tracing::error!(%digest, error = crate::chain(&rejection), "the saved pack is not acceptable any more");
                self.parts
                    .board
                    .rejected(Some(digest), &rejection, (self.parts.clock)());
            }
        }
    }

    /// Looks at every OPA and repairs what does not decide by the wanted pack.
    pub async fn watch(&mut self) {
        if self.machine.wanted().is_none() && self.begun.elapsed() >= SAVED_PACK_AFTER {
            self.restore().await;
        }
        // Before the new look: a repair that worked is forgotten even when its OPA has died again since.
        self.repairs.helped(self.machine.targets(), Instant::now());
        let seen = self.parts.activation.watch().await;
        self.report_changes(&seen);
        let orders = self.machine.on(Event::Watched(seen));
        let orders = self.repairs.due(orders, self.machine.targets(), Instant::now());
        self.carry_out(orders).await;
        self.parts.board.show(&self.machine, (self.parts.clock)());
    }

    fn report_changes(&self, seen: &[Observation]) {
        let names = self.parts.activation.targets();
        for ((before, now), opa) in self.machine.targets().iter().zip(seen).zip(names) {
            match (before, now) {
                (Observation::Unreachable { .. }, Observation::Unreachable { .. }) => {}
                (_, Observation::Unreachable { why }) => tracing::warn!(opa, error = why, "OPA does not answer"),
                (Observation::Unreachable { .. }, _) => tracing::info!(opa, "OPA answers again"),
                (Observation::Deciding { .. }, Observation::Undecided) => {
                    tracing::warn!(opa, "OPA has lost its policy (restarted?); repairing");
                }
                _ => {}
            }
        }
    }
}

/// Milliseconds to the microsecond: more digits are noise.
fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

fn describe(deployable: &Deployable) -> PackInfo {
    let pack = deployable.pack();
    let manifest = pack.manifest();
    PackInfo {
        digest: pack.digest(),
        revision: manifest.and_then(|manifest| manifest.revision),
        id: manifest.and_then(|manifest| manifest.id.clone()),
        expires: manifest.and_then(|manifest| manifest.expires),
        signer: pack.report().signed_by(),
        signature: pack.report().clone(),
        active_since: None,
    }
}

/// Runs `work` where it may compute or wait for the disk. A panic in it is carried on here.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down cancels blocking work, and then nobody polls this.
            Err(_) => std::future::pending().await,
        },
    }
}
