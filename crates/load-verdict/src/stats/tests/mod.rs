//! Tests of the statistics: against tables of other programs, by properties, and by simulation with fixed seeds.

// Counts are made from shares, exact results are compared exactly, and tables keep the digits that they came with.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::excessive_precision,
    clippy::float_cmp
)]

mod comparison;
mod coverage;
mod properties;
mod sequential;
mod tables;
pub(crate) mod traces;
