//! A policy held against a real catalog: what will be done to which rows, how, and whether it may be.
//!
//! ```text
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`catalog`] | the picture of the database that everything else is computed from |
//! | [`guards`] | what stops a run until somebody has looked |
//! | [`holds`] | SQL that is true for a row that must not be touched |
//! | [`strategy`] | how a leaf's rows are found and taken, and why so |

pub mod catalog;
#[cfg(test)]
mod fixture;
pub mod guards;
pub mod holds;
pub mod model;
pub mod strategy;

pub use model::{Column, Leaf, Relation, Strategy, Task, TaskKind, Work};
