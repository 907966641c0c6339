//! Owns the erasure of subjects: which rows of which tables are theirs, and in which order they go.

use super::children::{blocked, cascades_to};
use super::columns::anonymise;
use super::error::Problem;
use super::keys::Keys;
use super::order::children_first;
use super::predicate::conditions;
use super::probe::Probe;
use super::rule::{children, leaf_of};
use super::scope::{Right, Scope};
use crate::catalog::{Catalog, Table};
use crate::model::{Column, Relation, Strategy, Task, TaskKind, Work};
use crate::strategy::{LeafFacts, Wanted, choose};
use pg_session::{Sql, array_literal, quote_ident};
use retention_policy::{Erasure, ErasureAction, ErasureTable, OnChildren, Policy, Reach};

/// An erasure whose names and types are known.
#[derive(Debug, Clone)]
pub struct ResolvedErasure {
    /// The table with one row a subject.
    pub subject: Relation,
    /// Its column that names a subject.
    pub key: Column,
    /// Over `t`, a row of the subject table: erasure was asked for. `None`: only `erase` and the ledger ask.
    pub requested: Option<Sql>,
    /// timestamptz; set when nothing of the subject is left to erase.
    pub completed: Option<Column>,
    /// In the order in which they are done: what refers to others first, the subject's own table last.
    pub tables: Vec<ReachedTable>,
}

/// One table of an erasure.
#[derive(Debug, Clone)]
pub struct ReachedTable {
    /// Everything but `due`, which is empty.
    template: Task,
    /// From a row to its subject.
    way: Way,
    /// The tables on the way from a row to its subject.
    through: Vec<u32>,
}

/// From a row `t` to its subject, as SQL.
#[derive(Debug, Clone, Default)]
struct Way {
    /// Before and after `ANY (subjects)`: whether a row is of one of them.
    before: String,
    after: String,
    /// The tables on the way, to be joined, and the condition up to its right side: the subject's key. The planner joins
    /// many rows with many subjects so, where conditions inside conditions would be tried for each pair.
    joined: String,
    on: String,
}

impl ReachedTable {
    /// Everything but `due`, which depends on the subjects.
    pub fn template(&self) -> &Task {
        &self.template
    }

    /// Whether the subject whose key is the expression `key` has a row here that is to be erased and not `held`.
    pub(crate) fn left_of(&self, key: &str, held: Option<&Sql>) -> Sql {
        let Way { joined, on, .. } = &self.way;
        let table = self.template.table.quoted();
        let mut sql = Sql::text(format!("EXISTS (SELECT FROM {table} AS t{joined} WHERE {on}{key}"));
        if let Work::Anonymise { guard, .. } = &self.template.work {
            sql = sql.raw(" AND (").append(guard).raw(")");
        }
        if let Some(held) = held {
            sql = sql.raw(" AND NOT COALESCE(").append(held).raw(", false)");
        }
        sql.raw(")")
    }

    /// Whether rows of `table` can only be found as long as the rows of this one are there: a row of this table that is
    /// deleted first would leave them behind for ever.
    pub fn leads_to(&self, table: &Self, erasure: &ResolvedErasure) -> bool {
        let oid = self.template.table.oid;
        let deletes = matches!(self.template.work, Work::Delete);
        // With the subject's own row goes the mark that asks for the erasure.
        deletes && (oid == erasure.subject.oid || table.through.contains(&oid))
    }
}

impl ResolvedErasure {
    /// Says how each leaf is taken: by an index on the way to the subject, where there is one.
    pub fn choose_strategies(&mut self, catalog: &Catalog, policy: &Policy) {
        for table in &mut self.tables {
            let wanted = Wanted::of(&table.template, policy);
            let chosen: Vec<Option<Strategy>> = table
                .template
                .leaves
                .iter()
                .map(|leaf| {
                    let table = catalog.tables.get(&leaf.relation.oid)?;
                    // A page of subjects has few rows, whatever the table's size.
                    choose(catalog, table, &wanted, &LeafFacts::default()).strategy
                })
                .collect();
            for (leaf, strategy) in table.template.leaves.iter_mut().zip(chosen) {
                leaf.strategy = strategy.unwrap_or(leaf.strategy);
            }
        }
    }
}

