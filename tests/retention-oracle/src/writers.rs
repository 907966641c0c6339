//! Owns the second family: somebody inserts, changes and deletes while the job runs, and keeps a log. Afterwards no due row
//! that nobody touched is left, no row that is not due by its last committed state is gone, and the counts add up.

use crate::case::{DAY, Kind, Moment};
use crate::server::{Server, Session};
use crate::time;
use fastrand::Rng;
use program::Running;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Rows are due after so many days.
const DAYS: i64 = 100;
/// Longer than any run takes.
const PATIENCE: Duration = Duration::from_secs(40);

/// A row as the writer left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "five things that are true of it or not")]
struct Last {
    /// Its age was due at all times since it is there.
    always_due: bool,
    /// It was due at some time.
    ever_due: bool,
    /// It is due by its last committed state.
    due: bool,
    /// The writer changed it.
    touched: bool,
    /// The writer deleted it.
    deleted: bool,
}

/// What a case did.
#[derive(Debug, Default)]
pub struct Seen {
    /// Statements of the writer.
    pub writes: u64,
    /// Rows that the job deleted or changed.
    pub rows: u64,
}

/// Runs a case.
///
/// # Errors
/// What disagrees.
pub fn run(server: &Server, seed: u64) -> Result<Seen, String> {
    let database = format!("w{seed}");
    let session = server.database(&database);
    let mut rng = Rng::with_seed(seed);
    let setup = Setup::random(&mut rng);
    let outcome = one(server, &session, &database, &setup, &mut rng);
    drop(session);
    server.drop_database(&database);
    outcome.map_err(|wrong| format!("seed {seed}: {wrong}\n{setup:?}\nRETENTION_ORACLE_SEED={seed} (what the writer did depends on time too)\n{}", setup.sql))
}

#[derive(Debug)]
struct Setup {
    kind: Kind,
    rows: i64,
    delete: bool,
    sql: String,
    policy: String,
}

impl Setup {
    fn random(rng: &mut Rng) -> Self {
        let kind = [Kind::Date, Kind::Stamp, Kind::StampTz][rng.usize(..3)];
        let delete = rng.usize(..3) > 0;
        let rows = [300, 2000, 8000][rng.usize(..3)];
        let (partitioned, indexed, child) = (rng.usize(..3) == 0, rng.bool(), rng.bool());
        let name = match kind {
            Kind::Date => "date",
            Kind::Stamp => "timestamp",
            _ => "timestamptz",
        };
        let key = if partitioned {
            "PRIMARY KEY (\"Id\", \"at\"\"\")"
        } else {
            "PRIMARY KEY (\"Id\")"
        };
        let by = if partitioned {
            " PARTITION BY RANGE (\"at\"\"\")"
        } else {
            ""
        };
        let mut sql = format!(
            "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1), (2), (3); \
             CREATE TABLE \"T; --\" (\"Id\" int, \"at\"\"\" {name} NOT NULL, secret text, note text, parent int{}, {key}){by};",
            if child {
                " REFERENCES parent ON DELETE CASCADE"
            } else {
                ""
            }
        );
        if partitioned {
            // The cutoff is 2025-06-01: one partition is due as a whole, one in part, one not.
            sql.push_str(
                "CREATE TABLE p1 PARTITION OF \"T; --\" FOR VALUES FROM (MINVALUE) TO ('2025-03-01'); \
                 CREATE TABLE p2 PARTITION OF \"T; --\" FOR VALUES FROM ('2025-03-01') TO ('2025-07-01'); \
                 CREATE TABLE p3 PARTITION OF \"T; --\" DEFAULT;",
            );
        }
        if indexed {
            sql.push_str("CREATE INDEX ON \"T; --\" (\"at\"\"\");");
        }
        let action = if delete {
            "\"delete\""
        } else {
            r#"{"anonymise": {"secret": "null"}}"#
        };
        let policy = format!(
            r#"{{"guards": {{"all_due_from_rows": 1000000, "max_cutoff_factor": 1000000.0}},
               "rules": [{{"name": "r", "table": "public.T; --", "action": {action}, "age": {{"column": "at\"", "days": {DAYS}}}}}]}}"#
        );
        Self {
            kind,
            rows,
            delete,
            sql,
            policy,
        }
    }

    fn age(&self, rng: &mut Rng, cutoff: i64) -> (String, bool) {
        let near = rng.bool();
        let moment = cutoff
            + if near {
                rng.i64(-3 * DAY..3 * DAY)
            } else {
                rng.i64(-300 * DAY..100 * DAY)
            };
        let moment = if self.kind == Kind::Date {
            moment.div_euclid(DAY) * DAY
        } else {
            moment
        };
        (time::text(Moment::At(moment), self.kind), moment < cutoff)
    }
}

