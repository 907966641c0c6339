//! Owns a fetch under way: it has everything it needs, so that OPA can be watched while MC is slow.

use std::time::{Duration, Instant};

use mc_client::{PackClient, Validators};
use pack_verify::Sha256Digest;

use crate::fetch::{self, FetchError, Fetched};

/// The digest of a signature bundle that was refused; none when the refusal was that there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RefusedSignature(pub(super) Option<Sha256Digest>);

/// A fetch that has not begun.
#[derive(Debug)]
pub struct Fetching {
    pub(super) client: PackClient,
    pub(super) known: Validators,
    pub(super) limit: usize,
    /// Whether signatures are asked for at all.
    pub(super) signed: bool,
    /// The signature that was refused with the pack that `known` describes, when another one could change that.
    pub(super) refused: Option<RefusedSignature>,
    pub(super) begun: Instant,
    /// The second try, after pack and signature turned out to belong to two publications.
    pub(super) again: bool,
}

/// A fetch that has ended.
#[derive(Debug)]
pub struct Done {
    pub(super) result: Result<Fetched, FetchError>,
    pub(super) took: Duration,
    pub(super) begun: Instant,
    pub(super) again: bool,
}

impl Fetching {
    /// Asks MC.
    pub async fn run(self) -> Done {
        let result = self.ask().await;
        Done {
            result,
            took: self.begun.elapsed(),
            begun: self.begun,
            again: self.again,
        }
    }

    async fn ask(&self) -> Result<Fetched, FetchError> {
        let fetched = fetch::fetch(&self.client, &self.known, self.limit, self.signed).await?;
        let (Fetched::Unchanged, Some(refused)) = (&fetched, self.refused) else {
            return Ok(fetched);
        };
        // Same pack, but it may have been signed anew.
        let now = fetch::attestation(&self.client).await?;
        if RefusedSignature(now.map(|found| Sha256Digest::of(&found.body))) == refused {
            return Ok(fetched);
        }
        fetch::fetch(&self.client, &Validators::default(), self.limit, self.signed).await
    }
}
