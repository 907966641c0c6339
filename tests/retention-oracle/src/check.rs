//! Owns one case: the program runs, and everything that the database holds is what the model says.

use crate::case::{Action, Case, Hold, LONG_AGO, Moment, NOW, OnDelete, Val, at};
use crate::model::{Counts, Erased, State};
use crate::server::{Server, Session};
use crate::sql::{self, quoted};
use program::Ended;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// WAL of a second night, in bytes.
const SECOND_NIGHT: i64 = 1 << 20;
/// Nights after which nothing may be left, with `max_rows`.
const NIGHTS: usize = 40;

/// A row: where it lies, and its values.
type Found = (String, Vec<Option<String>>);

/// What a case did, so that the test can tell that every way was gone.
#[derive(Debug, Default)]
pub struct Seen {
    /// Strategies.
    pub strategies: BTreeSet<String>,
    /// Rows gone or changed.
    pub rows: u64,
    /// Rows held.
    pub held: u64,
    /// Rows blocked.
    pub blocked: u64,
    /// Subjects of whom nothing is left.
    pub completed: u64,
    /// Other subjects that asked.
    pub open: u64,
    /// Tables partitioned by hash.
    pub hash: u64,
    /// Rules whose rows a subject's hold reaches by foreign keys or an erasure's way only.
    pub through: u64,
}

/// Everything that somebody needs to see it again.
fn repeat(case: &Case) -> String {
    let mut text = format!(
        "to see it again: RETENTION_ORACLE_SEED={}\n--as-of {}\nholds: {:?}\nrules: {:#?}\npolicy: {}\nsql:\n",
        case.seed,
        sql::as_of(case),
        case.holds,
        case.rules,
        crate::policy::policy(case)
    );
    // All rows of it, where somebody wants them.
    if let Some(folder) = std::env::var_os("RETENTION_ORACLE_DIR") {
        let base = std::path::Path::new(&folder).join(case.seed.to_string());
        std::fs::write(base.with_extension("sql"), sql::script(case)).expect("RETENTION_ORACLE_DIR is a folder");
        std::fs::write(base.with_extension("json"), crate::policy::policy(case))
            .expect("RETENTION_ORACLE_DIR is a folder");
    }
    for line in sql::script(case).lines() {
        let _ = writeln!(text, "{}", line.chars().take(600).collect::<String>());
    }
    text
}

/// Runs a case.
///
/// # Errors
/// What disagrees, and how to see it again.
pub fn run(server: &Server, seed: u64) -> Result<Seen, String> {
    let case = crate::generate::case(seed);
    let database = format!("c{seed}");
    let session = server.database(&database);
    let outcome = catch_unwind(AssertUnwindSafe(|| one(server, &session, &database, &case)))
        .unwrap_or_else(|_| Err("panicked, see above".to_owned()));
    drop(session);
    server.drop_database(&database);
    outcome.map_err(|wrong| format!("seed {seed}: {wrong}\n{}", repeat(&case)))
}

macro_rules! same {
    ($found:expr, $expected:expr, $($what:tt)*) => {
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            return Err(format!("{}: expected {expected:?}, found {found:?}", format!($($what)*)));
        }
    };
}

fn one(server: &Server, session: &Session<'_>, database: &str, case: &Case) -> Result<Seen, String> {
    session.sql(&sql::script(case));
    for hold in &case.holds {
        place(server, database, case, hold)?;
    }
    let mut model = State::new(case);
    // The generator and the database agree on what there is.
    compare(session, &model, None)?;
    let before = versions(session, case);
    let policy = crate::policy::policy(case);
    let as_of = sql::as_of(case);
    let limited = case.rules.iter().any(|rule| rule.max_rows.is_some());
    let mut nights = Vec::new();
    loop {
        let ended = server.patiently(&mut server.night(database, &policy, Some(&as_of)))?;
        let told = told(&ended)?;
        let code = ended.code;
        same!(
            told["exit_code"].as_i64(),
            code.map(i64::from),
            "exit code in the JSON line"
        );
        nights.push(told);
        if code != Some(5) || !limited || nights.len() > NIGHTS {
            break;
        }
    }
    let (expected, erased) = model.run();
    compare(session, &model, Some(&before))?;
    let last = nights.last().unwrap_or(&Value::Null);
    let blocked = stands(&expected, &erased);
    same!(
        last["exit_code"],
        Value::from(u8::from(blocked)),
        "exit code, told {}, {}, of {:?}, {:?}",
        last["rules"],
        last["erasures"],
        expected,
        erased
    );
    let outcome = if blocked { "residue" } else { "complete" };
    same!(last["outcome"], Value::from(outcome), "outcome");
    let hash = case
        .tables
        .iter()
        .flat_map(|table| &table.parts)
        .filter(|parts| parts.hash);
    let subject = case.holds.iter().any(|hold| matches!(hold, Hold::Subject(_)));
    let mut seen = Seen {
        hash: hash.count() as u64,
        through: case.rules.iter().filter(|rule| subject && !rule.subject).count() as u64,
        ..Seen::default()
    };
    let mut all = 0;
    for (position, counts) in expected.iter().enumerate() {
        let rows = counted(case, position, counts, &nights)?;
        all += rows;
        seen.rows += rows;
        seen.held += counts.held;
        seen.blocked += counts.blocked;
    }
    all += subjects(case, &erased, last)?;
    seen.completed = erased.completed;
    seen.open = erased.asked - erased.completed;
    let audited = session.number("SELECT coalesce(sum(rows), 0)::int8 FROM retention.audit");
    same!(audited.to_string(), all.to_string(), "sum of the audit");
    for night in &nights {
        for rule in night["rules"].as_array().into_iter().flatten() {
            let names = rule["strategies"].as_array().into_iter().flatten();
            seen.strategies
                .extend(names.filter_map(Value::as_str).map(str::to_owned));
        }
    }
    second(server, session, database, case, &mut model)?;
    Ok(seen)
}

