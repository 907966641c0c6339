//! Owns the ledger of erased subjects as a run uses it: outside the governed database, in a file or in a second database.
//! An entry is an obligation: it is durable before the subject's first row is touched.

use jiff::Timestamp;
use pg_session::{DbError, Session, Sql};
use retention_proof::{ChainHash, Entry, EntryError, LedgerError, LedgerFile, LedgerKey, SubjectMac, Tip};
use retention_store::erasure::LedgerPosition;
use std::collections::HashMap;
use std::path::Path;

/// Entries that are read at once.
const PAGE: u32 = 5000;

/// Why the ledger cannot be used. Nothing is erased without it once one is named.
#[derive(Debug, thiserror::Error)]
pub enum LedgerFailure {
    /// The file.
    #[error(transparent)]
    File(#[from] LedgerError),
    /// The second database.
    #[error("cannot use the ledger's database")]
    Database(#[from] DbError),
    /// An entry of the second database is not as it was written.
    #[error("the ledger's entry {seq} is damaged")]
    Damaged {
        /// Its number.
        seq: u64,
        /// How.
        #[source]
        source: EntryError,
    },
    /// The governed database has carried out more than the ledger says, or something else.
    #[error(
        "the ledger is not the one that this database was erased by: the database has carried out entry {seq}, which the \
         ledger {found}; expected the same ledger or a longer one"
    )]
    Another {
        /// The database's position.
        seq: u64,
        /// `does not have`, `has with another link`.
        found: &'static str,
    },
    /// The ledger would go back in time together with what it protects.
    #[error(
        "the ledger is in the governed database itself, so a restored backup would take it along; expected another database or a file"
    )]
    SameDatabase,
}

#[derive(Debug)]
enum Place {
    // Both are large.
    File(Box<LedgerFile>),
    Database(Box<Session>),
}

/// A ledger that is open.
#[derive(Debug)]
pub struct Ledger {
    key: LedgerKey,
    place: Place,
    tip: Tip,
    /// Subjects and their last entries.
    known: HashMap<[u8; 32], u64>,
    /// What the governed database has carried out.
    carried_out: u64,
}

impl Ledger {
    /// Opens a ledger in a file; `position` is what the governed database has carried out.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or is another ledger.
    pub fn file(path: &Path, key: LedgerKey, position: Option<&LedgerPosition>) -> Result<Self, LedgerFailure> {
        let (file, torn) = LedgerFile::open(path, &key)?;
        if let Some(torn) = torn {
            tracing::warn!(
                bytes = torn.bytes,
                "the ledger ended in half an entry of a killed writer; it is cut off"
            );
        }
        let mut reading = Reading::new(position);
        for entry in file.entries(0)? {
            reading.take(&entry?);
        }
        let tip = file.tip();
        reading.finish(key, Place::File(Box::new(file)), tip)
    }

    /// Opens a ledger in a second database, and makes its table if it is not there.
    ///
    /// # Errors
    /// As [`Self::file`], and [`LedgerFailure::SameDatabase`].
    pub async fn database(
        session: Session,
        governed: &Session,
        key: LedgerKey,
        position: Option<&LedgerPosition>,
    ) -> Result<Self, LedgerFailure> {
        if identity(&session).await? == identity(governed).await? {
            return Err(LedgerFailure::SameDatabase);
        }
        session
            .batch(
                "CREATE SCHEMA IF NOT EXISTS retention_ledger; CREATE TABLE IF NOT EXISTS retention_ledger.entry \
                 (seq bigint PRIMARY KEY, line text NOT NULL)",
            )
            .await?;
        let mut reading = Reading::new(position);
        let mut tip = Tip::start(&key);
        loop {
            let page = session
                .query(&Sql::text(format!(
                    "SELECT e.seq, e.line FROM retention_ledger.entry AS e WHERE e.seq > {} ORDER BY e.seq LIMIT {PAGE}",
                    tip.seq
                )))
                .await?;
            if page.is_empty() {
                break;
            }
            for row in &page {
                let line: String = row.try_get(1).map_err(DbError::from)?;
                let damaged = |source| LedgerFailure::Damaged {
                    seq: tip.seq + 1,
                    source,
                };
                let entry = Entry::parse(&line).map_err(damaged)?;
                tip = tip.after(&key, &entry).map_err(damaged)?;
                reading.take(&entry);
            }
        }
        reading.finish(key, Place::Database(Box::new(session)), tip)
    }

    /// The MAC of a subject's key.
    pub fn mac(&self, subject: &str) -> SubjectMac {
        self.key.mac(subject)
    }

    /// Whether the governed database has carried out less than the ledger says: it came from an old backup, or a run was
    /// killed.
    pub fn is_ahead(&self) -> bool {
        self.carried_out < self.tip.seq
    }

    /// Whether the ledger wants this subject erased, and the governed database may not have done it.
    pub fn wants_again(&self, subject: &str) -> bool {
        self.known
            .get(&self.mac(subject).0)
            .is_some_and(|seq| *seq > self.carried_out)
    }

