//! Owns what the engine knows of holds: the structure at one epoch. Values are compared by the statements themselves.

use crate::error::EngineError;
use pg_session::{DbError, Session, Sql};
use retention_plan::Relation;
use retention_plan::holds::HoldRules;
use retention_store::hold::Structure;
use retention_store::{gate, hold};

/// The rules, and the structure of the active holds at `epoch`.
#[derive(Debug)]
pub(crate) struct Holds {
    rules: HoldRules,
    known: Option<(i64, Structure)>,
}

impl Holds {
    pub(crate) fn new(rules: HoldRules) -> Self {
        Self { rules, known: None }
    }

    /// The epoch that [`Holds::predicate`] speaks of.
    pub(crate) fn epoch(&self) -> Option<i64> {
        self.known.as_ref().map(|(epoch, _)| *epoch)
    }

    /// The next batch reads again.
    pub(crate) fn forget(&mut self) {
        self.known = None;
    }

    /// Reads the structure. The epoch is read first: a hold that comes in between is read too, or makes the next batch
    /// read again.
    pub(crate) async fn load(&mut self, session: &Session) -> Result<(), DbError> {
        let epoch = gate::peek(session).await?.holds_epoch;
        let structure = hold::structure(session).await?;
        self.known = Some((epoch, structure));
        Ok(())
    }

    /// Whether an active hold names the table itself. Dropped, it would leave the hold without a table, which stops
    /// every run.
    pub(crate) fn names(&self, relation: &Relation) -> bool {
        let known = self.known.as_ref();
        known.is_some_and(|(_, structure)| {
            let mut columns = structure.columns.iter();
            columns.any(|held| held.schema == relation.schema && held.table == relation.name)
        })
    }

    /// True for held rows, over `t`; `None`: none can be.
    pub(crate) fn predicate(&self, oid: u32, deletes: bool) -> Result<Option<Sql>, EngineError> {
        let nothing = Structure::default();
        let active = self.known.as_ref().map_or(&nothing, |(_, structure)| structure);
        self.rules.predicate(oid, deletes, active).map_err(EngineError::Holds)
    }
}