fn one(server: &Server, session: &Session<'_>, database: &str, setup: &Setup, rng: &mut Rng) -> Result<Seen, String> {
    let cutoff = time::days(2025, 6, 1) * DAY;
    let as_of = format!(
        "{}Z",
        time::text(Moment::At(cutoff + DAYS * DAY), Kind::Stamp).replace(' ', "T")
    );
    session.sql(&setup.sql);
    let mut log: BTreeMap<i64, Last> = BTreeMap::new();
    let insert = |log: &mut BTreeMap<i64, Last>, rng: &mut Rng, id: i64, touched: bool| {
        let (age, due) = setup.age(rng, cutoff);
        log.insert(
            id,
            Last {
                always_due: due,
                ever_due: due,
                due,
                touched,
                deleted: false,
            },
        );
        format!("({id}, '{age}', 'secret', 'note', {})", rng.i32(1..=3))
    };
    for from in (0..setup.rows).step_by(1000) {
        let values: Vec<String> = (from..(from + 1000).min(setup.rows))
            .map(|id| insert(&mut log, rng, id, false))
            .collect();
        session.sql(&format!("INSERT INTO \"T; --\" VALUES {}", values.join(", ")));
    }
    session.sql("ANALYZE");
    let mut running = Running::start(&mut server.night(database, &setup.policy, Some(&as_of)));
    let end = Instant::now() + PATIENCE;
    let mut next = setup.rows;
    let mut seen = Seen::default();
    // A little longer than the job, so that it does not end in peace.
    while !running.has_ended() {
        if Instant::now() > end {
            return Err(format!("it hangs; {}", running.kill().stderr));
        }
        if next > setup.rows * 2 {
            std::thread::sleep(Duration::from_millis(2));
        }
        write(session, setup, rng, cutoff, &mut log, &mut next, &insert);
        seen.writes += 1;
    }
    let ended = running.wait();
    let told =
        serde_json::from_str::<serde_json::Value>(ended.stdout.trim()).map_err(|_| format!("no result: {ended:?}"))?;
    // Rows that the writer makes due behind the sweep are lawful residue.
    if !matches!(ended.code, Some(0 | 1)) {
        return Err(format!("exit code {ended:?}"));
    }
    let rows = told["rules"][0]["rows"].as_i64().unwrap_or(-1);
    seen.rows = u64::try_from(rows).unwrap_or(0);
    let audited = session.number("SELECT coalesce(sum(rows), 0)::int8 FROM retention.audit");
    if audited != rows {
        return Err(format!("{rows} rows told, {audited} in the audit"));
    }
    judge(session, setup, &log, rows)?;
    let ended = server.patiently(&mut server.night(database, &setup.policy, Some(&as_of)))?;
    if ended.code != Some(0) {
        return Err(format!("with nobody else there: {ended:?}"));
    }
    let left = if setup.delete { "" } else { " AND secret IS NOT NULL" };
    let due = session.number(&format!(
        "SELECT count(*) FROM \"T; --\" WHERE \"at\"\"\" < '2025-06-01'{left}"
    ));
    if due != 0 {
        return Err(format!("{due} due rows are left after a quiet night"));
    }
    Ok(seen)
}

