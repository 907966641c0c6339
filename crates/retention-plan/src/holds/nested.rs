//! Owns the form for few ways and no circles: `EXISTS` within `EXISTS`.

use super::closure::{Live, or};
use super::graph::{Edge, Step};
use super::own::{of_rows, terms};
use super::{HoldError, HoldRules};
use crate::catalog::Table;
use pg_session::{Sql, quote_ident};
use retention_store::hold::Structure;

/// So many looks into other tables are the most for this form.
const LOOKS: usize = 24;

/// Why it goes no further.
enum Stop {
    /// Too many ways, or a circle: the other form is for that.
    Complex,
    /// No form can help.
    Error(HoldError),
}

impl From<HoldError> for Stop {
    fn from(error: HoldError) -> Self {
        Self::Error(error)
    }
}

pub(super) struct Nested<'a> {
    rules: &'a HoldRules,
    active: &'a Structure,
    live: &'a Live,
    looks: usize,
    /// The tables on the way, to see circles.
    path: Vec<u32>,
}

impl<'a> Nested<'a> {
    pub(super) fn new(rules: &'a HoldRules, active: &'a Structure, live: &'a Live) -> Self {
        Self {
            rules,
            active,
            live,
            looks: 0,
            path: Vec::new(),
        }
    }

    /// Over `t`: the row is held if one is true. `None`: it takes the other form.
    pub(super) fn held(mut self, table: &Table, deletes: bool) -> Result<Option<Vec<Sql>>, HoldError> {
        match self.all(table, deletes) {
            Ok(any) => Ok(Some(any)),
            Err(Stop::Complex) => Ok(None),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    fn all(&mut self, table: &Table, deletes: bool) -> Result<Vec<Sql>, Stop> {
        self.path.push(self.rules.root(table.relation.oid));
        let mut any = terms(self.rules, self.active, table, "t")?;
        any.extend(self.up(table, "t", None)?);
        any.extend(self.down(table, "t", deletes)?);
        Ok(any)
    }

    /// The row refers to a held one. `but`: the key that leads back to where we come from.
    fn up(&mut self, table: &Table, alias: &str, but: Option<&Edge>) -> Result<Vec<Sql>, Stop> {
        let mut any = Vec::new();
        for step in self.rules.up(table) {
            if !self.live.up.contains(&step.to) || but == Some(&step.edge) {
                continue;
            }
            let (to, next) = self.enter(&step)?;
            let mut held = terms(self.rules, self.active, to, &next)?;
            held.extend(self.up(to, &next, None)?);
            self.path.pop();
            any.extend(exists(&step, to, alias, &next, &held));
        }
        Ok(any)
    }

    /// A held row refers to the row.
    fn down(&mut self, table: &Table, alias: &str, deletes: bool) -> Result<Vec<Sql>, Stop> {
        let mut any = Vec::new();
        for step in self.rules.down(table) {
            if !self.live.down.contains(&step.to) {
                continue;
            }
            let (to, next) = self.enter(&step)?;
            let mut held = terms(self.rules, self.active, to, &next)?;
            if deletes {
                // It is held because of what it refers to, and would be deleted or changed along.
                let way = std::mem::take(&mut self.path);
                self.path.push(self.rules.root(to.relation.oid));
                held.extend(self.up(to, &next, Some(&step.edge))?);
                self.path = way;
            }
            held.extend(self.down(to, &next, deletes)?);
            self.path.pop();
            any.extend(exists(&step, to, alias, &next, &held));
        }
        Ok(any)
    }

    fn enter(&mut self, step: &Step) -> Result<(&'a Table, String), Stop> {
        let root = self.rules.root(step.to);
        if self.path.contains(&root) || step.overlaps() || self.looks == LOOKS {
            return Err(Stop::Complex);
        }
        self.looks += 1;
        self.path.push(root);
        Ok((self.rules.table(step.to)?, format!("r{}", self.looks)))
    }
}

/// A row at the other end is held; `None` if none can be.
fn exists(step: &Step, to: &Table, alias: &str, next: &str, held: &[Sql]) -> Option<Sql> {
    let held = or(held)?;
    let joins = step.joins(next, |pair| format!("{alias}.{}", quote_ident(&pair.of_row)));
    let found = Sql::text(format!(
        "EXISTS (SELECT 1 FROM {} AS {next} WHERE {joins} AND ",
        to.relation.quoted()
    ))
    .append(&held)
    .raw(")");
    Some(of_rows(alias, step.only.as_deref(), &found))
}
