//! MC's GraphQL: `publishEvidence` and `evidenceOk`, and every way in which their answer can be wrong.
//!
//! | file | owns |
//! |---|---|
//! | `syntax` | the part of the query language that clients of MC use: operations, variables, aliases, arguments |
//! | `schema` | which fields there are, and what may be selected of them |
//! | `execute` | a request in, `data` or `errors` out |
//! | `evidence` | what was published, and MC's budgets |
//! | `garble` | the faults that change an answer |
//! | `answer` | HTTP around it |

pub(crate) mod answer;
pub(crate) mod evidence;
mod execute;
mod garble;
mod schema;
mod syntax;
