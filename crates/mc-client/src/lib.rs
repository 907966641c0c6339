//! Client of MC: one method an endpoint, typed answers, typed errors.
//!
//! | method | request | answer |
//! |---|---|---|
//! | [`PackClient::pack`] | `GET {pack}` with validators | [`PackReply::NotModified`] or a [`PackBody`] to be read in chunks |
//! | [`PackClient::head`] | `HEAD {pack}` | [`PackHeaders`] |
//! | [`PackClient::attestation`] | `GET {pack}/attestation` | [`Attestation`], at most 1 MiB |
//! | [`EvidenceClient::evidence_ok`] | GraphQL `evidenceOk`, `POST {MC}/graphql` | [`EvidenceOk`], or why there is none |
//!
//! - **No retries inside.** The caller polls and has its own backoff; a second retry loop below it would multiply the load
//!   on an MC that is in trouble. [`McError::is_transient`] and [`McError::retry_after`] say what a repeat is good for.
//! - **Every wait ends.** [`Timeouts`] limit the time to the answer, the time between two pieces of a body, and the whole
//!   request, so neither a slow drip nor an endless body can hold the caller. The limit in bytes is the caller's: dropping
//!   a [`PackBody`] ends the transfer.
//! - **Redirects are errors.** A pinned MC does not redirect; following one would send the token elsewhere.
//! - The token is asked for at each request, so a file that was rotated is noticed.
//! - One tracing span a request (`mc_request`: method, path template, status, attempt), without token and body.
//!
//! What the bytes are worth is not decided here: digests and signatures are the work of `pack-verify`.

mod body;
mod call;
mod client;
mod error;
pub mod evidence;
mod headers;
mod outcome;

pub use body::PackBody;
pub use client::{Attestation, PackClient, PackReply, Timeouts};
pub use error::{McError, McErrorKind, TimeoutPhase};
pub use evidence::{EvidenceClient, EvidenceError, EvidenceErrorKind, EvidenceOk, EvidenceTimeouts};
pub use headers::{PackHeaders, Pairing, Validators, pairing};
