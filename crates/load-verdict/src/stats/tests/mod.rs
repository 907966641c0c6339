//! Tests of the statistics: against tables of other programs, by properties, and by simulation with fixed seeds.

mod comparison;
mod coverage;
mod properties;
mod sequential;
mod tables;
pub(crate) mod traces;
