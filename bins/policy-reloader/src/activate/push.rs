//! Owns activation over OPA's REST API, for an OPA that does not fetch bundles.
//!
//! Not atomic: each module is a transaction of its own, all data one more. The order keeps the damage small:
//! modules first (they can be refused, and are put back then), data and the marker in one patch last. The marker
//! document tells which pack an OPA holds; an OPA without it was restarted.

use std::{collections::BTreeMap, sync::Arc};

use opa_client::{DataPath, OpaClient, OpaError, PatchOp, RawJson};
use serde_json::{Value, json};

use super::Target;
use crate::{machine::Observation, preflight::Deployable};

/// Ids of the modules that we write start with this, so that foreign modules are never touched.
const PREFIX: &str = "policy-reloader/";
/// The marker's place under `data`.
const MARKER: &str = "policy_reloader";

/// Activation over REST.
#[derive(Debug)]
pub struct PushMode {
    targets: Vec<Target>,
}

/// Why a push did not end with the pack deciding.
enum PushError {
    /// OPA would not take the pack; what was there is there again.
    Refused(String),
    /// OPA was not reached, or failed in the middle: the watch will see what it holds.
    Failed(String),
}

impl From<OpaError> for PushError {
    fn from(error: OpaError) -> Self {
        let why = crate::chain(&error);
        if error.is_refusal() {
            Self::Refused(why)
        } else {
            Self::Failed(why)
        }
    }
}

impl PushMode {
    /// Pushes to `targets`.
    pub fn new(targets: Vec<Target>) -> Self {
        Self { targets }
    }

    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    pub(super) async fn activate(&self, pack: &Arc<Deployable>, targets: &[usize]) -> Vec<(usize, Observation)> {
        let pushes = targets.iter().filter_map(|&number| {
            let target = self.targets.get(number)?;
            Some(async move {
                let observation = match push(&target.client, pack).await {
                    Ok(()) => look(&target.client).await,
                    Err(PushError::Refused(why)) => Observation::Refused {
                        digest: pack.pack().digest(),
                        why,
                    },
                    Err(PushError::Failed(why)) => Observation::Unreachable { why },
                };
                (number, observation)
            })
        });
        futures_util::future::join_all(pushes).await
    }

    pub(super) async fn watch(&self) -> Vec<Observation> {
        let all: Vec<usize> = (0..self.targets.len()).collect();
        let seen = super::look_at(&self.targets, &all, |target| look(&target.client)).await;
        seen.into_iter().map(|(_, seen)| seen).collect()
    }
}

/// Reads the marker back.
async fn look(client: &OpaClient) -> Observation {
    let Ok(marker) = path(&[MARKER.to_owned()]) else {
        return Observation::Unknown;
    };
    match client.get_data(&marker).await {
        Err(error) => Observation::Unreachable {
            why: crate::chain(&error),
        },
        Ok(None) => Observation::Undecided,
        Ok(Some(marker)) => marker
            .get("digest")
            .and_then(Value::as_str)
            .and_then(|digest| digest.parse().ok())
            .map_or_else(
                || Observation::Foreign {
                    revision: marker.to_string().chars().take(200).collect(),
                },
                |digest| Observation::Deciding { digest },
            ),
    }
}

async fn push(client: &OpaClient, pack: &Deployable) -> Result<(), PushError> {
    let wanted: BTreeMap<String, &str> = pack
        .pack()
        .policies()
        .iter()
        .map(|file| (format!("{PREFIX}{}", file.path), file.text()))
        .collect();
    let before: BTreeMap<String, String> = client
        .list_policies()
        .await?
        .into_iter()
        .filter(|policy| policy.id.starts_with(PREFIX))
        .map(|policy| (policy.id, policy.raw))
        .collect();
    let marker = client.get_data(&path(&[MARKER.to_owned()])?).await?;

    let result = write_modules(client, &wanted, &before).await;
    if let Err(error) = result {
        put_back(client, &wanted, &before).await;
        return Err(error);
    }
    let result = write_data(client, pack, marker.as_ref()).await;
    if result.is_err() {
        put_back(client, &wanted, &before).await;
    }
    result
}

