//! Owns what a receipt says of the old values that are still somewhere: fixed, honest sentences, with figures where
//! something was measured.

use std::fmt::Write as _;

/// What was measured when the run ended; everything may be unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Tables that the run changed.
    pub tables: Vec<TableFacts>,
    /// Oldest transaction that any snapshot, prepared transaction or slot still holds back, as `age(xmin)`.
    pub oldest_xmin_age: Option<u64>,
    /// Bytes in `pg_wal`.
    pub wal_bytes: Option<u64>,
    /// Megabytes of `wal_keep_size`.
    pub wal_keep_mb: Option<u64>,
    /// Whether WAL is archived (`archive_mode`).
    pub archives: Option<bool>,
    /// Replication slots.
    pub slots: Option<Vec<SlotFacts>>,
    /// Standbys that are connected.
    pub standbys: Option<u64>,
    /// Tables that were partitions and are kept after they were detached (`schema.name`).
    pub detached: Vec<String>,
    /// Whether a rule replaced values by an HMAC.
    pub pseudonymised: bool,
}

/// A table that the run changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFacts {
    /// `schema.name`.
    pub table: String,
    /// `n_dead_tup` of `pg_stat_user_tables`, an estimate.
    pub dead_rows: Option<u64>,
}

/// A replication slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotFacts {
    /// Its name.
    pub name: String,
    /// Whether somebody reads from it.
    pub active: bool,
    /// `wal_status`: reserved, extended, unreserved, lost.
    pub wal_status: Option<String>,
    /// WAL that it keeps, in bytes.
    pub keeps_bytes: Option<u64>,
}

/// The sentences. Those that every database must be told are always there, measured or not.
pub fn sentences(facts: &Facts) -> Vec<String> {
    let mut said = vec![vacuum(facts)];
    if let Some(age) = facts.oldest_xmin_age {
        said.push(format!(
            "VACUUM cannot remove row versions that the oldest snapshot, prepared transaction or slot may still need; it is \
             {age} transactions old"
        ));
    }
    said.push(wal(facts));
    for slot in facts.slots.iter().flatten() {
        said.push(slot_sentence(slot));
    }
    said.push(match facts.archives {
        Some(true) => {
            "WAL is archived (archive_mode is on): the archive holds the old values until its files expire".to_owned()
        }
        Some(false) => {
            "PostgreSQL archives no WAL (archive_mode is off); a program that streams WAL may keep it nevertheless"
                .to_owned()
        }
        None => "a WAL archive, if there is one, holds the old values until its files expire".to_owned(),
    });
    said.push(match facts.standbys {
        Some(0) => "no standby was connected; one that comes back holds the old values until it has replayed this run's WAL".to_owned(),
        Some(count) => format!("standbys connected: {count}; each holds the old values until it has replayed this run's WAL and vacuumed pages have been reused"),
        None => "standbys, if there are any, hold the old values until they have replayed this run's WAL".to_owned(),
    });
    said.push("backups, dumps and file system snapshots taken before this run hold the old values until they expire; a restore brings them back until the next run".to_owned());
    said.push(
        "logical replicas, exports and copies made outside this database are not touched and not known here".to_owned(),
    );
    if !facts.detached.is_empty() {
        said.push(format!(
            "partitions were detached, not deleted; their rows are all there, as tables of their own: {}",
            facts.detached.join(", ")
        ));
    }
    if facts.pseudonymised {
        said.push("columns set to an HMAC are pseudonymous, not anonymous: whoever has the key can test a value that they know".to_owned());
    }
    said
}

fn vacuum(facts: &Facts) -> String {
    let always = "deleted rows and the old versions of changed rows stay in pages of tables and indexes until VACUUM, and \
                  in free space of pages until it is reused";
    let measured: Vec<String> = facts
        .tables
        .iter()
        .filter_map(|table| Some(format!("{} {}", table.table, table.dead_rows?)))
        .collect();
    if measured.is_empty() {
        always.to_owned()
    } else {
        format!("{always}; dead rows by the server's estimate: {}", measured.join(", "))
    }
}

fn wal(facts: &Facts) -> String {
    let mut said = "the WAL holds old values until its segments are reused".to_owned();
    if let Some(bytes) = facts.wal_bytes {
        let _ = write!(said, "; pg_wal has {bytes} bytes");
    }
    if let Some(megabytes) = facts.wal_keep_mb {
        let _ = write!(said, "; wal_keep_size is {megabytes} MB");
    }
    if facts.slots.as_ref().is_some_and(Vec::is_empty) {
        said.push_str("; no replication slot keeps it longer");
    }
    said
}

fn slot_sentence(slot: &SlotFacts) -> String {
    let active = if slot.active { "active" } else { "inactive" };
    let mut said = format!("the replication slot {:?} ({active}", slot.name);
    if let Some(status) = &slot.wal_status {
        let _ = write!(said, ", {status}");
    }
    said.push_str(") keeps WAL");
    if let Some(bytes) = slot.keeps_bytes {
        let _ = write!(said, ": {bytes} bytes");
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_always_true_is_always_said() {
        for facts in [
            Facts::default(),
            Facts {
                archives: Some(false),
                standbys: Some(0),
                slots: Some(Vec::new()),
                ..Facts::default()
            },
        ] {
            let said = sentences(&facts).join("\n");
            for word in ["VACUUM", "WAL", "archive", "standby", "backups", "logical replicas"] {
                assert!(said.contains(word), "{word} is missing in {said}");
            }
        }
    }

    #[test]
    fn what_was_measured_is_said() {
        let said = sentences(&Facts {
            tables: vec![
                TableFacts {
                    table: "public.users".to_owned(),
                    dead_rows: Some(17),
                },
                TableFacts {
                    table: "public.unknown".to_owned(),
                    dead_rows: None,
                },
            ],
            oldest_xmin_age: Some(99),
            wal_bytes: Some(1024),
            wal_keep_mb: Some(64),
            archives: Some(true),
            slots: Some(vec![SlotFacts {
                name: "old\"one".to_owned(),
                active: false,
                wal_status: Some("extended".to_owned()),
                keeps_bytes: Some(4096),
            }]),
            standbys: Some(2),
            detached: vec!["public.log_2025".to_owned()],
            pseudonymised: true,
        })
        .join("\n");
        for part in [
            "estimate: public.users 17",
            "is 99 transactions old",
            "pg_wal has 1024 bytes",
            "wal_keep_size is 64 MB",
            "\"old\\\"one\" (inactive, extended) keeps WAL: 4096 bytes",
            "standbys connected: 2",
            "archive_mode is on",
            "public.log_2025",
            "pseudonymous",
        ] {
            assert!(said.contains(part), "{part} is missing in {said}");
        }
        assert!(!said.contains("public.unknown"));
    }
}
