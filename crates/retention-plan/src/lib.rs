//! A policy held against a real catalog: what will be done to which rows, how, and whether it may be.
//!
//! ```text
//! Policy + catalog -> (resolve) Resolved -> (preflight, count) Survey -> (strategy, guards) Plan -> digest
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`catalog`] | the picture of the database that everything else is computed from |
//! | [`model`] | the types of a resolved policy: [`Task`], [`Leaf`], [`Work`] |
//! | [`resolve`] | a policy and the catalog make tasks, or everything that is wrong is told |

pub mod catalog;
pub mod model;
pub mod resolve;

pub use model::{Column, Leaf, Relation, Strategy, Task, TaskKind, Work};
