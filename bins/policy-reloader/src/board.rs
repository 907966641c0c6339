//! Owns what others can see of the reconciler: `GET /status`, metrics and readiness, kept in step in one place.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use pack_verify::{Sha256Digest, SignatureReport};
use runtime::admin::Health;
use serde::Serialize;

use crate::{
    examine::Rejection,
    machine::{Machine, NotReady, Observation},
    metrics::Metrics,
};

/// A pack, in words.
#[derive(Debug, Clone, Serialize)]
pub struct PackInfo {
    /// The pack's digest.
    pub digest: Sha256Digest,
    /// Its revision, when it states one.
    pub revision: Option<u64>,
    /// Its id, when it states one.
    pub id: Option<String>,
    /// When it expires, if ever.
    pub expires: Option<Timestamp>,
    /// Who signed it, in one line.
    pub signer: String,
    /// Everything that was checked of the signature.
    pub signature: SignatureReport,
    /// When it came to decide; empty before that.
    pub active_since: Option<Timestamp>,
}

/// How long the stages of a pack took, milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Timings {
    /// From the request to the last byte, attestation included.
    pub fetch_ms: f64,
    /// From the last byte to a pack ready to be activated.
    pub verify_ms: f64,
    /// Until it was seen to decide.
    pub activate_ms: f64,
}

/// A refusal, in words.
#[derive(Debug, Clone, Serialize)]
pub struct LastRefusal {
    /// When.
    pub at: Timestamp,
    /// The pack, when its bytes were received whole.
    pub digest: Option<Sha256Digest>,
    /// The closed reason.
    pub reason: &'static str,
    /// The whole message.
    pub message: String,
}

/// The last poll, in words.
#[derive(Debug, Clone, Serialize)]
pub struct LastPoll {
    /// When it ended.
    pub at: Timestamp,
    /// `unchanged`, `activated`, `pending`, `refused`, `failed`.
    pub outcome: &'static str,
    /// What went wrong, if anything.
    pub message: Option<String>,
}

/// One OPA, in words.
#[derive(Debug, Clone, Serialize)]
pub struct OpaStatus {
    /// Its address.
    pub opa: String,
    /// What was last seen there.
    #[serde(flatten)]
    pub seen: Observation,
    /// Since when it has been in this state.
    pub since: Timestamp,
}

/// `GET /status`.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// `starting`, `steady` or `degraded`.
    pub state: &'static str,
    /// Why it is not steady.
    pub reason: Option<String>,
    /// How packs are activated.
    pub activation: &'static str,
    /// What a signature has to satisfy.
    pub trust: &'static str,
    /// Where packs come from.
    pub pack_url: String,
    /// The pack that decides.
    pub active: Option<PackInfo>,
    /// How long its stages took.
    pub timings: Option<Timings>,
    /// Each OPA.
    pub opas: Vec<OpaStatus>,
    /// The last poll.
    pub last_poll: Option<LastPoll>,
    /// The last refusal.
    pub last_refusal: Option<LastRefusal>,
}

/// The board.
#[derive(Debug, Clone)]
pub struct Board {
    status: Arc<Mutex<Status>>,
    metrics: Metrics,
    health: Health,
}

