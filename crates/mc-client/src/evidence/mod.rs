//! Client of MC's evidence: may this release of this service go on?
//!
//! An answer is a right one, to the letter of the contract, or it is an error: there is nothing in between, because what
//! asks here lets releases pass. [`read()`] decides that by the body alone and does no I/O; [`EvidenceClient`] decides it by
//! everything else: the status, where the answer came from, its media type, its length.

mod answer;
mod client;
mod error;
mod plausible;
mod wire;

pub use answer::{CostSnapshot, EvidenceOk, SloSnapshot};
pub use client::{EvidenceClient, EvidenceTimeouts, graphql_url};
pub use error::{EvidenceError, EvidenceErrorKind, GraphQlError};

/// Reads the body of an answer to `evidenceOk` for `service`.
///
/// # Errors
/// Everything but one whole answer as the contract has it; see [`EvidenceError`]. `request` appears in the message.
pub fn read(body: &[u8], service: &str, request: &str) -> Result<EvidenceOk, EvidenceError> {
    wire::read(body, service, request)
}
