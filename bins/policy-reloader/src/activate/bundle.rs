//! Owns activation by bundle: offer it, then wait until every OPA says that it decides by it.
//!
//! OPA loads policy and data of a bundle in one transaction and keeps the old ones when anything is wrong, so no
//! answer is ever torn. The acknowledgement is the bundle revision that OPA itself names with a decision
//! (`?provenance=true`); a refusal arrives as a status report.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use jiff::Timestamp;
use opa_client::{
    CompileError, DataPath, PathError, QueryOptions,
    bundle::{BundleBuilder, RegoVersion},
    status::{BundleOutcome, BundleStatus},
};
use pack_verify::Sha256Digest;
use tokio::time::Instant;

use super::Target;
use crate::{
    feed::{Feed, Served},
    machine::Observation,
    preflight::{Deployable, ModuleVersion},
};

/// A path that no pack defines: asking for it costs nothing and still names the active revision.
const PROBE: [&str; 2] = ["policy_reloader", "probe"];

/// Activation by bundle.
#[derive(Debug)]
pub struct BundleMode {
    name: String,
    feed: Feed,
    targets: Vec<Target>,
    patience: Duration,
    probe: DataPath,
    offered: Mutex<Option<Offered>>,
}

/// What was offered last, and when each OPA had last polled before that: OPA repeats an old failure until its next
/// poll, so only a failure of a later poll is an answer to the offer.
#[derive(Debug, Clone)]
struct Offered {
    digest: Sha256Digest,
    polled_before: BTreeMap<String, Option<Timestamp>>,
}

impl BundleMode {
    /// `name` is the bundle's name in OPA's configuration; `patience` is how long an OPA may take to activate.
    pub fn new(name: String, feed: Feed, targets: Vec<Target>, patience: Duration) -> Result<Self, PathError> {
        Ok(Self {
            probe: DataPath::new(PROBE)?,
            name,
            feed,
            targets,
            patience,
            offered: Mutex::new(None),
        })
    }

    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    pub(super) fn prepare(deployable: &Deployable) -> anyhow::Result<Served> {
        let pack = deployable.pack();
        let revision = pack.revision_label();
        let syntax = |version: &ModuleVersion| {
            if version.rego_version == 0 {
                RegoVersion::V0
            } else {
                RegoVersion::V1
            }
        };
        let first = deployable.versions().first().map_or(RegoVersion::V1, syntax);
        let mut builder = BundleBuilder::new(revision.clone(), deployable.roots(), first);
        for (file, version) in pack.policies().iter().zip(deployable.versions()) {
            builder = match syntax(version) {
                version if version == first => builder.policy(&file.path, file.text.clone()),
                version => builder.policy_of_version(&file.path, file.text.clone(), version),
            };
        }
        for file in pack.data() {
            builder = builder.data(&file.document, file.json.clone());
        }
        let body = builder.write().context("building the OPA bundle")?;
        Ok(Served {
            digest: pack.digest(),
            revision,
            body,
        })
    }

    pub(super) async fn activate(
        &self,
        served: &Arc<Served>,
        targets: &[usize],
        wait: bool,
    ) -> Vec<(usize, Observation)> {
        let mut reports = self.feed.reports();
        if self
            .feed
            .current()
            .is_none_or(|current| current.digest != served.digest)
        {
            let polled_before = {
                let reports = reports.borrow_and_update();
                let last_poll = |(id, bundles): (&String, &BTreeMap<String, BundleStatus>)| {
                    (
                        id.clone(),
                        bundles.get(&self.name).and_then(|status| status.last_request),
                    )
                };
                reports.by_opa.iter().map(last_poll).collect()
            };
            self.feed.offer(served);
            *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Offered {
                digest: served.digest,
                polled_before,
            });
        }
        let deadline = Instant::now() + if wait { self.patience } else { Duration::ZERO };
        let mut pause = Duration::from_millis(5);
        loop {
            let seen = self.look_at(targets).await;
            let open = |observation: &Observation| match observation {
                Observation::Deciding { digest } => *digest != served.digest,
                Observation::Undecided | Observation::Foreign { .. } | Observation::Unknown => true,
                // An OPA that is away fetches the bundle when it is back; the watch sees it then.
                Observation::Unreachable { .. } | Observation::Refused { .. } => false,
            };
            if !wait || !seen.iter().any(|(_, observation)| open(observation)) {
                return seen;
            }
            // An OPA that reports would have said no by now: it is only slow, and the watch sees when it is done.
            if Instant::now() >= deadline && !reports.borrow().by_opa.is_empty() {
                return seen;
            }
            if Instant::now() >= deadline {
                let why = format!(
                    "did not activate it within {} s and gave no reason (is `status.service` set in its configuration?)",
                    self.patience.as_secs_f32()
                );
                return seen
                    .into_iter()
                    .map(|(number, observation)| match observation {
                        observation if open(&observation) => (
                            number,
                            Observation::Refused {
                                digest: served.digest,
                                why: why.clone(),
                            },
                        ),
                        observation => (number, observation),
                    })
                    .collect();
            }
            // A status report wakes us; asking again is for OPAs that post none.
            let _ = tokio::time::timeout(pause, reports.changed()).await;
            pause = (pause * 2).min(Duration::from_millis(250));
        }
    }

    pub(super) async fn watch(&self) -> Vec<Observation> {
        let all: Vec<usize> = (0..self.targets.len()).collect();
        self.look_at(&all).await.into_iter().map(|(_, seen)| seen).collect()
    }

    /// Asks each target what it decides by; one that does not decide by what is offered, and has reported since
    /// that it could not load it, has refused it.
    async fn look_at(&self, targets: &[usize]) -> Vec<(usize, Observation)> {
        let mut seen = super::look_at(&self.targets, targets, |target| self.look(target)).await;
        let Some((digest, why)) = self.refusal() else {
            return seen;
        };
        let refused = |observation: &Observation| {
            !matches!(observation, Observation::Unreachable { .. })
                && !matches!(observation, Observation::Deciding { digest: by } if *by == digest)
        };
        for (_, observation) in seen.iter_mut().filter(|(_, observation)| refused(observation)) {
            *observation = Observation::Refused {
                digest,
                why: why.clone(),
            };
        }
        seen
    }

    /// The offered pack and why an OPA could not load it, when one has said so since it was offered.
    ///
    /// A report does not name the bundle that it is about, and OPA tries a bundle that it refused once more at once: the
    /// report of that second failure may arrive when the next pack is on offer already. So the polls decide: an OPA that
    /// activated the offer does not ask for it again, one that refused it does.
    fn refusal(&self) -> Option<(Sha256Digest, String)> {
        if self.feed.given() <= self.targets.len() as u64 {
            return None;
        }
        let offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let reports = self.feed.reports();
        let by_opa = &reports.borrow().by_opa;
        by_opa.iter().find_map(|(id, bundles)| {
            let status = bundles.get(&self.name)?;
            let since = offered
                .polled_before
                .get(id)
                .is_none_or(|before| *before < status.last_request);
            match status.outcome() {
                BundleOutcome::Refused { message, errors } if since => {
                    Some((offered.digest, in_words(message, errors)))
                }
                _ => None,
            }
        })
    }

    async fn look(&self, target: &Target) -> Observation {
        let options = QueryOptions {
            provenance: true,
            ..QueryOptions::default()
        };
        match target.client.query(&self.probe, None, options).await {
            Err(error) => Observation::Unreachable {
                why: crate::chain(&error),
            },
            Ok(decision) => {
                let revision = decision
                    .provenance
                    .as_ref()
                    .and_then(|provenance| provenance.bundles.get(&self.name))
                    .map(|bundle| bundle.revision.clone())
                    .filter(|revision| !revision.is_empty());
                match revision {
                    None => Observation::Undecided,
                    Some(revision) => digest_of(&revision).map_or(Observation::Foreign { revision }, |digest| {
                        Observation::Deciding { digest }
                    }),
                }
            }
        }
    }
}

