//! What proves a run: audit rows in a hash chain, signed receipts, the ledger of erased subjects. No database, no
//! network.
//!
//! | module | owns |
//! |---|---|
//! | [`audit`] | [`AuditRow`] and the chain over the rows of a run |
//! | [`chain`] | [`AuditLine`], and how a chain is checked against the receipt |
//! | [`receipt`] | [`Receipt`]: what a run says it did |

pub mod audit;
pub mod chain;
pub mod receipt;

pub use audit::{AuditRow, ChainHash, sha256_hex, to_microseconds};
pub use chain::{AuditLine, AuditSummary, ChainCheck, ChainError, verify_chain};
pub use receipt::{Outcome, Receipt, RuleResult};
