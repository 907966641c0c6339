//! Owns what the server says beyond the catalog's picture. Made by hand in tests.

use retention_store::hold::Misprinted;
use std::collections::{BTreeMap, BTreeSet};

/// What the server says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Settings by name; what does not exist in this version is left out.
    pub settings: BTreeMap<String, String>,
    /// We are superuser, or have `pg_read_all_stats`: nothing is hidden from us.
    pub sees_all: bool,
    /// We may `SET log_parameter_max_length`.
    pub may_silence: bool,
    /// Replication slots.
    pub slots: Vec<Slot>,
    /// Standbys.
    pub standbys: Vec<Standby>,
    /// Sessions with a snapshot, the oldest first, without our own.
    pub snapshots: Vec<Snapshot>,
    /// Prepared transactions of this database.
    pub prepared: Vec<Prepared>,
    /// Tables that VACUUM works on, by OID, with its phase.
    pub vacuums: BTreeMap<u32, String>,
    /// Tables with `autovacuum_enabled = off`.
    pub no_autovacuum: BTreeSet<u32>,
    /// Tables without a replica identity that are published with deletes (`.0`) or updates (`.1`).
    pub unidentified: BTreeMap<u32, Published>,
    /// Active holds whose value is in a form that matches no row.
    pub misprinted: Vec<Misprinted>,
    /// The tool's own schema.
    pub layout: LayoutState,
}

impl Facts {
    /// A setting; `None`: this version has it not.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }
}

/// A table that is published, but whose changed rows cannot be named to subscribers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Published {
    /// A publication that publishes deletes.
    pub deletes: Option<String>,
    /// A publication that publishes updates.
    pub updates: Option<String>,
}

/// A replication slot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// Somebody reads it.
    pub active: bool,
    /// `reserved`, `extended`, `unreserved`, `lost`.
    pub wal_status: Option<String>,
    /// Transactions since its `xmin`; `None`: it holds none.
    pub xmin_age: Option<i64>,
    /// Bytes of WAL that it keeps.
    pub kept_bytes: Option<i64>,
}

/// A standby.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standby {
    /// Its name.
    pub name: String,
    /// Bytes that it has not replayed; `None`: we may not know.
    pub lag_bytes: Option<i64>,
    /// Seconds.
    pub lag_seconds: Option<f64>,
}

/// A session with a snapshot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The server's process.
    pub pid: i32,
    /// What it calls itself.
    pub application: String,
    /// Its user.
    pub user: String,
    /// `idle in transaction`, ...; `None`: we may not know.
    pub state: Option<String>,
    /// Seconds since its transaction began; `None`: we may not know.
    pub seconds: Option<f64>,
    /// Transactions since.
    pub xmin_age: i64,
}

/// A prepared transaction.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prepared {
    /// Its name.
    pub gid: String,
    /// Seconds since.
    pub seconds: f64,
}

/// The tool's own schema.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LayoutState {
    /// It is there and can be used.
    #[default]
    Ready,
    /// It is not there; we may make it.
    Absent,
    /// It is not there, and we may not make it; or it cannot be used: why.
    Unusable(String),
}