/// Something that the policy wants gone is referred to.
fn stands(rules: &[Counts], erased: &Erased) -> bool {
    rules
        .iter()
        .chain(erased.tables.values())
        .any(|counts| counts.blocked > 0)
}

/// What the program told of a night's erasures is what the model says. Gives the rows of the audit.
fn subjects(case: &Case, erased: &Erased, night: &Value) -> Result<u64, String> {
    let told = &night["erasures"];
    same!(told["subjects"].as_u64(), Some(erased.asked), "subjects");
    same!(told["completed"].as_u64(), Some(erased.completed), "subjects completed");
    same!(
        told["open"].as_u64(),
        Some(erased.asked - erased.completed),
        "subjects open"
    );
    let rules = night["rules"].as_array().cloned().unwrap_or_default();
    let mut all = erased.marked;
    for (position, expected) in &erased.tables {
        let table = &case.tables[*position];
        let name = format!("erasure:{}.{}", table.schema, table.name);
        let told = rules.iter().find(|rule| rule["rule"] == name.as_str());
        let figure = |what: &str| told.and_then(|rule| rule[what].as_u64()).unwrap_or_default();
        same!(figure("held"), expected.held, "{name}: held");
        same!(figure("blocked"), expected.blocked, "{name}: blocked");
        let (rows, along) = (figure("rows"), figure("cascaded"));
        if !expected.mixed {
            same!(rows, expected.rows, "{name}: rows");
        } else if rows > expected.rows + expected.along || rows + along < expected.rows {
            return Err(format!("{name}: {rows} rows and {along} along, expected {expected:?}"));
        }
        all += rows;
    }
    Ok(all)
}

fn told(ended: &Ended) -> Result<Value, String> {
    serde_json::from_str(ended.stdout.trim())
        .map_err(|_| format!("no result: exit {:?}\n{}{}", ended.code, ended.stdout, ended.stderr))
}

fn place(server: &Server, database: &str, case: &Case, hold: &Hold) -> Result<(), String> {
    let mut command = server.job(database, &["hold", "add", "--reason", "a case"]);
    match hold {
        Hold::Subject(subject) => {
            command.args(["--subject", subject]);
        }
        Hold::Value(table, place, value) => {
            let table = &case.tables[*table];
            // By SQL where the name has a dot in its schema: an argument is split at the first.
            let insert = format!(
                "INSERT INTO retention.hold (table_schema, table_name, column_name, value, reason, placed_by) VALUES ({}, {}, {}, {}, 'a case', 'x')",
                sql::literal(&table.schema),
                sql::literal(&table.name),
                sql::literal(&table.columns[*place].name),
                sql::literal(value)
            );
            if table.schema.contains('.') {
                server.open(database).sql(&insert);
                return Ok(());
            }
            command.args(["--table", &format!("{}.{}", table.schema, table.name)]);
            command.args(["--column", &table.columns[*place].name, "--value", value]);
        }
    }
    let ended = program::run(&mut command);
    same!(ended.code, Some(0), "hold add {hold:?}: {}", ended.stderr);
    Ok(())
}

