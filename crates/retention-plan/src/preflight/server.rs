//! Owns what follows from the state of the server. Pure.

use super::facts::{Facts, LayoutState};
use super::{Finding, Severity, Subject};

/// A transaction that began so long ago is old.
const OLD_SECONDS: f64 = 60.0;
/// Where its age in seconds is hidden, or a slot holds it: so many transactions.
const OLD_TRANSACTIONS: i64 = 10_000;
const LAG_BYTES: i64 = 64 << 20;
const LAG_SECONDS: f64 = 10.0;
const MIB: i64 = 1 << 20;

pub(super) fn findings(subject: &Subject<'_>, facts: &Facts) -> Vec<Finding> {
    let mut found = standing(subject, facts);
    for who in horizon(facts) {
        found.push(Finding::new(
            Severity::Warning,
            "old-snapshot",
            who.clone(),
            format!(
                "{who} keeps dead rows from being removed: tables stay as large as they are, and passes for HOT gain nothing; \
                 end it, or run when it has ended"
            ),
        ));
    }
    for slot in &facts.slots {
        if let Some(status @ ("lost" | "unreserved")) = slot.wal_status.as_deref() {
            found.push(Finding::new(
                Severity::Warning,
                "slot-wal",
                &slot.name,
                format!(
                    "the WAL of replication slot {:?} is {status}: its reader {}; repair or drop the slot",
                    slot.name,
                    if status == "lost" {
                        "cannot go on"
                    } else {
                        "will be lost when this run writes more WAL"
                    }
                ),
            ));
        } else if !slot.active && slot.kept_bytes.is_some_and(|bytes| bytes > LAG_BYTES) {
            found.push(Finding::new(
                Severity::Warning,
                "slot-inactive",
                &slot.name,
                format!(
                    "nobody reads replication slot {:?}, which keeps {} MiB of WAL; this run adds to them",
                    slot.name,
                    slot.kept_bytes.unwrap_or(0) / MIB
                ),
            ));
        }
    }
    for standby in &facts.standbys {
        let far = standby.lag_bytes.is_some_and(|bytes| bytes > LAG_BYTES);
        if far || standby.lag_seconds.is_some_and(|seconds| seconds > LAG_SECONDS) {
            found.push(Finding::new(
                Severity::Warning,
                "standby-lag",
                &standby.name,
                format!(
                    "standby {:?} is {} MiB and {:.0} s behind; the run will wait for it",
                    standby.name,
                    standby.lag_bytes.unwrap_or(0) / MIB,
                    standby.lag_seconds.unwrap_or(0.0)
                ),
            ));
        }
    }
    if facts.setting("autovacuum") == Some("off") {
        found.push(Finding::new(
            Severity::Warning,
            "autovacuum-off",
            "autovacuum",
            "autovacuum is off: deleted and overwritten values stay in the files until somebody runs VACUUM",
        ));
    }
    found
}

/// Whether this is a server to work on at all, and whether it tells us what we need.
fn standing(subject: &Subject<'_>, facts: &Facts) -> Vec<Finding> {
    let server = &subject.catalog.server;
    let refused = |code, object: &str, message: String| Finding::new(Severity::Refused, code, object, message);
    let mut found = Vec::new();
    if server.version_num < 140_000 {
        found.push(refused(
            "server-version",
            &server.version,
            format!("the server is PostgreSQL {}; 14 or newer is needed", server.version),
        ));
    }
    if server.in_recovery {
        found.push(refused(
            "standby",
            &server.database,
            "the server is a standby, which cannot be written to; give DATABASE_URL of the primary".to_owned(),
        ));
    } else if server.read_only {
        found.push(refused(
            "read-only",
            &server.database,
            "transactions are read-only here (default_transaction_read_only); let them be written for this role"
                .to_owned(),
        ));
    }
    match &facts.layout {
        LayoutState::Ready => {}
        LayoutState::Absent => found.push(Finding::new(
            Severity::Note,
            "schema-absent",
            "retention",
            "the schema retention is not there yet; the run makes it",
        )),
        LayoutState::Unusable(why) => found.push(refused("schema", "retention", why.clone())),
    }
    if !facts.sees_all {
        found.push(Finding::new(
            Severity::Note,
            "blind",
            &server.user,
            format!(
                "{} may not see other sessions' state: how far standbys lag (pg_stat_replication), whether VACUUM is at work and \
                 who still sees old rows is not known, and the run cannot make room for them; GRANT pg_monitor TO {} to \
                 change that",
                server.user,
                pg_session::quote_ident(&server.user)
            ),
        ));
    }
    found
}

/// Who keeps dead rows from being removed.
pub(super) fn horizon(facts: &Facts) -> Vec<String> {
    let mut who = Vec::new();
    for session in &facts.snapshots {
        let old = match session.seconds {
            Some(seconds) => seconds >= OLD_SECONDS,
            None => session.xmin_age >= OLD_TRANSACTIONS,
        };
        if old {
            let since = session
                .seconds
                .map_or_else(|| format!("{} transactions", session.xmin_age), |s| format!("{s:.0} s"));
            let state = session.state.as_deref().unwrap_or("state hidden");
            who.push(format!(
                "server process {} ({:?}, user {:?}, {state}, for {since})",
                session.pid, session.application, session.user
            ));
        }
    }
    for prepared in facts.prepared.iter().filter(|prepared| prepared.seconds >= OLD_SECONDS) {
        who.push(format!(
            "prepared transaction {:?} (for {:.0} s)",
            prepared.gid, prepared.seconds
        ));
    }
    for slot in &facts.slots {
        if let Some(age) = slot.xmin_age.filter(|age| *age >= OLD_TRANSACTIONS) {
            who.push(format!("replication slot {:?} (for {age} transactions)", slot.name));
        }
    }
    who
}