impl Board {
    /// An empty board.
    pub fn new(
        activation: &'static str,
        targets: &[String],
        trust: &'static str,
        pack_url: String,
        metrics: Metrics,
        health: Health,
        now: Timestamp,
    ) -> Self {
        let opas = targets
            .iter()
            .map(|opa| OpaStatus {
                opa: opa.clone(),
                seen: Observation::Unknown,
                since: now,
            })
            .collect();
        metrics.state("starting");
        health.set_ready(false, "no policy pack has been accepted yet");
        Self {
            status: Arc::new(Mutex::new(Status {
                state: "starting",
                reason: Some("no policy pack has been accepted yet".to_owned()),
                activation,
                trust,
                pack_url,
                active: None,
                timings: None,
                opas,
                last_poll: None,
                last_refusal: None,
            })),
            metrics,
            health,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `GET /status` answers now.
    pub fn status(&self) -> Status {
        self.lock().clone()
    }

    /// Says how packs are activated, once that is known.
    pub(crate) fn activation(&self, name: &'static str) {
        self.lock().activation = name;
    }

    /// Says that the choice of the activation waits for an OPA that cannot be asked.
    pub(crate) fn waits_for_opa(&self, number: usize, why: String, now: Timestamp) {
        let mut status = self.lock();
        let Some(opa) = status.opas.get_mut(number) else {
            return;
        };
        let seen = Observation::Unreachable { why };
        if opa.seen != seen {
            opa.seen = seen;
            opa.since = now;
        }
        self.metrics.opa(&opa.opa, false, false);
        let reason = format!("{} cannot be asked for its configuration", opa.opa);
        status.reason = Some(reason.clone());
        self.health.set_ready(false, reason);
    }

    /// The metrics, for durations.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn polled(&self, outcome: &'static str, message: Option<String>, now: Timestamp) {
        self.metrics.polled(outcome);
        if outcome != "failed" {
            self.metrics.mc_answered(seconds(now));
        }
        self.lock().last_poll = Some(LastPoll {
            at: now,
            outcome,
            message,
        });
    }

    pub(crate) fn rejected(&self, digest: Option<Sha256Digest>, rejection: &Rejection, now: Timestamp) {
        let reason = rejection.reason().as_str();
        self.metrics.refused(reason);
        self.lock().last_refusal = Some(LastRefusal {
            at: now,
            digest,
            reason,
            message: crate::chain(rejection),
        });
    }

    pub(crate) fn activated(&self, info: PackInfo, timings: Timings, now: Timestamp) {
        self.metrics.pack(
            info.digest.to_string(),
            info.revision.map(|revision| revision.to_string()).unwrap_or_default(),
            seconds(now),
            info.expires.map(seconds),
        );
        self.metrics.stage("fetch", millis(timings.fetch_ms));
        self.metrics.stage("verify", millis(timings.verify_ms));
        self.metrics.stage("activate", millis(timings.activate_ms));
        let mut status = self.lock();
        status.active = Some(PackInfo {
            active_since: Some(now),
            ..info
        });
        status.timings = Some(timings);
    }

    /// Why the machine is not ready, with the OPA's name.
    pub(crate) fn not_ready(&self, machine: &Machine) -> Option<String> {
        let not_ready = machine.readiness().err()?;
        Some(in_words(&not_ready, &self.lock().opas))
    }

    /// Brings everything in step with the machine.
    pub(crate) fn show(&self, machine: &Machine, now: Timestamp) {
        let readiness = machine.readiness();
        let mut status = self.lock();
        for (opa, seen) in status.opas.iter_mut().zip(machine.targets()) {
            if opa.seen != *seen {
                opa.seen = seen.clone();
                opa.since = now;
            }
            let up = !matches!(seen, Observation::Unreachable { .. } | Observation::Unknown);
            let deciding = matches!(seen, Observation::Deciding { digest } if Some(*digest) == machine.wanted());
            self.metrics.opa(&opa.opa, up, deciding);
        }
        status.state = match (&readiness, machine.good()) {
            (Ok(()), _) => "steady",
            (Err(_), Some(_)) => "degraded",
            (Err(_), None) => "starting",
        };
        self.metrics.state(status.state);
        if let Some(since) = status.active.as_ref().and_then(|pack| pack.active_since) {
            self.metrics.pack_age(seconds(now) - seconds(since));
        }
        status.reason = readiness.err().map(|not_ready| in_words(&not_ready, &status.opas));
        match &status.reason {
            None => self.health.set_ready(true, ""),
            Some(reason) => self.health.set_ready(false, reason.clone()),
        }
    }
}

fn in_words(not_ready: &NotReady, opas: &[OpaStatus]) -> String {
    match not_ready.target.and_then(|number| opas.get(number)) {
        Some(opa) => format!("{} {}", opa.opa, not_ready.why),
        None => not_ready.why.clone(),
    }
}

fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

fn millis(milliseconds: f64) -> Duration {
    Duration::from_secs_f64((milliseconds / 1000.0).max(0.0))
}