/// One task a table for these subjects (keys as PostgreSQL prints them), in the order in which they are done.
pub fn erasure_tasks(erasure: &ResolvedErasure, subjects: &[String]) -> Vec<Task> {
    let tables = erasure.tables.iter();
    tables.map(|table| erasure_task(erasure, table, subjects)).collect()
}

/// The task of one table for these subjects.
pub fn erasure_task(erasure: &ResolvedErasure, table: &ReachedTable, subjects: &[String]) -> Task {
    Task {
        due: Sql::text(format!("{}ANY (", table.way.before))
            .param(array_literal(subjects), format!("{}[]", erasure.key.base_type))
            .raw(format!("){}", table.way.after)),
        ..table.template.clone()
    }
}

/// Checks an erasure; gives it with the values to be tried on the server and what is worth knowing. `None`: something is
/// wrong, and noted in `scope`.
pub(crate) fn resolve(
    scope: &mut Scope<'_>,
    erasure: &Erasure,
    keys: &Keys,
) -> Option<(ResolvedErasure, Vec<Probe>, Vec<String>)> {
    let subject = scope.table(&erasure.subject.table);
    let key = subject.and_then(|table| scope.column(table, &erasure.subject.key));
    let mut probes = Vec::new();
    let (mut requested, mut completed) = (None, None);
    if let Some(table) = subject {
        let (asked, more) = conditions(scope, table, &erasure.subject.requested, Sql::new());
        probes.extend(more);
        requested = (!asked.is_empty()).then_some(asked);
        scope.may(table, Right::Read);
        completed = erasure
            .subject
            .completed
            .as_ref()
            .and_then(|name| completion(scope, table, name));
    }
    let mut reached = Vec::new();
    for part in &erasure.tables {
        let Some(table) = scope.table(&part.table) else {
            continue;
        };
        let Some((work, more)) = work(scope, table, part, keys) else {
            continue;
        };
        probes.extend(more);
        let Some(key) = key else { continue };
        if let Some(way) = reach(scope, table, &part.reach, key, "t", 1) {
            let template = template(scope, table, part, work);
            reached.push((
                part,
                ReachedTable {
                    template,
                    way,
                    through: through(scope, &part.reach),
                },
            ));
        }
    }
    let (subject, key) = (subject?, key?);
    let (tables, notes) = in_order(scope, &subject.relation, reached);
    let resolved = ResolvedErasure {
        subject: subject.relation.clone(),
        key: key.clone(),
        requested,
        completed,
        tables,
    };
    Some((resolved, probes, notes))
}

fn completion<'a>(scope: &mut Scope<'a>, table: &'a Table, name: &str) -> Option<Column> {
    let column = scope.column(table, name)?;
    scope.may(table, Right::Update(&[name]));
    if column.base_type != "timestamp with time zone" {
        let problem = Problem::Type {
            found: column.type_name.clone(),
            needed: "timestamptz for the time of completion".to_owned(),
        };
        scope.wrong_column(table, name, problem);
    }
    if column.generated {
        scope.wrong_column(table, name, Problem::Generated);
    }
    Some(column.clone())
}

fn work<'a>(scope: &mut Scope<'a>, table: &'a Table, part: &ErasureTable, keys: &Keys) -> Option<(Work, Vec<Probe>)> {
    scope.has_primary_key(table, part.allow_no_primary_key);
    match &part.action {
        ErasureAction::Delete => {
            scope.may(table, Right::Delete);
            // A foreign key without an index is slow but right, and the subjects are few.
            children(scope, &scope.catalog.leaves(table.relation.oid), part.on_children, true);
            Some((Work::Delete, Vec::new()))
        }
        ErasureAction::Anonymise(transforms) => {
            let columns: Vec<&str> = transforms.keys().map(String::as_str).collect();
            scope.may(table, Right::Update(&columns));
            anonymise(scope, table, transforms, keys)
        }
    }
}

fn template(scope: &Scope<'_>, table: &Table, part: &ErasureTable, work: Work) -> Task {
    let catalog = scope.catalog;
    let leaves = catalog.leaves(table.relation.oid);
    let deletes = matches!(work, Work::Delete);
    Task {
        kind: TaskKind::Erasure,
        rule: format!("erasure:{}", table.relation.shown()),
        table: table.relation.clone(),
        leaves: leaves.iter().map(|leaf| leaf_of(catalog, leaf, None)).collect(),
        work,
        due: Sql::new(),
        blocked: deletes.then(|| blocked(catalog, &leaves, part.on_children)).flatten(),
        cascades_to: if deletes {
            cascades_to(catalog, &leaves)
        } else {
            Vec::new()
        },
        children_stay: part.on_children == OnChildren::Keep,
        cutoff: None,
        undated: None,
        max_rows: None,
    }
}