/// What the program told of a rule, night by night, is what the model says. Gives the rows.
fn counted(case: &Case, position: usize, expected: &Counts, nights: &[Value]) -> Result<u64, String> {
    let name = format!("r{position}");
    let of = |night: &Value| {
        let rules = night["rules"].as_array().cloned().unwrap_or_default();
        rules.into_iter().find(|rule| rule["rule"] == name.as_str())
    };
    let rule = &case.rules[position];
    let (Some(first), Some(last)) = (nights.first().and_then(of), nights.last().and_then(of)) else {
        return Err(format!("rule {name} is not in the result: {nights:?}"));
    };
    let sum = |what: &str| {
        nights
            .iter()
            .filter_map(of)
            .filter_map(|rule| rule[what].as_u64())
            .sum::<u64>()
    };
    if rule.action != Action::Detach {
        same!(first["due"].as_u64(), Some(expected.due), "{name}: due");
        same!(last["held"].as_u64(), Some(expected.held), "{name}: held");
    }
    same!(last["undated"].as_u64(), Some(expected.undated), "{name}: undated");
    same!(last["blocked"].as_u64(), Some(expected.blocked), "{name}: blocked");
    same!(last["residue"].as_u64(), Some(0), "{name}: residue");
    let (rows, cascaded) = (sum("rows"), sum("cascaded"));
    // With several nights, what one rule does may come before or after another's.
    let alone = nights.len() == 1;
    if expected.mixed {
        if alone && (rows > expected.rows + expected.along || rows + cascaded < expected.rows) {
            return Err(format!(
                "{name}: {rows} rows and {cascaded} along, expected {expected:?}"
            ));
        }
    } else if alone {
        same!(rows, expected.rows, "{name}: rows");
        if (expected.along > 0) != (cascaded > 0) {
            return Err(format!("{name}: {cascaded} along, expected {}", expected.along));
        }
        // A row may go along once, however many rows it refers to; it may change along before that.
        let keys = case.tables.iter().flat_map(|table| &table.keys);
        let simple = keys.filter(|key| key.on_delete != OnDelete::NoAction).count() <= 1;
        if simple {
            same!(cascaded, expected.along, "{name}: along");
        }
    }
    if let Some(most) = rule.max_rows {
        for rows in nights.iter().filter_map(of).filter_map(|rule| rule["rows"].as_u64()) {
            if rows > most {
                return Err(format!("{name}: {rows} rows in a night, max_rows is {most}"));
            }
        }
    }
    Ok(rows)
}

/// A night more: nothing happens (but to rows that the erasures set free), almost nothing is written, and all receipts are sound.
fn second(
    server: &Server,
    session: &Session<'_>,
    database: &str,
    case: &Case,
    model: &mut State<'_>,
) -> Result<(), String> {
    let before = versions(session, case);
    let at = |session: &Session<'_>| session.number("SELECT (pg_current_wal_lsn() - '0/0')::int8");
    let wal = at(session);
    let ended = server.patiently(&mut server.night(database, &crate::policy::policy(case), Some(&sql::as_of(case))))?;
    let written = at(session) - wal;
    let told = told(&ended)?;
    let (expected, erased) = model.run();
    same!(
        ended.code,
        Some(i32::from(stands(&expected, &erased))),
        "exit code of the second night, told {told}"
    );
    let mut rows = subjects(case, &erased, &told)?;
    for (position, counts) in expected.iter().enumerate() {
        rows += counted(case, position, counts, std::slice::from_ref(&told))?;
    }
    if case.erasure.is_none() {
        same!(rows, 0, "rows in the second night");
    }
    compare(session, model, None)?;
    if rows == 0 {
        same!(versions(session, case), before, "row versions after the second night");
        if written > SECOND_NIGHT {
            return Err(format!("the second night wrote {written} bytes of WAL"));
        }
    }
    let head = told["receipt"]["sha256"].as_str().unwrap_or_default();
    let verified = server.verify(database, head);
    same!(
        verified.code,
        Some(0),
        "receipts verify: {}{}",
        verified.stdout,
        verified.stderr
    );
    Ok(())
}

/// Version of each row, by table and ID.
type Versions = BTreeMap<(usize, String), String>;

fn versions(session: &Session<'_>, case: &Case) -> Versions {
    let mut all = Versions::new();
    for (position, table) in case.tables.iter().enumerate() {
        let id = quoted(&table.columns[at::ID].name);
        let text = format!(
            "SELECT {id}, tableoid || ' ' || ctid || ' ' || xmin FROM {}",
            sql::of(table)
        );
        for mut row in session.rows(&text) {
            let version = row.pop().flatten().unwrap_or_default();
            all.insert((position, row.pop().flatten().unwrap_or_default()), version);
        }
    }
    all
}

