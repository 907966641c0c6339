//! Owns what the engine knows of holds: the structure at one epoch. Values are compared by the statements themselves.

use crate::error::EngineError;
use pg_session::{DbError, Session, Sql};
use retention_plan::Relation;
use retention_plan::holds::{HoldError, HoldRules};
use retention_store::hold::{HeldColumn, Misprinted, Structure};
use retention_store::{gate, hold};
use std::collections::BTreeMap;

/// The rules, and the structure of the active holds at `epoch`.
#[derive(Debug)]
pub(crate) struct Holds {
    rules: HoldRules,
    known: Option<Known>,
    /// By their OIDs, tables that were partitions: the rules, which show tables as they are, do not know that they were.
    parts: BTreeMap<u32, Part>,
}

/// What was read.
#[derive(Debug)]
struct Known {
    epoch: i64,
    structure: Structure,
    /// A hold that can match no row: what it is to protect is not protected, so nothing may be touched.
    misprinted: Option<Misprinted>,
}

/// A table that was a partition.
#[derive(Debug)]
struct Part {
    relation: Relation,
    /// The OID of the table that the rules speak of.
    of: u32,
}

impl Holds {
    pub(crate) fn new(rules: HoldRules) -> Self {
        Self {
            rules,
            known: None,
            parts: BTreeMap::new(),
        }
    }

    /// The epoch that [`Holds::predicate`] speaks of.
    pub(crate) fn epoch(&self) -> Option<i64> {
        self.known.as_ref().map(|known| known.epoch)
    }

    /// The next batch reads again.
    pub(crate) fn forget(&mut self) {
        self.known = None;
    }

    /// Reads the structure, and once an epoch whether each value can match. The epoch is read first: a hold that comes in between is read too, or makes the next batch
    /// read again.
    pub(crate) async fn load(&mut self, session: &Session) -> Result<(), DbError> {
        let epoch = gate::peek(session).await?.holds_epoch;
        let structure = hold::structure(session).await?;
        let misprinted = if let Some(known) = self.known.take().filter(|known| known.epoch == epoch) {
            known.misprinted
        } else {
            let found = hold::misprinted(session, &structure, &self.rules.subject_columns()).await?;
            found.into_iter().next()
        };
        self.known = Some(Known {
            epoch,
            structure,
            misprinted,
        });
        Ok(())
    }

    /// Whether an active hold names the table itself. Dropped, it would leave the hold without a table, which stops
    /// every run.
    pub(crate) fn names(&self, relation: &Relation) -> bool {
        let known = self.known.as_ref();
        known.is_some_and(|known| {
            let mut columns = known.structure.columns.iter();
            columns.any(|held| held.schema == relation.schema && held.table == relation.name)
        })
    }

    /// `relation` was a partition of the table `of`: what holds rows there holds them here.
    pub(crate) fn part_of(&mut self, relation: &Relation, of: u32) {
        let relation = relation.clone();
        self.parts.insert(relation.oid, Part { relation, of });
    }

    /// The rules, and the structure that was loaded.
    pub(crate) fn parts(&self) -> (&HoldRules, Option<&Structure>) {
        (&self.rules, self.known.as_ref().map(|known| &known.structure))
    }

    /// True for held rows, over `t`; `None`: none can be.
    pub(crate) fn predicate(&self, oid: u32, deletes: bool) -> Result<Option<Sql>, EngineError> {
        let nothing = Structure::default();
        let active = self.known.as_ref().map_or(&nothing, |known| &known.structure);
        if let Some(hold) = self.known.as_ref().and_then(|known| known.misprinted.as_ref()) {
            return Err(EngineError::Holds(HoldError::Misprinted(Box::new(hold.clone()))));
        }
        let part = self.parts.get(&oid);
        let mut held = self
            .rules
            .predicate(part.map_or(oid, |part| part.of), deletes, active)
            .map_err(EngineError::Holds)?;
        let Some(Part { relation, of }) = part else {
            return Ok(held);
        };
        // What is said of the table by its own name.
        let of_it = |column: &&HeldColumn| column.schema == relation.schema && column.table == relation.name;
        for column in active.columns.iter().filter(of_it) {
            let own = self.rules.by_name(column, *of);
            held = Some(match held {
                None => own,
                Some(held) => Sql::text("(").append(&held).raw(" OR ").append(&own).raw(")"),
            });
        }
        Ok(held)
    }
}