    /// The position of the governed database once everything up to now is carried out.
    pub fn position(&self) -> LedgerPosition {
        LedgerPosition {
            seq: self.tip.seq,
            link: self.tip.link.to_hex(),
        }
    }

    /// Writes down the subjects that are not in it yet; durable when it returns. `again`: also those that are, if this
    /// database has carried them out already: they came back, and must go once more after a restore from before.
    ///
    /// # Errors
    /// It cannot be written. Nothing may then be erased.
    pub async fn remember(&mut self, subjects: &[String], again: bool, at: Timestamp) -> Result<(), LedgerFailure> {
        let carried_out = self.carried_out;
        let wanted = |known: Option<&u64>| known.is_none_or(|seq| again && *seq <= carried_out);
        let mut new: Vec<SubjectMac> = Vec::new();
        for subject in subjects {
            let mac = self.mac(subject);
            if wanted(self.known.get(&mac.0)) && !new.contains(&mac) {
                new.push(mac);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let written = match &mut self.place {
            Place::File(file) => file.append(&new, at).map_err(LedgerFailure::from),
            Place::Database(session) => append(session, &self.key, self.tip, &new, at).await,
        };
        let tip = written?;
        for (mac, seq) in new.iter().zip(self.tip.seq + 1..) {
            self.known.insert(mac.0, seq);
        }
        self.tip = tip;
        Ok(())
    }
}

struct Reading<'a> {
    position: Option<&'a LedgerPosition>,
    known: HashMap<[u8; 32], u64>,
    link: Option<ChainHash>,
}

impl<'a> Reading<'a> {
    fn new(position: Option<&'a LedgerPosition>) -> Self {
        Self {
            position,
            known: HashMap::new(),
            link: None,
        }
    }

    fn take(&mut self, entry: &Entry) {
        // The last entry of a subject is the obligation that counts.
        self.known.insert(entry.subject.0, entry.seq);
        if self.position.is_some_and(|position| position.seq == entry.seq) {
            self.link = Some(entry.link);
        }
    }

    fn finish(self, key: LedgerKey, place: Place, tip: Tip) -> Result<Ledger, LedgerFailure> {
        let carried_out = match self.position {
            None => 0,
            // An empty ledger's tip has no entry.
            Some(position) if position.seq == 0 => 0,
            Some(position) => match self.link {
                None => {
                    return Err(LedgerFailure::Another {
                        seq: position.seq,
                        found: "does not have",
                    });
                }
                Some(link) if link.to_hex() != position.link => {
                    return Err(LedgerFailure::Another {
                        seq: position.seq,
                        found: "has with another link",
                    });
                }
                Some(_) => position.seq,
            },
        };
        Ok(Ledger {
            key,
            place,
            tip,
            known: self.known,
            carried_out,
        })
    }
}

async fn append(
    session: &Session,
    key: &LedgerKey,
    tip: Tip,
    subjects: &[SubjectMac],
    at: Timestamp,
) -> Result<Tip, LedgerFailure> {
    session
        .batch("BEGIN; SET LOCAL synchronous_commit = on; LOCK TABLE retention_ledger.entry IN EXCLUSIVE MODE")
        .await?;
    match append_in(session, key, tip, subjects, at).await {
        Ok(tip) => {
            session.batch("COMMIT").await?;
            Ok(tip)
        }
        Err(error) => {
            session.rollback().await?;
            Err(error)
        }
    }
}

/// The primary key keeps a second writer from continuing the same tip.
async fn append_in(
    session: &Session,
    key: &LedgerKey,
    mut tip: Tip,
    subjects: &[SubjectMac],
    at: Timestamp,
) -> Result<Tip, LedgerFailure> {
    for subject in subjects {
        let entry = tip.next(key, *subject, at);
        session
            .execute(
                &Sql::text("INSERT INTO retention_ledger.entry (seq, line) VALUES (")
                    .param(entry.seq.to_string(), "bigint")
                    .raw(", ")
                    .param(entry.to_line().trim_end(), "text")
                    .raw(")"),
            )
            .await?;
        tip = Tip {
            seq: entry.seq,
            link: entry.link,
        };
    }
    Ok(tip)
}

/// Two sessions with the same answer are in the same database of the same server.
async fn identity(session: &Session) -> Result<(String, String), DbError> {
    let row = session
        .one(&Sql::text(
            "SELECT pg_catalog.current_database()::pg_catalog.text, pg_catalog.pg_postmaster_start_time()::pg_catalog.text",
        ))
        .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Whether both sessions are in the same cluster: whoever restores it restores both.
///
/// When a server was started, to the microsecond, is its own; everybody may ask for it. Addresses have many spellings, and
/// clusters that are copies of one another have the same system identifier.
///
/// # Errors
/// One of them cannot be asked.
pub async fn same_cluster(ledger: &Session, governed: &Session) -> Result<bool, DbError> {
    Ok(identity(ledger).await?.1 == identity(governed).await?.1)
}
