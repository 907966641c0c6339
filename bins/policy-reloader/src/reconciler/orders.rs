//! Owns carrying out what the machine orders.

use std::{collections::VecDeque, time::Instant};

use mc_client::Validators;
use pack_verify::{Sha256Digest, TrustMode, admit::Accepted};

use super::{Reconciler, blocking, millis};
use crate::{
    examine::Rejection,
    machine::{Event, Observation, Order},
    store::{Receipt, State},
};

impl Reconciler {
    pub(super) async fn carry_out(&mut self, orders: Vec<Order>) {
        let mut queue = VecDeque::from(orders);
        while let Some(order) = queue.pop_front() {
            match order {
                Order::Activate { digest, targets, wait } => {
                    let seen = self.activate(digest, &targets, wait).await;
                    if !wait {
                        self.report_repairs(digest, &seen);
                    }
                    queue.extend(self.machine.on(Event::Activated(seen)));
                }
                Order::Persist(digest) => self.persist(digest).await,
                Order::Drop { digest, why } => {
                    self.packs.remove(&digest);
                    let _ = self.reject(Some(digest), None, &Rejection::Opa { why });
                }
                Order::Forgive => {
                    self.known = Validators::default();
                    self.refused = None;
                }
            }
        }
    }

    async fn activate(&mut self, digest: Sha256Digest, targets: &[usize], wait: bool) -> Vec<(usize, Observation)> {
        let started = Instant::now();
        let Some(held) = self.packs.get(&digest) else {
            return Vec::new();
        };
        let prepared = held.prepared.clone();
        let seen = self.parts.activation.activate(&prepared, targets, wait).await;
        if let Some(held) = self.packs.get_mut(&digest) {
            held.timings.activate_ms = millis(started.elapsed());
        }
        seen
    }

    fn report_repairs(&self, digest: Sha256Digest, seen: &[(usize, Observation)]) {
        let names = self.parts.activation.targets();
        for (number, _) in seen.iter().filter(|(_, seen)| seen.decides_by(digest)) {
            tracing::info!(opa = names.get(*number), %digest, "OPA repaired: it decides by the last good pack again");
        }
    }

    /// The pack decides: say so, remember it, forget all others.
    async fn persist(&mut self, digest: Sha256Digest) {
        let now = (self.parts.clock)();
        let previous = self.last.as_ref().map(|last| last.digest);
        self.packs.retain(|held, _| *held == digest);
        let Some(held) = self.packs.get(&digest) else {
            return;
        };
        let info = held.info.clone();
        let timings = held.timings;
        self.saved = None;
        self.last = Some(Accepted {
            digest,
            revision: info.revision,
            id: info.id.clone(),
        });
        // Saved before it is announced: what /status has shown must not be forgotten by a kill in the next moment.
        if let Some(store) = self.parts.store.clone() {
            let trust = self.parts.rules.verifier.mode().as_str();
            let activation = self.parts.activation.name();
            let info = info.clone();
            let committed = blocking(move || {
                let state = State {
                    version: 1,
                    digest,
                    revision: info.revision,
                    id: info.id.clone(),
                    activated_at: now,
                };
                let receipt = Receipt {
                    time: now,
                    digest,
                    revision: info.revision,
                    previous,
                    signer: &info.signer,
                    trust,
                    activation,
                };
                store.commit(&state, &receipt)
            })
            .await;
            if let Err(error) = committed {
                tracing::error!(
                    error = format!("{error:#}"),
                    "cannot save the state; the pack decides all the same, and is forgotten at a restart"
                );
            }
        }
        tracing::info!(
            old = previous.map(tracing::field::display),
            new = %digest,
            revision = info.revision,
            signer = info.signer,
            activation = self.parts.activation.name(),
            fetch_ms = timings.fetch_ms,
            verify_ms = timings.verify_ms,
            activate_ms = timings.activate_ms,
            "policy pack activated"
        );
        if self.parts.rules.verifier.mode() == TrustMode::InsecureDigestOnly {
            tracing::warn!(new = %digest, "trust mode insecure-digest-only: nobody vouches for this pack but the server that sent it");
        }
        self.parts.board.activated(info, timings, now);
    }
}
