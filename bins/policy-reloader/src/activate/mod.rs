//! Owns the choice between the three ways to make something decide by a pack; each way has a file of its own.

mod bundle;
mod embedded;
mod push;

use std::{sync::Arc, time::Duration};

use opa_client::OpaClient;

pub use bundle::BundleMode;
pub use embedded::{Decider, EmbeddedMode};
pub use push::PushMode;

use crate::{feed::Served, machine::Observation, preflight::Deployable};

/// One OPA that is to decide by the pack.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its address as people see it: no credentials.
    pub name: String,
    /// Its client.
    pub client: OpaClient,
}

/// A pack in the form that a way of activation needs; making it is the expensive part.
#[derive(Debug, Clone)]
pub enum Prepared {
    /// A finished OPA bundle, to be served as it is.
    Bundle(Arc<Served>),
    /// The pack itself: modules and documents are written one by one.
    Push(Arc<Deployable>),
    /// An interpreter with everything loaded.
    Embedded(Arc<Decider>),
}

/// An OPA that takes longer than this to say what it decides by counts as unreachable for now: it must not keep the
/// others, and MC, from being looked at.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);

/// Looks at the `numbers`ed targets, all at the same time.
async fn look_at<'t, F>(
    targets: &'t [Target],
    numbers: &[usize],
    look: impl Fn(&'t Target) -> F,
) -> Vec<(usize, Observation)>
where
    F: Future<Output = Observation>,
{
    let looks = numbers.iter().filter_map(|&number| {
        let looking = look(targets.get(number)?);
        Some(async move {
            let seen = tokio::time::timeout(LOOK_TIMEOUT, looking).await;
            let seen = seen.unwrap_or_else(|_| Observation::Unreachable {
                why: format!("no answer within {} s", LOOK_TIMEOUT.as_secs()),
            });
            (number, seen)
        })
    });
    futures_util::future::join_all(looks).await
}

/// A way to make something decide by a pack.
#[derive(Debug)]
pub enum Activation {
    /// OPA fetches its bundle from us.
    Bundle(BundleMode),
    /// We write to OPA's REST API.
    Push(PushMode),
    /// We answer ourselves.
    Embedded(EmbeddedMode),
}

impl Activation {
    /// `bundle`, `push` or `embedded`, as on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bundle(_) => "bundle",
            Self::Push(_) => "push",
            Self::Embedded(_) => "embedded",
        }
    }

    /// Names of the targets, in their order.
    pub fn targets(&self) -> Vec<String> {
        match self {
            Self::Bundle(mode) => mode.targets().iter().map(|target| target.name.clone()).collect(),
            Self::Push(mode) => mode.targets().iter().map(|target| target.name.clone()).collect(),
            Self::Embedded(_) => vec!["embedded".to_owned()],
        }
    }

    /// Builds what is to be activated. Computes only; may take a second for a large pack.
    pub fn prepare(&self, pack: Deployable) -> anyhow::Result<Prepared> {
        match self {
            Self::Bundle(_) => BundleMode::prepare(&pack).map(|served| Prepared::Bundle(Arc::new(served))),
            Self::Push(_) => Ok(Prepared::Push(Arc::new(pack))),
            Self::Embedded(_) => Decider::load(&pack).map(|decider| Prepared::Embedded(Arc::new(decider))),
        }
    }

    /// Makes `targets` decide by `prepared`; comes back when each of them was seen to do so, refused, did not
    /// answer, or the time for it is over. Without `wait` it only sets things going, where that is possible.
    pub async fn activate(&self, prepared: &Prepared, targets: &[usize], wait: bool) -> Vec<(usize, Observation)> {
        match (self, prepared) {
            (Self::Bundle(mode), Prepared::Bundle(served)) => mode.activate(served, targets, wait).await,
            (Self::Push(mode), Prepared::Push(pack)) => mode.activate(pack, targets).await,
            (Self::Embedded(mode), Prepared::Embedded(decider)) => mode.activate(decider, targets),
            // `prepare` of one way is never handed to another: both come from the same enum value.
            _ => targets.iter().map(|&target| (target, Observation::Unknown)).collect(),
        }
    }

    /// What every target decides by at this moment.
    pub async fn watch(&self) -> Vec<Observation> {
        match self {
            Self::Bundle(mode) => mode.watch().await,
            Self::Push(mode) => mode.watch().await,
            Self::Embedded(mode) => vec![mode.watch()],
        }
    }
}
