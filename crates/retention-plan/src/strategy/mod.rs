//! Owns the choice of how a leaf's rows are found and taken, with the reason, which the plan shows. Pure.
//!
//! The figures are measured (PostgreSQL 15, 3M rows, two cores): a keyset over an index takes 952k rows/s where rows lie
//! in the index's order and 201k where they are scattered; block by block it is 861k and 728k, but every block is read,
//! at about 3M rows/s (25M where they are in memory). A keyset needs a look ahead in the index besides, on a second
//! processor: beside it, writers waited twice as long as beside blocks. Passes for HOT take 118k rows/s where a plain update takes 42k to 51k, at half the WAL.

mod as_is;
#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, Index, RelationKind, Table};
use crate::model::{Column, Leaf, Relation, Strategy, Task, TaskKind, Work};
use crate::survey::TaskSurvey;
use jiff::Timestamp;
use retention_policy::{Policy, Reach};

/// Below this part of the rows, an index is used although rows are scattered.
pub const FEW: f64 = 0.02;
/// From this correlation of index and heap on, a keyset is as good as going block by block.
pub const IN_ORDER: f64 = 0.9;
/// From this part of the rows on, those that lie in order are taken block by block too.
pub const BACKLOG: f64 = 1.0 / 3.0;
/// Tables of fewer blocks are read as a whole in a few milliseconds.
pub const SMALL_BLOCKS: u32 = 128;
/// Passes a block range for HOT.
pub const PASSES: u32 = 12;
/// Fewer due rows a block gain nothing from passes.
const DENSE: f64 = 4.0;
/// Pages that are filled no more than this have room for every row's new version in one pass.
const ROOMY_FILLFACTOR: u8 = 50;

/// What is done, as far as the choice depends on it.
#[derive(Debug, Clone, PartialEq)]
pub enum Doing<'a> {
    /// Rows are deleted.
    Delete,
    /// These columns are set.
    Anonymise(&'a [String]),
    /// Whole partitions are detached.
    Detach,
}

/// What a task asks for, the same for all its leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted<'a> {
    /// What is done.
    pub doing: Doing<'a>,
    /// The age column's name and the cutoff.
    pub age: Option<(&'a str, Timestamp)>,
    /// Rows are chosen by more than their age.
    pub conditions: bool,
    /// For erasures: the column by which a subject's rows are found.
    pub reach: Option<&'a str>,
    /// The task has a limit of rows, which a whole partition could exceed.
    pub max_rows: Option<u64>,
}

impl<'a> Wanted<'a> {
    /// What a task asks for, from the rule or erasure that it was made of.
    pub fn of(task: &'a Task, policy: &'a Policy) -> Self {
        let doing = match &task.work {
            Work::Delete => Doing::Delete,
            Work::Anonymise { columns, .. } => Doing::Anonymise(columns),
            Work::Detach => Doing::Detach,
        };
        let rule = policy
            .rules
            .iter()
            .find(|rule| task.kind == TaskKind::Rule && rule.name == task.rule);
        let reach = policy
            .erasure
            .as_ref()
            .filter(|_| task.kind == TaskKind::Erasure)
            .and_then(|erasure| {
                erasure
                    .tables
                    .iter()
                    .find(|table| table.table.schema == task.table.schema && table.table.name == task.table.name)
            })
            .map(|table| match &table.reach {
                Reach::Column(column) | Reach::Via { column, .. } => column.as_str(),
            });
        Self {
            doing,
            age: rule
                .and_then(|rule| rule.age.as_ref())
                .and_then(|age| Some((age.column.as_str(), task.cutoff?))),
            conditions: rule.is_none_or(|rule| !rule.conditions.is_empty()),
            reach,
            max_rows: task.max_rows,
        }
    }
}

/// Whether an index finds the task's rows, so that counting them needs no look at all the others.
pub fn index_finds(leaf: &Table, wanted: &Wanted<'_>) -> bool {
    wanted
        .age
        .map(|(age, _)| age)
        .into_iter()
        .chain(wanted.reach)
        .filter_map(|name| leaf.column(name))
        .any(|column| leading(leaf, column.number).any(|index| index.method == "btree"))
}

/// What is known of one leaf.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeafFacts {
    /// Rows that are due and not done.
    pub due: u64,
    /// Of those, under a hold.
    pub held: u64,
    /// Of those, that others refer to.
    pub blocked: u64,
    /// `pg_stats.correlation` of the age column; `None`: never analysed.
    pub correlation: Option<f64>,
    /// Somebody keeps row versions from being pruned: an old snapshot, a prepared transaction, a slot.
    pub old_snapshot: bool,
}

