//! Owns a random case: tables and rows, a policy, holds, and the same as plain SQL.

use fastrand::Rng;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Names that a careless program falls over.
const NAMES: [&str; 6] = [
    "plain",
    "MiXed",
    "with space",
    "dot.ted",
    "qu\"ote\"; DROP TABLE x; --",
    "sélect",
];
const AGES: [&str; 3] = ["timestamptz", "timestamp", "date"];

/// A case.
pub(crate) struct Case {
    /// Creates and fills everything.
    pub(crate) schema: String,
    /// The policy, as JSON.
    pub(crate) policy: String,
    /// One pass of plain SQL.
    pub(crate) model: String,
    /// Quoted names of all tables.
    pub(crate) tables: Vec<String>,
    /// Arguments of `hold add`.
    pub(crate) holds: Vec<Vec<String>>,
    /// Tables (quoted) whose rows go only by this rule.
    pub(crate) deleting: Vec<(String, String)>,
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A term, as the policy and as SQL say it.
fn term(rng: &mut Rng) -> (Value, String) {
    if rng.bool() {
        let days = rng.u32(1..60);
        (json!({ "days": days }), format!("interval '{days} days'"))
    } else {
        let months = rng.u32(1..4);
        (json!({ "months": months }), format!("interval '{months} months'"))
    }
}

/// An age around the cutoff of `back`, as SQL over `i`: NULL, both infinities, the cutoff itself, a microsecond beside it.
fn ages(rng: &mut Rng, kind: &str, back: &str) -> String {
    let exact = format!("(timestamp '2026-03-29 01:30:00' - {back})");
    let spread = rng.u32(30..4000);
    let value = format!(
        "CASE i % 13 WHEN 0 THEN NULL WHEN 1 THEN timestamp 'infinity' WHEN 2 THEN timestamp '-infinity' WHEN 3 THEN {exact} \
         WHEN 4 THEN {exact} - interval '1 microsecond' WHEN 5 THEN {exact} + interval '1 microsecond' ELSE {exact} + (((i * \
         7919) % {spread}) - {}) * interval '1 hour' END",
        spread / 2
    );
    match kind {
        "timestamptz" => format!("({value}) AT TIME ZONE 'UTC'"),
        "date" => format!("({value})::date"),
        _ => value,
    }
}

/// Due by age, as the manual says it.
fn due(kind: &str, column: &str, back: &str) -> String {
    let cutoff = format!("(timestamp '2026-03-29 01:30:00' - {back})");
    match kind {
        "timestamptz" => format!("t.{column} < {cutoff} AT TIME ZONE 'UTC'"),
        "date" => format!("t.{column} < {cutoff}::date"),
        _ => format!("t.{column} < {cutoff}"),
    }
}

impl Case {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed).fork();
        let rng = &mut rng;
        let mut case = Self {
            schema: "SET TimeZone = 'UTC';\n".to_owned(),
            policy: String::new(),
            model: String::new(),
            tables: Vec::new(),
            holds: Vec::new(),
            deleting: Vec::new(),
        };
        let mut rules = Vec::new();
        case.log(rng, &mut rules);
        case.partitions(rng, &mut rules);
        case.family(rng, &mut rules);
        case.anonymous(rng, &mut rules);
        // Whatever is due: guards are tested elsewhere.
        let guards = json!({ "all_due_from_rows": 1_000_000_000_u64, "max_cutoff_factor": 1_000_000.0 });
        case.policy = json!({ "rules": rules, "guards": guards }).to_string();
        case
    }

    /// A plain table with conditions, with or without an index.
    fn log(&mut self, rng: &mut Rng, rules: &mut Vec<Value>) {
        let (name, column, kind) = (
            *rng.choice(&NAMES).unwrap(),
            *rng.choice(&NAMES).unwrap(),
            *rng.choice(&AGES).unwrap(),
        );
        let name = format!("log {name}");
        let (table, at) = (quoted(&name), quoted(&format!("at {column}")));
        let (policy_term, back) = term(rng);
        let rows = rng.u32(0..3000);
        let ages = ages(rng, kind, &back);
        let _ = writeln!(
            self.schema,
            "CREATE TABLE {table} (id int PRIMARY KEY, {at} {kind}, kind text, n int, twice int GENERATED ALWAYS AS (n * 2) STORED);\n\
             INSERT INTO {table} (id, {at}, kind, n) SELECT i, {ages}, (ARRAY['a', 'b', NULL, ''])[i % 4 + 1], i % 10 FROM \
             generate_series(1, {rows}) AS i ORDER BY {};",
            rng.choice(["i", "(i * 7919) % 3001", "-i"]).unwrap()
        );
        if rng.bool() {
            let _ = writeln!(self.schema, "CREATE INDEX ON {table} ({at}); ANALYZE {table};");
        }
        let (conditions, sql) = match rng.u32(0..6) {
            0 => (json!([]), "true"),
            1 => (
                json!([{ "column": "kind", "op": "in", "value": ["a", ""] }]),
                "t.kind IN ('a', '')",
            ),
            2 => (json!([{ "column": "kind", "op": "is_null" }]), "t.kind IS NULL"),
            3 => (json!([{ "column": "kind", "op": "ne", "value": "a" }]), "t.kind <> 'a'"),
            4 => (
                json!([{ "column": "n", "op": "ge", "value": 5 }, { "column": "twice", "op": "lt", "value": 16 }]),
                "t.n >= 5 AND t.twice < 16",
            ),
            _ => (
                json!([{ "column": "kind", "op": "not_in", "value": ["a", "b"] }]),
                "t.kind NOT IN ('a', 'b')",
            ),
        };
        let mut age = policy_term;
        age["column"] = json!(format!("at {column}"));
        let mut rule = json!({
            "name": "log", "table": { "schema": "public", "name": name }, "action": "delete", "age": age,
        });
        if conditions != json!([]) {
            rule["where"] = conditions;
        }
        rules.push(rule);
        let mut held = "false".to_owned();
        if rng.bool() {
            self.hold(&name, "n", "3");
            "t.n = 3".clone_into(&mut held);
        }
        let _ = writeln!(
            self.model,
            "DELETE FROM {table} AS t WHERE {} AND ({sql}) AND NOT coalesce({held}, false);",
            due(kind, &at, &back)
        );
        self.deleting.push((table.clone(), "log".to_owned()));
        self.tables.push(table);
    }

    /// Partitions by range of the age, some of them due as a whole, with or without a default one.
    fn partitions(&mut self, rng: &mut Rng, rules: &mut Vec<Value>) {
        let kind = *rng.choice(&AGES).unwrap();
        let days = rng.u32(10..80);
        let back = format!("interval '{days} days'");
        let width = rng.u32(7..40);
        let table = "events";
        let _ = writeln!(
            self.schema,
            "CREATE TABLE {table} (id int, at {kind} NOT NULL, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
        );
        for part in 0..8 {
            let bound = |n: u32| format!("'{}'", day(150 - i64::from(n * width)));
            let _ = writeln!(
                self.schema,
                "CREATE TABLE \"part {part}\" PARTITION OF {table} FOR VALUES FROM ({}) TO ({});",
                bound(part + 1),
                bound(part)
            );
        }
        let default = rng.bool();
        if default {
            let _ = writeln!(self.schema, "CREATE TABLE other PARTITION OF {table} DEFAULT;");
        }
        let rows = rng.u32(0..2000);
        let (from, to) = (day(150 - i64::from(8 * width)), day(150));
        let _ = writeln!(
            self.schema,
            "INSERT INTO {table} SELECT i, timestamp '{from}' + ((i * 104729) % greatest(1, (timestamp '{to}'::date - date \
             '{from}') * 24)) * interval '1 hour', 'v' FROM generate_series(1, {rows}) AS i;"
        );
        if default {
            let _ = writeln!(
                self.schema,
                "INSERT INTO {table} SELECT 1000000 + i, timestamp '2019-01-01' + i * interval '1 day', 'old' FROM \
                 generate_series(1, 20) AS i;"
            );
        }
        rules.push(json!({
            "name": "events", "table": "public.events", "action": "delete", "age": { "column": "at", "days": days },
        }));
        let mut held = "false";
        if rng.u32(0..3) == 0 {
            self.hold("events", "id", "7");
            held = "t.id = 7";
        }
        let _ = writeln!(
            self.model,
            "DELETE FROM {table} AS t WHERE {} AND NOT ({held});",
            due(kind, "at", &back)
        );
        self.deleting.push((table.to_owned(), "events".to_owned()));
        self.tables.push(table.to_owned());
    }

    /// Parents, children that refer to them in every way that there is, and themselves.
    fn family(&mut self, rng: &mut Rng, rules: &mut Vec<Value>) {
        let on_delete = *rng.choice(&["NO ACTION", "RESTRICT", "CASCADE", "SET NULL"]).unwrap();
        let takes_along = matches!(on_delete, "CASCADE" | "SET NULL");
        let cascade = takes_along && rng.bool();
        let own = !cascade && rng.bool();
        let (parent, child) = ("\"Parents\"", "\"chil\"\"dren\"");
        let rows = rng.u32(1..400);
        let (parent_days, child_days) = (rng.u32(5..60), rng.u32(5..60));
        let (parent_back, child_back) = (
            format!("interval '{parent_days} days'"),
            format!("interval '{child_days} days'"),
        );
        let (parent_ages, child_ages) = (
            ages(rng, "timestamptz", &parent_back),
            ages(rng, "timestamp", &child_back),
        );
        let boss = if own {
            format!(", boss int REFERENCES {parent} ON DELETE NO ACTION")
        } else {
            ", boss int".to_owned()
        };
        let _ = writeln!(
            self.schema,
            "CREATE TABLE {parent} (\"Id\" int PRIMARY KEY, at timestamptz{boss});\n\
             INSERT INTO {parent} SELECT i, {parent_ages}, CASE WHEN i > 3 AND i % 3 = 0 THEN i / 2 END FROM generate_series(1, {rows}) AS i;\n\
             CREATE INDEX ON {parent} (boss);\n\
             CREATE TABLE {child} (id int PRIMARY KEY, parent int REFERENCES {parent} ON DELETE {on_delete}, at timestamp);\n\
             INSERT INTO {child} SELECT i, CASE WHEN i % 5 > 0 THEN (i * 31) % {rows} + 1 END, {child_ages} FROM generate_series(1, {}) AS i;\n\
             CREATE INDEX ON {child} (parent);",
            rows / 2
        );
        let parent_rule = json!({
            "name": "parents", "table": "public.Parents", "action": "delete", "age": { "column": "at", "days": parent_days },
            "on_children": if cascade { "cascade" } else { "keep" },
        });
        let child_rule = json!({
            "name": "children", "table": "public.chil\"dren", "action": "delete", "age": { "column": "at", "days": child_days },
        });
        // The order of the document must not matter.
        if rng.bool() {
            rules.extend([parent_rule, child_rule]);
        } else {
            rules.extend([child_rule, parent_rule]);
        }
        let (mut held_parent, mut held_child) = ("false".to_owned(), "false".to_owned());
        match rng.u32(0..3) {
            0 => {
                self.hold("Parents", "Id", "2");
                "t.\"Id\" = 2".clone_into(&mut held_parent);
                "t.parent = 2".clone_into(&mut held_child);
                if own {
                    // Whom the held one works for is kept for its sake, and who works for it with it: all that refer to it.
                    held_parent = tree(parent, "2", true);
                    held_child = format!(
                        "t.parent IN (WITH RECURSIVE down AS (SELECT 2 AS id UNION SELECT p.\"Id\" FROM {parent} p JOIN down ON \
                         p.boss = down.id) SELECT id FROM down)"
                    );
                }
            }
            1 => {
                self.hold("chil\"dren", "id", "3");
                "t.id = 3".clone_into(&mut held_child);
                held_parent = format!("t.\"Id\" = (SELECT c.parent FROM {child} c WHERE c.id = 3)");
                if own {
                    held_parent = tree(
                        parent,
                        &format!("(SELECT c.parent FROM {child} c WHERE c.id = 3)"),
                        false,
                    );
                }
            }
            _ => {}
        }
        let refers = format!("EXISTS (SELECT FROM {child} c WHERE c.parent = t.\"Id\")");
        let boss = if own {
            format!("EXISTS (SELECT FROM {parent} p WHERE p.boss = t.\"Id\" AND p.\"Id\" <> t.\"Id\")")
        } else {
            "false".to_owned()
        };
        let stays = if cascade { boss } else { format!("{refers} OR {boss}") };
        let _ = writeln!(
            self.model,
            "DELETE FROM {child} AS t WHERE {} AND NOT coalesce({held_child}, false);\n\
             DELETE FROM {parent} AS t WHERE {} AND NOT coalesce({held_parent}, false) AND NOT ({stays});",
            due("timestamp", "at", &child_back),
            due("timestamptz", "at", &parent_back)
        );
        self.deleting.push((parent.to_owned(), "parents".to_owned()));
        if !(cascade && on_delete == "CASCADE") {
            self.deleting.push((child.to_owned(), "children".to_owned()));
        }
        self.tables.extend([parent.to_owned(), child.to_owned()]);
    }

    /// Columns that are made anonymous, on a table with or without an index on them.
    fn anonymous(&mut self, rng: &mut Rng, rules: &mut Vec<Value>) {
        let (policy_term, back) = term(rng);
        let kind = *rng.choice(&AGES).unwrap();
        let ages = ages(rng, kind, &back);
        let rows = rng.u32(0..4000);
        let _ = writeln!(
            self.schema,
            "CREATE TABLE people (id int PRIMARY KEY, at {kind}, email text, ip inet, born date, seen timestamptz, note varchar(20) NOT \
             NULL, keep text, shout text GENERATED ALWAYS AS (upper(email)) STORED);\n\
             INSERT INTO people (id, at, email, ip, born, seen, note, keep) SELECT i, {ages}, CASE WHEN i % 7 > 0 THEN 'u' || i || '@x' END, \
             CASE i % 3 WHEN 0 THEN ('192.0.2.' || i % 250)::inet WHEN 1 THEN ('2001:db8::' || i % 9999)::inet END, date '1970-05-17' + i, \
             timestamptz '2020-02-29 23:59:59.5+00' + i * interval '1 hour', 'n' || i, 'k' || i FROM generate_series(1, {rows}) AS i;"
        );
        if rng.u32(0..3) == 0 {
            let _ = writeln!(self.schema, "CREATE INDEX ON people (email);");
        }
        let mut age = policy_term;
        age["column"] = json!("at");
        rules.push(json!({
            "name": "people", "table": "public.people", "age": age,
            "action": { "anonymise": {
                "email": "null", "ip": { "truncate_ip": { "v4": 24, "v6": 48 } }, "born": { "generalise_date": "year" },
                "seen": { "generalise_date": "month" }, "note": { "constant": "gone" },
            } },
        }));
        let mut held = "false";
        if rng.bool() {
            self.hold("people", "keep", "k5");
            held = "t.keep = 'k5'";
        }
        let _ = writeln!(
            self.model,
            "UPDATE people AS t SET email = NULL, ip = set_masklen(network(set_masklen(ip, CASE family(ip) WHEN 4 THEN 24 ELSE 48 \
             END))::inet, CASE family(ip) WHEN 4 THEN 24 ELSE 48 END), born = date_trunc('year', born)::date, seen = date_trunc('month', \
             seen), note = 'gone' WHERE {} AND NOT coalesce({held}, false);",
            due(kind, "at", &back)
        );
        self.tables.push("people".to_owned());
    }

    fn hold(&mut self, table: &str, column: &str, value: &str) {
        let table = format!("public.{table}");
        let args = [
            "hold", "add", "--table", &table, "--column", column, "--value", value, "--reason", "a case",
        ];
        self.holds.push(args.map(str::to_owned).to_vec());
    }
}

/// All who are above `id` (and, with `down`, below it) are held with it.
fn tree(parent: &str, id: &str, down: bool) -> String {
    let up = format!(
        "t.\"Id\" IN (WITH RECURSIVE up AS (SELECT {id} AS id UNION SELECT p.boss FROM {parent} p JOIN up ON p.\"Id\" = up.id WHERE \
         p.boss IS NOT NULL) SELECT id FROM up WHERE id IS NOT NULL)"
    );
    if !down {
        return up;
    }
    format!(
        "({up} OR t.\"Id\" IN (WITH RECURSIVE down AS (SELECT {id} AS id UNION SELECT p.\"Id\" FROM {parent} p JOIN down ON p.boss = \
         down.id) SELECT id FROM down))"
    )
}

/// So many days after 2025-11-02.
fn day(offset: i64) -> String {
    let start: jiff::civil::Date = "2025-11-02".parse().unwrap();
    let day = start.checked_add(jiff::Span::new().days(offset)).unwrap();
    day.to_string()
}