/// Puts changed modules in rounds, since one may need another that is not there yet; then deletes old ones.
async fn write_modules(
    client: &OpaClient,
    wanted: &BTreeMap<String, &str>,
    before: &BTreeMap<String, String>,
) -> Result<(), PushError> {
    let mut left: Vec<(&String, &str)> = wanted
        .iter()
        .filter(|(id, text)| before.get(*id).map(String::as_str) != Some(**text))
        .map(|(id, text)| (id, *text))
        .collect();
    let mut stale: Vec<&String> = before.keys().filter(|id| !wanted.contains_key(*id)).collect();
    // A renamed module may clash with its old self until that is deleted, hence deletions join the rounds.
    while !left.is_empty() || !stale.is_empty() {
        let todo = left.len() + stale.len();
        let mut refusal = None;
        let mut again = Vec::new();
        for (id, text) in left {
            match client.put_policy(id, text).await {
                Ok(()) => {}
                Err(error) if error.is_refusal() => {
                    again.push((id, text));
                    refusal = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        left = again;
        let mut kept = Vec::new();
        for id in stale {
            match client.delete_policy(id).await {
                Ok(_) => {}
                Err(error) if error.is_refusal() => {
                    kept.push(id);
                    refusal.get_or_insert(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        stale = kept;
        if let Some(error) = refusal.filter(|_| left.len() + stale.len() == todo) {
            return Err(error.into());
        }
    }
    Ok(())
}

/// After a refusal: the modules that were there before. Best effort; the watch repairs what this cannot.
async fn put_back(client: &OpaClient, wanted: &BTreeMap<String, &str>, before: &BTreeMap<String, String>) {
    let old: BTreeMap<String, &str> = before.iter().map(|(id, text)| (id.clone(), text.as_str())).collect();
    let now: BTreeMap<String, String> = match client.list_policies().await {
        Ok(list) => list
            .into_iter()
            .filter(|policy| wanted.contains_key(&policy.id) || old.contains_key(&policy.id))
            .map(|policy| (policy.id, policy.raw))
            .collect(),
        Err(_) => return,
    };
    if write_modules(client, &old, &now).await.is_err() {
        tracing::warn!(
            opa = %runtime::http::redact(client.base()),
            "could not put the previous modules back; the next look at this OPA repairs it"
        );
    }
}

/// All documents and the marker, in one transaction.
async fn write_data(client: &OpaClient, pack: &Deployable, marker: Option<&Value>) -> Result<(), PushError> {
    let patch = patch(client, pack, marker).await?;
    Ok(client.patch_data(&patch).await?)
}

/// One JSON Patch: documents of this pack, removal of documents that only the pack before had, and the marker.
/// Documents travel as the bytes that were verified.
async fn patch(client: &OpaClient, pack: &Deployable, marker: Option<&Value>) -> Result<Vec<PatchOp>, PushError> {
    let mut operations = Vec::new();
    let documents: Vec<&[String]> = pack.pack().data().iter().map(|file| file.document.as_slice()).collect();
    for file in pack.pack().data() {
        // JSON Patch `add` needs the parent to exist; creating it empty changes no decision.
        if let Some((_, parent)) = file.document.split_last().filter(|(_, parent)| !parent.is_empty()) {
            client
                .create_data(&path(parent)?, RawJson::from_value(&json!({})))
                .await?;
        }
        let value = RawJson::check(file.json.clone()).map_err(|error| PushError::Refused(error.to_string()))?;
        operations.push(PatchOp::add(&path(&file.document)?, value));
    }
    let old = marker
        .and_then(|marker| marker.get("documents"))
        .and_then(Value::as_array);
    for stale in old.into_iter().flatten() {
        let stale: Vec<String> = serde_json::from_value(stale.clone()).unwrap_or_default();
        let replaced = documents
            .iter()
            .any(|document| stale.starts_with(document) || document.starts_with(&stale));
        if !stale.is_empty() && !replaced && client.get_data(&path(&stale)?).await?.is_some() {
            operations.push(PatchOp::remove(&path(&stale)?));
        }
    }
    let marker = json!({
        "digest": pack.pack().digest(),
        "revision": pack.pack().manifest().and_then(|manifest| manifest.revision),
        "documents": documents,
    });
    operations.push(PatchOp::add(&path(&[MARKER.to_owned()])?, RawJson::from_value(&marker)));
    Ok(operations)
}

fn path(segments: &[String]) -> Result<DataPath, PushError> {
    DataPath::new(segments).map_err(|error| PushError::Refused(error.to_string()))
}