/// How, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// `None`: nothing is done with this leaf now (detach, and not the whole partition is due).
    pub strategy: Option<Strategy>,
    /// In a few words.
    pub reason: String,
    /// For [`Strategy::Keyset`].
    pub keyset: Option<Column>,
    /// For [`Strategy::TidRange`]: see [`Leaf::together`].
    pub together: Option<u64>,
    /// See [`Leaf::as_is`].
    pub as_is: Vec<String>,
    /// For [`Strategy::Partition`].
    pub upper_bound: Option<Timestamp>,
    /// For [`Strategy::Partition`]: `DETACH ... CONCURRENTLY` is possible.
    pub detach_concurrently: bool,
}

impl Choice {
    fn new(strategy: Option<Strategy>, reason: impl Into<String>) -> Self {
        Self {
            strategy,
            reason: reason.into(),
            keyset: None,
            together: None,
            as_is: Vec::new(),
            upper_bound: None,
            detach_concurrently: false,
        }
    }
}

/// What was chosen for one leaf; for the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct LeafChoice {
    /// The table or partition.
    pub table: Relation,
    /// How; `None`: nothing is done with it now.
    pub strategy: Option<Strategy>,
    /// Why so.
    pub reason: String,
}

/// Chooses for every leaf of a task, writes it into the leaf, and takes out those that nothing is done with. Gives what
/// was chosen for all of them. `survey`: of the task's leaves as they are now.
pub fn apply(
    catalog: &Catalog,
    policy: &Policy,
    task: &mut Task,
    survey: &TaskSurvey,
    old_snapshot: bool,
) -> Vec<LeafChoice> {
    let mut told = Vec::new();
    let mut leaves = Vec::with_capacity(task.leaves.len());
    let wanted = Wanted::of(task, policy);
    for leaf in &task.leaves {
        let counted = survey.leaves.iter().find(|counted| counted.table == leaf.relation);
        let (Some(table), Some(counted)) = (catalog.tables.get(&leaf.relation.oid), counted) else {
            continue;
        };
        let facts = LeafFacts {
            due: counted.todo,
            held: counted.held,
            blocked: counted.blocked,
            correlation: counted.correlation,
            old_snapshot,
        };
        let choice = choose(catalog, table, &wanted, &facts);
        told.push(LeafChoice {
            table: leaf.relation.clone(),
            strategy: choice.strategy,
            reason: choice.reason,
        });
        if let Some(strategy) = choice.strategy {
            leaves.push(Leaf {
                strategy,
                keyset: choice.keyset,
                together: choice.together,
                as_is: choice.as_is,
                upper_bound: choice.upper_bound,
                detach_concurrently: choice.detach_concurrently,
                ..leaf.clone()
            });
        }
    }
    task.leaves = leaves;
    told
}

/// Chooses for one leaf.
pub fn choose(catalog: &Catalog, leaf: &Table, wanted: &Wanted<'_>, facts: &LeafFacts) -> Choice {
    let whole = whole_partition(catalog, leaf, wanted, facts);
    match (&wanted.doing, whole) {
        (Doing::Delete | Doing::Detach, Ok(upper)) => {
            let (concurrently, how) = detach_concurrently(catalog, leaf);
            Choice {
                upper_bound: Some(upper),
                detach_concurrently: concurrently,
                ..Choice::new(
                    Some(Strategy::Partition),
                    format!("every row is before {upper}, the partition's bound; {how}"),
                )
            }
        }
        (Doing::Detach, Err(why)) => Choice::new(None, format!("stays: {why}")),
        (Doing::Delete, Err(_)) => delete(leaf, wanted, facts),
        (Doing::Anonymise(columns), _) => anonymise(catalog, leaf, wanted, columns, facts),
    }
}

