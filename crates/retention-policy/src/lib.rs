//! What is to be deleted, anonymised or detached, and when: the policy, read and checked, without a database.
//!
//! ```text
//! bytes --> tree --> document --> Policy --> checked
//!           (JSON    (as it is    (as it is
//!           or YAML)  written)     meant)
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`policy`] | the types: [`Policy`], [`Rule`], [`Erasure`] |
//! | [`mod@read`] | bytes become a [`LoadedPolicy`]: formats, limits, digest |
//! | `document` | the document as it is written, and its JSON Schema |
//! | [`mod@check`] | what a policy must satisfy, whoever made it |
//! | [`builtin`] | the rules for those who have no policy file, and `RETENTION_DAYS` |
//! | [`mod@cutoff`] | the one formula from a term to a point in time |
//! | [`error`] | every way in which a policy is refused |

pub mod builtin;
pub mod check;
pub mod cutoff;
mod document;
pub mod error;
pub mod policy;
pub mod read;
mod text;

pub use builtin::{RetentionDays, RetentionDaysError};
pub use check::check;
pub use cutoff::{AsOfError, CutoffError, check_as_of, cutoff};
pub use document::{canonical, schema};
pub use error::{Mistake, PolicyError};
pub use policy::{
    Action, Age, Condition, Erasure, ErasureAction, ErasureTable, Guards, OnChildren, Op, Policy, Reach, Rule, Scalar,
    SubjectTable, TableName, Term, Transform, Unit,
};
pub use read::{Format, LoadedPolicy, PolicySource, read};
