//! What proves a run: audit rows in a hash chain, signed receipts, the ledger of erased subjects. No database, no
//! network.
//!
//! | module | owns |
//! |---|---|
//! | [`audit`] | [`AuditRow`] and the chain over the rows of a run |
//! | [`receipt`] | [`Receipt`]: what a run says it did |

pub mod audit;
pub mod receipt;

pub use audit::{AuditRow, ChainHash};
pub use receipt::{Outcome, Receipt, RuleResult};