fn in_words(message: &str, errors: &[CompileError]) -> String {
    if errors.is_empty() {
        return message.to_owned();
    }
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The digest in a pack's revision label.
fn digest_of(label: &str) -> Option<Sha256Digest> {
    label
        .rsplit('@')
        .next()?
        .parse()
        .ok()
        .filter(|_| label.contains("sha256:"))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use opa_client::{
        OpaClient,
        bundle::{BundleBuilder, RegoVersion},
        status::StatusUpdate,
    };
    use pack_verify::{Sha256Digest, admit::revision_label};

    use super::{BundleMode, digest_of};
    use crate::{
        activate::Target,
        feed::{Feed, Served},
    };

    fn served(revision: u64) -> Arc<Served> {
        let digest = Sha256Digest::of(&revision.to_be_bytes());
        Arc::new(Served {
            digest,
            revision: revision_label(Some(revision), digest),
            body: BundleBuilder::new("r", ["cos"], RegoVersion::V1).write().unwrap(),
        })
    }

    fn failure(second: u8) -> StatusUpdate {
        let post = format!(
            r#"{{"labels": {{"id": "opa"}}, "bundles": {{"policy": {{"name": "policy", "code": "bundle_error",
                "message": "does not compile", "last_request": "2026-01-01T00:00:{second:02}Z"}}}}}}"#
        );
        StatusUpdate::parse(post.as_bytes()).unwrap()
    }

    #[tokio::test]
    async fn a_late_report_about_the_offer_before_is_no_refusal() {
        let feed = Feed::default();
        let target = Target {
            name: "opa".to_owned(),
            client: OpaClient::new(
                runtime::http::client(&runtime::http::HttpOptions::default()).unwrap(),
                "http://127.0.0.1:9".parse().unwrap(),
                None,
            ),
        };
        let mode = BundleMode::new("policy".to_owned(), feed.clone(), vec![target], Duration::ZERO).unwrap();
        let offer = async |revision| {
            mode.activate(&served(revision), &[], false).await;
        };
        let poll = async || {
            feed.newer_than(Some("\"what is active\""), Duration::ZERO)
                .await
                .unwrap()
        };

        offer(6).await;
        poll().await;
        feed.report(failure(1));
        assert!(mode.refusal().is_none(), "it may be about the bundle before");
        poll().await;
        assert!(mode.refusal().is_some(), "asked for again, so it was not activated");

        offer(7).await;
        feed.report(failure(2));
        assert!(mode.refusal().is_none(), "nobody has got the new offer yet");
        poll().await;
        assert!(
            mode.refusal().is_none(),
            "still the second failure of the bundle before"
        );
        poll().await;
        assert!(mode.refusal().is_some());
    }

    #[test]
    fn a_label_gives_its_digest_back() {
        let digest = Sha256Digest::of(b"pack");
        assert_eq!(digest_of(&revision_label(Some(42), digest)), Some(digest));
        assert_eq!(digest_of(&revision_label(None, digest)), Some(digest));
        assert_eq!(digest_of("somebody else's"), None);
        assert_eq!(digest_of(&digest.hex()), None);
    }
}
