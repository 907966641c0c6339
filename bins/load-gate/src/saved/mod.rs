//! Saved results: reading, judging again, merging, comparing. Decisions are pure; the commands read and write.
//!
//! | module | owns |
//! |---|---|
//! | [`file`](self::file) | reading a result, writing what is rendered from it |
//! | [`rejudge`] | other thresholds on the same figures |
//! | [`merge`] | several pods, one verdict |
//! | [`limit`] | `p(95)>+10%`: how large a change may be |
//! | [`compare`] | two results, and the limits on the change |

pub(crate) mod compare;
pub(crate) mod file;
pub(crate) mod limit;
pub(crate) mod merge;
pub(crate) mod rejudge;

#[cfg(test)]
pub(crate) mod samples;