/// The bound that all rows are before, if the partition can go as a whole; otherwise why it cannot.
fn whole_partition(
    catalog: &Catalog,
    leaf: &Table,
    wanted: &Wanted<'_>,
    facts: &LeafFacts,
) -> Result<Timestamp, String> {
    let Some(place) = leaf.partition.as_ref().filter(|place| place.declarative) else {
        return Err("it is no partition".to_owned());
    };
    let Some((age, cutoff)) = wanted.age else {
        return Err("its rows are due whatever their age".to_owned());
    };
    if place.is_default {
        return Err("the default partition has no bounds".to_owned());
    }
    let Some(upper) = catalog.upper_bound(leaf.relation.oid, age) else {
        return Err(format!("no bound by column {age:?} is known"));
    };
    if upper > cutoff {
        return Err(format!("its bound {upper} is after the cutoff {cutoff}"));
    }
    if wanted.conditions {
        return Err("the rule has conditions besides the age".to_owned());
    }
    if let Some(max) = wanted.max_rows.filter(|max| facts.due > *max) {
        return Err(format!("{} rows are more than max_rows {max}", facts.due));
    }
    if facts.held > 0 {
        return Err(format!("{} rows are under a legal hold", facts.held));
    }
    if facts.blocked > 0 {
        return Err(format!("other rows refer to {} rows", facts.blocked));
    }
    if let Some(key) = catalog.referring_to(leaf.relation.oid).next() {
        return Err(format!("foreign key {:?} refers to it", key.name));
    }
    if leaf.kind != RelationKind::Table {
        return Err("it is no ordinary table".to_owned());
    }
    for table in catalog.lineage(leaf.relation.oid) {
        if let Some(trigger) = table.triggers.iter().find(|trigger| trigger.on_delete) {
            return Err(format!(
                "trigger {:?} of {} wants to see each row go",
                trigger.name,
                table.relation.shown()
            ));
        }
    }
    if place.detach_pending {
        return Err("a DETACH CONCURRENTLY was begun and not finished".to_owned());
    }
    // The parent's owner detaches, the partition's owner drops.
    let parent_owned = catalog
        .tables
        .get(&place.parent)
        .is_some_and(|parent| parent.privileges.owner);
    if !parent_owned || !leaf.privileges.owner {
        return Err("we own the partition or its parent not".to_owned());
    }
    Ok(upper)
}

/// Whether `DETACH CONCURRENTLY` is possible, and how it is said.
fn detach_concurrently(catalog: &Catalog, leaf: &Table) -> (bool, &'static str) {
    let parent = leaf
        .partition
        .as_ref()
        .and_then(|place| catalog.tables.get(&place.parent));
    let Some(parent) = parent else {
        return (false, "detached under a short lock");
    };
    let has_default = parent.children.iter().any(|child| {
        catalog
            .tables
            .get(child)
            .and_then(|child| child.partition.as_ref())
            .is_some_and(|place| place.is_default)
    });
    if has_default {
        (
            false,
            "detached under a short lock, because there is a default partition",
        )
    } else if parent.partition.as_ref().is_some_and(|place| place.declarative) {
        (
            false,
            "detached under a short lock, because its parent is a partition itself",
        )
    } else {
        (true, "detached concurrently")
    }
}

fn delete(leaf: &Table, wanted: &Wanted<'_>, facts: &LeafFacts) -> Choice {
    if let Some(choice) = by_subject(leaf, wanted, facts) {
        return choice;
    }
    let Some(age) = wanted.age.and_then(|(age, _)| leaf.column(age)) else {
        return Choice::new(Some(Strategy::TidRange), "no age column to go by: block by block");
    };
    let Some(index) = leading(leaf, age.number).find(|index| index.method == "btree") else {
        return Choice::new(
            Some(Strategy::TidRange),
            format!("no usable index begins with {:?}: block by block", age.name),
        );
    };
    let keyset = |reason: String| Choice {
        keyset: Some(age.clone()),
        ..Choice::new(Some(Strategy::Keyset), reason)
    };
    let part = part_due(leaf, facts);
    let shown = percent(part);
    match facts.correlation.map(f64::abs) {
        _ if part < FEW => keyset(format!(
            "few rows are due ({shown}) and index {:?} finds them",
            index.name
        )),
        Some(order) if order >= IN_ORDER && part >= BACKLOG => Choice {
            together: Some(facts.due.saturating_sub(facts.held).saturating_sub(facts.blocked)),
            ..Choice::new(
                Some(Strategy::TidRange),
                format!(
                    "a backlog ({shown} due) that lies together (correlation {order:.2}): block by block, as far as it goes"
                ),
            )
        },
        Some(order) if order >= IN_ORDER => keyset(format!(
            "rows lie in the order of index {:?} (correlation {order:.2})",
            index.name
        )),
        Some(order) => Choice::new(
            Some(Strategy::TidRange),
            format!("a backlog ({shown} due) that is scattered (correlation {order:.2}): block by block"),
        ),
        None => Choice::new(
            Some(Strategy::TidRange),
            format!("a backlog ({shown} due), its order unknown (never analysed): block by block"),
        ),
    }
}

