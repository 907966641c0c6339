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
//! | [`ledger`] | the ledger of erased subjects: MACs, entries, the chain |
//! | [`ledger_file`] | the ledger in a file |
//! | [`envelope`] | [`Envelope`]: a receipt, signed |
//! | [`findings`] | [`Finding`], [`Report`]: what a verification says |
//! | [`verify`] | [`Verifier`]: receipts and audit rows, offline; findings, what is proved and what is not |
//! | [`verify_files`] | the same for a folder or a file |

pub mod audit;
pub mod chain;
pub mod envelope;
pub mod findings;
pub mod keys;
pub mod ledger;
pub mod ledger_file;
pub mod receipt;
pub mod remains;
pub mod verify;
pub mod verify_files;

pub use audit::{AuditRow, ChainHash, sha256_hex, to_microseconds};
pub use chain::{AuditLine, AuditSummary, ChainCheck, ChainError, verify_chain};
pub use envelope::{Envelope, EnvelopeError, Signed};
pub use findings::{Finding, Report, What};
pub use keys::{KeyError, PublicKey, SigningKey};
pub use ledger::{Entry, EntryError, LedgerKey, SubjectMac, Tip};
pub use ledger_file::{LedgerError, LedgerFile};
pub use receipt::{Outcome, Receipt, RuleResult};
pub use verify::Verifier;
pub use verify_files::verify_path;
