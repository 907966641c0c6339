//! Whatever is changed in a proof is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod chains;
mod ledger;
mod receipts;
mod support;
