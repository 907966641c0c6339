//! What is to be deleted, anonymised or detached, and when: the policy, read and checked, without a database.
//!
//! | module | owns |
//! |---|---|
//! | [`policy`] | the types: [`Policy`], [`Rule`], [`Erasure`] |
//! | [`cutoff`] | the one formula from a term to a point in time |

pub mod cutoff;
pub mod policy;

pub use cutoff::{CutoffError, cutoff};
pub use policy::{
    Action, Age, Condition, Erasure, ErasureAction, ErasureTable, Guards, OnChildren, Op, Policy, Reach, Rule, Scalar,
    SubjectTable, TableName, Term, Transform, Unit,
};
