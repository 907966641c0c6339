//! What proves a run: audit rows in a hash chain, signed receipts, the ledger of erased subjects. No database, no
//! network.
//!
//! | module | owns |
//! |---|---|
//! | [`audit`] | [`AuditRow`] and the chain over the rows of a run |
//! | [`chain`] | [`AuditLine`], and how a chain is checked against the receipt |
//! | [`receipt`] | [`Receipt`]: what a run says it did |
//! | [`remains`] | what a receipt says of old values that are still somewhere |
//! | [`keys`] | Ed25519 keys |
//! | [`envelope`] | [`Envelope`]: a receipt, signed |

pub mod audit;
pub mod chain;
pub mod envelope;
pub mod keys;
pub mod receipt;
pub mod remains;

pub use audit::{AuditRow, ChainHash, sha256_hex, to_microseconds};
pub use chain::{AuditLine, AuditSummary, ChainCheck, ChainError, verify_chain};
pub use envelope::{Envelope, EnvelopeError, Signed};
pub use keys::{KeyError, PublicKey, SigningKey};
pub use receipt::{Outcome, Receipt, RuleResult};