fn content(session: &Session<'_>, case: &Case, position: usize, from: &str) -> BTreeMap<String, Found> {
    let table = &case.tables[position];
    let places: Vec<usize> = (0..table.columns.len()).collect();
    let text = format!(
        "SELECT tableoid || ' ' || ctid || ' ' || xmin, {} FROM {from}",
        sql::list(table, &places)
    );
    let mut all = BTreeMap::new();
    for mut row in session.rows(&text) {
        let values = row.split_off(1);
        let version = row.pop().flatten().unwrap_or_default();
        let id = values[at::ID].clone().unwrap_or_default();
        all.insert(id, (version, values));
    }
    all
}

/// A time of completion as the model knows it.
fn known(found: Option<&str>) -> Option<String> {
    let before = sql::shown(&Val::Time(Moment::At(LONG_AGO)), crate::case::Kind::StampTz);
    let now = found.map(|_| NOW.to_owned());
    if found == before.as_deref() { before } else { now }
}

/// All tables hold what the model says; with `before`, rows that nothing happened to are the same versions.
fn compare(session: &Session<'_>, model: &State<'_>, before: Option<&Versions>) -> Result<(), String> {
    let case = model.case;
    for (position, table) in case.tables.iter().enumerate() {
        let found = content(session, case, position, &sql::of(table));
        let expected: BTreeMap<String, (usize, &Vec<Val>)> = model
            .alive(position)
            .map(|(at, row)| {
                (
                    sql::shown(&row[at::ID], crate::case::Kind::Int).unwrap_or_default(),
                    (at, row),
                )
            })
            .collect();
        let name = format!(
            "table {position} ({}), rule {:?}",
            table.name,
            case.rules.iter().position(|rule| rule.table == position)
        );
        if let Some(id) = found.keys().find(|id| !expected.contains_key(*id)) {
            let many = found.keys().filter(|id| !expected.contains_key(*id)).count();
            return Err(format!(
                "{name}: {many} rows must be gone and are there, first {:?} = {:?}",
                id, found[id]
            ));
        }
        if let Some((id, (_, row))) = expected.iter().find(|(id, _)| !found.contains_key(*id)) {
            let many = expected.keys().filter(|id| !found.contains_key(*id)).count();
            return Err(format!(
                "{name}: {many} rows must be kept and are gone, first {id} = {row:?}"
            ));
        }
        for (id, (at, row)) in &expected {
            let (version, values) = &found[id];
            for (place, column) in table.columns.iter().enumerate() {
                let completed = case
                    .erasure
                    .as_ref()
                    .map(|erasure| (erasure.requests, erasure.completed));
                let value = if completed == Some((position, place)) {
                    known(values[place].as_deref())
                } else {
                    values[place].clone()
                };
                same!(
                    value,
                    sql::shown(&row[place], column.kind),
                    "{name}: row {id}, column {place} ({})",
                    column.name
                );
            }
            let untouched = !model.touched.contains(&(position, *at));
            if let Some(before) = before.filter(|_| untouched) {
                same!(
                    Some(version),
                    before.get(&(position, id.clone())),
                    "{name}: version of row {id}, which nothing may touch"
                );
            }
        }
        for (leaf_at, leaf) in table.parts.iter().flat_map(|parts| &parts.leaves).enumerate() {
            if !model.detached.contains(&(position, leaf_at)) {
                continue;
            }
            let rows: Vec<&Vec<Val>> = model
                .apart
                .iter()
                .filter(|((table, _), leaf)| *table == position && **leaf == leaf_at)
                .filter_map(|((table, row), _)| model.rows[*table][*row].as_ref())
                .collect();
            let from = format!("{}.{}", quoted(&table.schema), quoted(&leaf.name));
            let found = content(session, case, position, &from);
            same!(
                found.len(),
                rows.len(),
                "{name}: rows of detached partition {}",
                leaf.name
            );
            for row in &rows {
                let id = sql::shown(&row[at::ID], crate::case::Kind::Int).unwrap_or_default();
                for (place, column) in table.columns.iter().enumerate() {
                    let value = found.get(&id).map(|(_, values)| values[place].clone());
                    same!(
                        value,
                        Some(sql::shown(&row[place], column.kind)),
                        "{name}: detached row {id}, column {place}"
                    );
                }
            }
            let attached = session.number(&format!(
                "SELECT count(*) FROM pg_inherits WHERE inhrelid = {}::regclass",
                sql::literal(&from)
            ));
            if !rows.is_empty() {
                same!(attached, 0, "{name}: partition {} is detached", leaf.name);
            }
        }
    }
    same!(
        session.rows("SELECT id FROM public.x"),
        vec![vec![Some("1".to_owned())]],
        "table x"
    );
    Ok(())
}
