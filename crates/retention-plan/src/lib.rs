//! A policy held against a real catalog: what will be done to which rows, how, and whether it may be.
//!
//! ```text
//! Policy + catalog -> (resolve) Resolved -> (preflight, count) Survey -> (strategy, guards) Plan -> digest
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`catalog`] | the picture of the database that everything else is computed from |
//! | [`document`] | the plan for people, programs and `apply --plan` |
//! | [`estimate`] | about how much WAL and time |
//! | [`guards`] | what stops a run until somebody has looked |
//! | [`holds`] | SQL that is true for a row that must not be touched |
//! | [`model`] | the types of a resolved policy: [`Task`], [`Leaf`], [`Work`] |
//! | [`preflight`] | what stands against a run, or is worth knowing before it |
//! | [`resolve`] | a policy and the catalog make tasks, or everything that is wrong is told |
//! | [`strategy`] | how a leaf's rows are found and taken, and why so |
//! | [`survey`] | counts, without changing anything |

pub mod catalog;
pub mod document;
pub mod estimate;
#[cfg(test)]
mod fixture;
pub mod guards;
pub mod holds;
pub mod model;
pub mod preflight;
pub mod resolve;
pub mod strategy;
pub mod survey;

pub use model::{Column, Leaf, Relation, Strategy, Task, TaskKind, Work};
