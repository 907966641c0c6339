//! May this release of this service go on? MC's word on it, asked for until a deadline, and nothing but its word: a pass
//! is an answer that is right to the letter, fresh as far as that can be known, and says `ok`. Everything else is one of
//! the ways of not passing.
//!
//! | file | owns |
//! |---|---|
//! | `ask` | the loop: ask, judge, wait, ask again; ends by verdict, deadline or signal |
//! | `pace` | when to ask again, and when not any more |
//! | `judge` | what one answer, or its lack, comes to |
//! | `age` | how old a snapshot is, as far as its window says |
//! | `setup` | a check, made of the command line |
//! | `subject` | which release and service can be asked about at all |
//! | `outcome` | the result as documents and people see it |

mod age;
mod ask;
mod judge;
mod outcome;
mod pace;
mod setup;
mod subject;
#[cfg(test)]
mod tests;

pub(crate) use ask::{Options, check};
pub(crate) use outcome::EvidenceResult;
pub(crate) use pace::SHORTEST_INTERVAL;
pub(crate) use subject::Subject;
