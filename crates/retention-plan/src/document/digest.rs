//! Owns the plan's digest: what somebody who has looked at a plan gives back, so that exactly that is done.

use super::Plan;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Hex digits of the hash.
const HEX: usize = 32;

/// Why a text is no digest of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is no digest of a plan; expected seconds since 1970, a dash and {HEX} hex digits, as `retention-job plan` \
     prints them"
)]
pub struct DigestError {
    /// What was given.
    pub given: String,
}

/// `<as_of as unix seconds>-<first 32 hex digits of SHA-256>`.
///
/// Hashed is a JSON array, so no order of keys matters: the policy's digest, the database, the moment, and of each task what
/// is done to what, and to about how many rows, and about how many subjects are forgotten. Times count in seconds. How it is done (strategies, estimates) may change
/// from one minute to the next and is not part of it.
pub(super) fn of(plan: &Plan) -> String {
    let mut tasks: Vec<serde_json::Value> = plan
        .tasks
        .iter()
        .map(|task| {
            serde_json::json!([
                task.rule,
                task.table.oid,
                task.table.schema,
                task.table.name,
                task.action,
                task.columns,
                task.cutoff.map(seconds),
                task.at_most,
            ])
        })
        .collect();
    // Shorter than a task, so it is none.
    tasks.extend(plan.erasure.as_ref().map(|erasure| {
        serde_json::json!([
            erasure.subject.oid,
            erasure.subject.schema,
            erasure.subject.name,
            erasure.key,
            erasure.at_most,
        ])
    }));
    // Not their messages: figures in them move.
    let mut guards: Vec<_> = plan
        .guards
        .iter()
        .map(|tripped| (tripped.guard, &tripped.rule))
        .collect();
    guards.sort();
    let whole = serde_json::json!([
        plan.format,
        plan.policy_digest,
        plan.database.system_identifier,
        plan.database.oid,
        seconds(plan.as_of),
        tasks,
        guards,
    ]);
    let hash = hex::encode(Sha256::digest(whole.to_string().as_bytes()));
    format!("{}-{}", seconds(plan.as_of), &hash[..HEX])
}

/// The moment that a digest's plan was made for: ages are to be counted from there again.
///
/// # Errors
/// It is no digest.
pub fn parse_digest(text: &str) -> Result<Timestamp, DigestError> {
    let wrong = || DigestError { given: text.to_owned() };
    // From the right: seconds before 1970 begin with a dash.
    let (moment, hash) = text.rsplit_once('-').ok_or_else(wrong)?;
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if hash.len() != HEX || !hash.bytes().all(lower_hex) {
        return Err(wrong());
    }
    let number: i64 = moment.parse().map_err(|_| wrong())?;
    if number.to_string() != moment {
        return Err(wrong());
    }
    Timestamp::from_second(number).map_err(|_| wrong())
}

/// A moment without its fraction of a second: a digest keeps seconds only, and a plan must be the same when it is made
/// from its digest's.
pub fn whole_seconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(seconds(moment)).unwrap_or(moment)
}

/// Towards the past, before 1970 too.
fn seconds(moment: Timestamp) -> i64 {
    moment.as_microsecond().div_euclid(1_000_000)
}

/// Up to two significant digits: 1 234 567 becomes 1 300 000. Rows that come in between do not make another plan, and
/// "about so many" is what somebody who looked has agreed to.
pub fn round_up(rows: u64) -> u64 {
    let mut unit = 1_u64;
    while rows / unit >= 100 {
        unit *= 10;
    }
    rows.div_ceil(unit).saturating_mul(unit)
}
