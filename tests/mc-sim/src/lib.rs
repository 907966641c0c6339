//! MC as a server, for tests, demos and local runs: packs and evidence as MC serves them, with faults on demand.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use mc_sim::{Fault, PACK_ID, Sim, SimConfig, samples};
//! use pack_verify::sign::{KeyKind, Signer};
//!
//! let signer = Signer::generate(KeyKind::EcdsaP256)?;
//! let sim = Sim::start(SimConfig::default())?;
//! sim.publish_signed(PACK_ID, samples::v1(1), &signer)?;
//! sim.set_fault(Fault::Truncate { at: 100 }.times(1));
//! println!("{}", sim.pack_url(PACK_ID));
//! # Ok(()) }
//! ```
//!
//! Every request is recorded ([`Sim::requests`]), so a test can say what a client asked for and what it was told.

mod answer;
mod body;
mod conditional;
mod control;
mod fault;
mod folder;
mod graphql;
mod net;
mod reply;
mod requests;
pub mod samples;
mod sim;
mod state;
mod store;

pub use fault::{Endpoint, Fault, FaultSpec, Target};
pub use folder::{Files, Packs, read_pack};
pub use graphql::evidence::{ArtifactRef, Evidence, EvidenceBundle, SloSnapshot};
pub use requests::{RequestRecord, Requests};
pub use sim::{Sim, SimConfig};
pub use store::{PACK_ID, Published};

/// Builds a pack as MC does and signs it: for packs that are changed before they are published.
pub fn build_signed(files: Files, signer: &pack_verify::sign::Signer) -> anyhow::Result<Published> {
    state::build(files, Some(signer))
}

/// Builds a pack as MC does, without an attestation.
pub fn build_unsigned(files: Files) -> anyhow::Result<Published> {
    state::build(files, None)
}