/// How `row` belongs to a subject.
fn reach<'a>(
    scope: &mut Scope<'a>,
    table: &'a Table,
    reach_by: &Reach,
    key: &Column,
    row: &str,
    depth: usize,
) -> Option<Way> {
    match reach_by {
        Reach::Column(name) => {
            let column = scope.column(table, name)?;
            fits(scope, table, column, key)?;
            let on = format!("{row}.{} {} ", quote_ident(name), key.operator("="));
            Some(Way {
                before: on.clone(),
                on,
                ..Way::default()
            })
        }
        Reach::Via {
            column,
            table: next,
            key: next_key,
            reach: further,
        } => {
            let column = scope.column(table, column);
            let next = scope.table(next)?;
            scope.may(next, Right::Read);
            let next_key = scope.column(next, next_key);
            let alias = format!("v{depth}");
            let inner = reach(scope, next, further, key, &alias, depth + 1);
            let (column, next_key, inner) = (column?, next_key?, inner?);
            fits(scope, table, column, next_key)?;
            let from = format!("{} AS {alias}", next.relation.quoted());
            let link = format!(
                "{alias}.{} {} {row}.{} AND ",
                quote_ident(&next_key.name),
                next_key.operator("="),
                quote_ident(&column.name),
            );
            Some(Way {
                before: format!("EXISTS (SELECT FROM {from} WHERE {link}{}", inner.before),
                after: format!("{})", inner.after),
                joined: format!(", {from}{}", inner.joined),
                on: format!("{link}{}", inner.on),
            })
        }
    }
}

/// The tables on the way.
fn through(scope: &mut Scope<'_>, reach_by: &Reach) -> Vec<u32> {
    let (mut found, mut at) = (Vec::new(), reach_by);
    while let Reach::Via { table, reach, .. } = at {
        found.extend(scope.table(table).map(|table| table.relation.oid));
        at = reach.as_ref();
    }
    found
}

/// Whether values of the two columns can be compared by an index of either.
fn fits(scope: &mut Scope<'_>, table: &Table, column: &Column, key: &Column) -> Option<()> {
    let family = |name: &str| match name {
        "smallint" | "integer" | "bigint" => "a whole number".to_owned(),
        "text" | "character varying" => "text".to_owned(),
        other => other.to_owned(),
    };
    if family(&column.base_type) == family(&key.base_type) {
        return Some(());
    }
    let problem = Problem::KeyType {
        found: column.type_name.clone(),
        key: key.type_name.clone(),
    };
    scope.wrong_column(table, &column.name, problem);
    None
}

/// What refers to others first, what others are reached through after them, the subject's own table last.
fn in_order(
    scope: &Scope<'_>,
    subject: &Relation,
    reached: Vec<(&ErasureTable, ReachedTable)>,
) -> (Vec<ReachedTable>, Vec<String>) {
    let (own, others): (Vec<_>, Vec<_>) = reached
        .into_iter()
        .partition(|(_, table)| table.template.table == *subject);
    let oids: Vec<u32> = others.iter().map(|(_, table)| table.template.table.oid).collect();
    let mut through = Vec::new();
    for (from, (part, _)) in others.iter().enumerate() {
        let mut next = &part.reach;
        while let Reach::Via { table, reach, .. } = next {
            through.extend(others.iter().enumerate().filter_map(|(to, (other, _))| {
                (other.table == *table && other.table != part.table).then_some((from, to))
            }));
            next = reach;
        }
    }
    let (order, circular) = children_first(scope.catalog, &oids, &through);
    let notes = circular
        .iter()
        .map(|at| {
            format!(
                "erasure: {} refers to a table that refers to it; its place in the document decides",
                others[*at].0.table
            )
        })
        .collect();
    let mut others: Vec<Option<ReachedTable>> = others.into_iter().map(|(_, table)| Some(table)).collect();
    let mut tables: Vec<ReachedTable> = order.iter().filter_map(|at| others[*at].take()).collect();
    tables.extend(own.into_iter().map(|(_, table)| table));
    (tables, notes)
}