fn anonymise(catalog: &Catalog, leaf: &Table, wanted: &Wanted<'_>, columns: &[String], facts: &LeafFacts) -> Choice {
    if let Some(choice) = by_subject(leaf, wanted, facts) {
        return choice;
    }
    let plain = |reason: String| Choice::new(Some(Strategy::TidRange), reason);
    if let Some(index) = standing_in_the_way(leaf, columns, catalog.server.version_num) {
        let reason = format!(
            "index {:?} covers a column that is set, so no update is HOT: block by block",
            index.name
        );
        let as_is = match part_due(leaf, facts) {
            part if part < FEW => Vec::new(),
            _ => as_is::columns(catalog, leaf, columns),
        };
        let told = match as_is.join(", ") {
            names if names.is_empty() => reason,
            names => format!("{reason}, and indexes without a search for old entries ({names}: set to what they are)"),
        };
        return Choice { as_is, ..plain(told) };
    }
    if leaf.fillfactor <= ROOMY_FILLFACTOR {
        return plain(format!(
            "pages have room for HOT in one pass (fillfactor {}): block by block",
            leaf.fillfactor
        ));
    }
    if dense(leaf, facts) < DENSE {
        return plain("few rows a block are due, so passes gain nothing: block by block".to_owned());
    }
    if facts.old_snapshot {
        return plain(
            "an old snapshot keeps pages from being pruned, so passes gain nothing: block by block".to_owned(),
        );
    }
    Choice::new(
        Some(Strategy::HotPasses),
        format!("no index covers the columns: {PASSES} passes a block range, pruning makes room in between (HOT)"),
    )
}

/// An erasure with few rows, found by an index on the column that leads to the subject.
fn by_subject(leaf: &Table, wanted: &Wanted<'_>, facts: &LeafFacts) -> Option<Choice> {
    let reach = wanted.reach?;
    if part_due(leaf, facts) >= FEW && leaf.blocks >= SMALL_BLOCKS {
        return None;
    }
    let number = leaf.column(reach)?.number;
    let index = leading(leaf, number).find(|index| index.method == "btree" || index.method == "hash")?;
    Some(Choice::new(
        Some(Strategy::Limited),
        format!("index {:?} finds the subjects' rows", index.name),
    ))
}

fn leading(leaf: &Table, number: i16) -> impl Iterator<Item = &Index> {
    leaf.indexes
        .iter()
        .filter(move |index| index.usable && !index.partial && index.key_columns.first() == Some(&number))
}

/// An index that makes updates of the columns non-HOT. One that is being built counts too.
fn standing_in_the_way<'a>(leaf: &'a Table, columns: &[String], version_num: i32) -> Option<&'a Index> {
    let numbers: Vec<i16> = columns
        .iter()
        .filter_map(|name| leaf.column(name))
        .map(|column| column.number)
        .collect();
    leaf.indexes.iter().find(|index| {
        let summarising = index.method == "brin" && version_num >= 160_000;
        !summarising && index.all_columns.iter().any(|column| numbers.contains(column))
    })
}

/// The part of the leaf's rows that is due: 0 to 1. Unknown sizes count as large tables.
fn part_due(leaf: &Table, facts: &LeafFacts) -> f64 {
    let due = facts.due as f64;
    // Never analysed: some 50 rows a block, so that a fresh table is not taken for an empty one.
    let rows = if leaf.estimated_rows > 0.0 {
        leaf.estimated_rows
    } else {
        f64::from(leaf.blocks) * 50.0
    };
    (due / rows.max(due).max(1.0)).clamp(0.0, 1.0)
}

/// Due rows a block, where there are any. In a heap that is in the order of age they lie together.
fn dense(leaf: &Table, facts: &LeafFacts) -> f64 {
    let blocks = f64::from(leaf.blocks.max(1));
    let all = leaf.estimated_rows.max(facts.due as f64) / blocks;
    if facts.correlation.is_some_and(|order| order.abs() >= IN_ORDER) {
        all
    } else {
        facts.due as f64 / blocks
    }
}

fn percent(part: f64) -> String {
    format!("{:.2} %", part * 100.0)
}