type Insert<'a> = dyn Fn(&mut BTreeMap<i64, Last>, &mut Rng, i64, bool) -> String + 'a;

/// One statement of the writer, with its entry in the log.
fn write(
    session: &Session<'_>,
    setup: &Setup,
    rng: &mut Rng,
    cutoff: i64,
    log: &mut BTreeMap<i64, Last>,
    next: &mut i64,
    insert: &Insert<'_>,
) {
    let id = rng.i64(0..*next);
    let happened = |sql: &str| !session.rows(&format!("{sql} RETURNING \"Id\"")).is_empty();
    match rng.usize(..6) {
        0 | 1 => {
            let values = insert(log, rng, *next, true);
            *next += 1;
            session.sql(&format!("INSERT INTO \"T; --\" VALUES {values}"));
        }
        2 | 3 => {
            let (age, due) = setup.age(rng, cutoff);
            if happened(&format!(
                "UPDATE \"T; --\" SET \"at\"\"\" = '{age}' WHERE \"Id\" = {id}"
            )) {
                let last = log.get_mut(&id).expect("a row that was there is in the log");
                *last = Last {
                    always_due: last.always_due && due,
                    ever_due: last.ever_due || due,
                    due,
                    touched: true,
                    deleted: false,
                };
            }
        }
        4 if happened(&format!("DELETE FROM \"T; --\" WHERE \"Id\" = {id}")) => {
            log.get_mut(&id).expect("a row that was there is in the log").deleted = true;
        }
        _ => {
            // New versions, and a lock on the row above.
            if happened(&format!(
                "UPDATE \"T; --\" SET note = note || 'x', parent = {} WHERE \"Id\" = {id}",
                rng.i32(1..=3)
            )) {
                log.get_mut(&id).expect("a row that was there is in the log").touched = true;
            }
        }
    }
}

fn judge(session: &Session<'_>, setup: &Setup, log: &BTreeMap<i64, Last>, rows: i64) -> Result<(), String> {
    let found: BTreeMap<i64, bool> = session
        .rows("SELECT \"Id\", secret IS NULL FROM \"T; --\"")
        .into_iter()
        .map(|row| {
            (
                row[0].as_ref().unwrap().parse().unwrap(),
                row[1].as_deref() == Some("t"),
            )
        })
        .collect();
    let mut gone = 0;
    let mut changed = 0;
    for (id, last) in log {
        let there = found.get(id);
        match there {
            Some(_) if last.deleted => return Err(format!("row {id} was deleted and is there: {last:?}")),
            None if !last.deleted && !setup.delete => {
                return Err(format!("row {id} is gone, and nobody deleted it: {last:?}"));
            }
            None if !last.deleted && !last.due => {
                return Err(format!("row {id} is gone, and is not due by its last state: {last:?}"));
            }
            None if !last.deleted => gone += 1,
            Some(true) if !last.ever_due => return Err(format!("row {id} is anonymised, and was never due: {last:?}")),
            Some(true) => changed += 1,
            Some(false) if last.always_due && !last.touched => {
                return Err(format!("row {id} is due, nobody touched it, and it is left: {last:?}"));
            }
            _ => {}
        }
    }
    if found.keys().any(|id| !log.contains_key(id)) {
        return Err("there is a row that nobody wrote".to_owned());
    }
    if setup.delete && gone != rows {
        return Err(format!("{gone} rows are gone, {rows} were told"));
    }
    // Rows that were anonymised may have been deleted by the writer after that.
    if !setup.delete && changed > rows {
        return Err(format!("{changed} rows are anonymised, {rows} were told"));
    }
    if session.number("SELECT count(*) FROM parent") != 3 {
        return Err("rows of the table above are gone".to_owned());
    }
    Ok(())
}
