//! A hold that is placed in the middle of a run: when `hold add` has returned, no later batch touches what it holds, also
//! through foreign keys, up and down.

use libtest_mimic::Trial;
use program::Running;
use retention_faults::World;

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        plain("holds::on_a_row_in_the_middle", || placed("orders", 380, hold)),
        plain("holds::on_a_parent", || placed("customers", 95, hold)),
        plain("holds::on_a_child", || placed("lines", 1520, hold)),
        plain("holds::written_by_hand", || placed("orders", 380, by_hand)),
        plain("holds::while_rows_are_anonymised", anonymised),
        plain("holds::in_a_form_that_matches_nothing", misprinted),
    ]
}

/// Children first: lines, orders, customers. Of each customer four orders, of each order four lines.
const POLICY: &str = "
rules:
  - {name: old-lines, table: public.lines, action: delete, age: {column: at, days: 90}}
  - {name: old-orders, table: public.orders, action: delete, age: {column: at, days: 90}}
  - {name: old-customers, table: public.customers, action: delete, age: {column: at, days: 90}}
";

/// Few rows a page, so that batches are small; each of them takes a while until the test has seen what it came for.
const TABLES: &str = "
CREATE TABLE customers (id int PRIMARY KEY, at timestamptz NOT NULL, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, at timestamptz NOT NULL, what text);
CREATE TABLE lines (id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders, at timestamptz NOT NULL, what text, filler text);
CREATE INDEX ON orders (customer_id); CREATE INDEX ON lines (order_id);
INSERT INTO customers SELECT n, '2001-01-01', 'c' || n FROM generate_series(1, 100) AS n;
INSERT INTO orders SELECT n, (n + 3) / 4, '2001-01-01', 'o' || n FROM generate_series(1, 400) AS n;
INSERT INTO lines SELECT n, (n + 3) / 4, '2001-01-01', 'l' || n, repeat('x', 700) FROM generate_series(1, 1600) AS n;
INSERT INTO customers SELECT n, now(), '' FROM generate_series(10001, 10300) AS n;
INSERT INTO orders SELECT n, n, now(), '' FROM generate_series(10001, 10300) AS n;
INSERT INTO lines SELECT n, n, now(), '' FROM generate_series(10001, 10300) AS n;
ANALYZE;
CREATE TABLE public.go ();
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NOT EXISTS (SELECT FROM public.go) THEN PERFORM pg_catalog.pg_sleep(0.01); END IF; RETURN OLD; END $$;
CREATE TRIGGER wait BEFORE DELETE ON lines FOR EACH ROW EXECUTE FUNCTION wait();
CREATE TRIGGER wait BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION wait();
";

/// From here on rows go as fast as they can.
const GO: &str = "INSERT INTO public.go DEFAULT VALUES";

/// Everything that hangs together with a row, as it stands, versions included: the rows of which it consists are held.
fn family(table: &str, id: i32) -> String {
    let customers = match table {
        "customers" => format!("c.id = {id}"),
        "orders" => format!("c.id IN (SELECT customer_id FROM orders WHERE id = {id})"),
        _ => {
            format!("c.id IN (SELECT o.customer_id FROM orders o JOIN lines l ON l.order_id = o.id WHERE l.id = {id})")
        }
    };
    let orders = match table {
        "customers" => format!("o.customer_id = {id}"),
        "orders" => format!("o.id = {id}"),
        _ => format!("o.id IN (SELECT order_id FROM lines WHERE id = {id})"),
    };
    let lines = match table {
        "customers" => format!("l.order_id IN (SELECT id FROM orders WHERE customer_id = {id})"),
        "orders" => format!("l.order_id = {id}"),
        _ => format!("l.id = {id}"),
    };
    format!(
        "SELECT string_agg(row, ' ' ORDER BY row) FROM (SELECT 'c' || c.ctid || c.xmin || c AS row FROM customers c WHERE {customers} \
         UNION ALL SELECT 'o' || o.ctid || o.xmin || o FROM orders o WHERE {orders} \
         UNION ALL SELECT 'l' || l.ctid || l.xmin || l FROM lines l WHERE {lines}) AS family"
    )
}

#[track_caller]
fn hold(world: &World, table: &str, id: i32) {
    let (table, id) = (format!("public.{table}"), id.to_string());
    let args = [
        "hold", "add", "--reason", "case 12", "--table", &table, "--column", "id", "--value", &id,
    ];
    world.ends(&mut world.job(args), 0);
}

/// As somebody does who knows SQL and not the program.
#[track_caller]
fn by_hand(world: &World, table: &str, id: i32) {
    world.sql(&format!(
        "INSERT INTO retention.hold (table_schema, table_name, column_name, value, reason, placed_by) \
         VALUES ('public', '{table}', 'id', '{id}', 'case 12', 'me')"
    ));
}

fn placed(table: &str, id: i32, place: fn(&World, &str, i32)) {
    let world = World::new();
    world.sql(TABLES);
    let running = Running::start(&mut world.night(POLICY));
    world.batches(2);
    place(&world, table, id);
    let looking = world.open();
    let held = looking
        .value(&family(table, id))
        .expect("the end of the table is not reached yet");
    let left = looking.number("SELECT count(*) FROM lines WHERE at < '2020-01-01'");
    assert!(
        left > 200,
        "{left} lines are left: the hold came too late to show anything"
    );
    // Its chain of foreign keys, complete.
    let rows = held.matches('(').count() / 2;
    let complete = match table {
        "customers" => 1 + 4 + 16,
        "orders" => 1 + 1 + 4,
        _ => 3,
    };
    assert_eq!(rows, complete, "{held}");
    world.sql(GO);
    let ended = running.wait();
    assert_eq!(
        looking.value(&family(table, id)).as_deref(),
        Some(held.as_str()),
        "a held row was touched"
    );
    let told = ended.json();
    world.at_rest();
    for (rule, table, of) in [
        ("old-lines", "lines", 1600),
        ("old-orders", "orders", 400),
        ("old-customers", "customers", 100),
    ] {
        let left = looking.number(&format!("SELECT count(*) FROM {table} WHERE at < '2020-01-01'"));
        let audited = looking.number(&format!("SELECT sum(rows) FROM retention.audit WHERE rule = '{rule}'"));
        assert_eq!(of - left, audited, "{rule}: gone, audited");
        assert_eq!(
            looking.number(&format!("SELECT count(*) FROM {table} WHERE at > '2020-01-01'")),
            300
        );
        let result = told["rules"]
            .as_array()
            .unwrap()
            .iter()
            .find(|result| result["rule"] == rule)
            .unwrap();
        // Rows are left because they are held, and for no other reason.
        assert_eq!(
            (&result["residue"], &result["held"], &result["blocked"]),
            (&0.into(), &left.into(), &0.into()),
            "{told}"
        );
    }
    // Held rows are lawful.
    assert_eq!(ended.code, Some(0), "{ended:?}");
    world.verified("receipts");
    // Once it is released they go.
    world.ends(&mut world.job(["hold", "release", "1", "--reason", "closed"]), 0);
    world.ends(&mut world.night(POLICY), 0);
    for table in ["lines", "orders", "customers"] {
        assert_eq!(
            looking.number(&format!("SELECT count(*) FROM {table} WHERE at < '2020-01-01'")),
            0,
            "{table}"
        );
    }
}

/// Rows of a table, of 40 subjects each, that take their time to be anonymised.
fn slow(key: &str) -> String {
    format!(
        "CREATE TABLE tx (id int PRIMARY KEY, at timestamptz NOT NULL, card text, who {key}, filler text); \
         INSERT INTO tx SELECT n, '2001-01-01', '4242', n % 100, repeat('x', 500) FROM generate_series(1, 4000) AS n; \
         INSERT INTO tx SELECT n, now(), '4242', 1 FROM generate_series(100001, 100300) AS n; ANALYZE tx; \
         CREATE TABLE public.go (); \
         CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF NOT EXISTS (SELECT FROM public.go) THEN PERFORM pg_catalog.pg_sleep(0.005); END IF; RETURN NEW; END $$; \
         CREATE TRIGGER wait BEFORE UPDATE ON tx FOR EACH ROW EXECUTE FUNCTION wait()"
    )
}

const ANONYMISE: &str = "rules: [{name: old-tx, table: public.tx, action: {anonymise: {card: \"null\"}}, age: {column: at, days: 90}, subject_column: who}]";

fn anonymised() {
    let world = World::new();
    world.sql(&slow("text"));
    let running = Running::start(&mut world.night(ANONYMISE));
    world.batches(2);
    world.ends(
        &mut world.job(["hold", "add", "--subject", "7", "--reason", "case 13"]),
        0,
    );
    let looking = world.open();
    let rows =
        "SELECT string_agg(ctid::text || xmin::text, ' ' ORDER BY id) FROM tx WHERE who = '7' AND card IS NOT NULL";
    let held = looking.value(rows).expect("some are not done yet");
    let count = looking.number("SELECT count(*) FROM tx WHERE who = '7' AND card IS NOT NULL");
    world.sql(GO);
    let ended = running.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        looking.value(rows).as_deref(),
        Some(held.as_str()),
        "a held row was touched"
    );
    let left = looking.number("SELECT count(*) FROM tx WHERE at < '2020-01-01' AND card IS NOT NULL");
    assert_eq!(left, count, "everything else is done");
    assert_eq!(looking.number("SELECT sum(rows) FROM retention.audit"), 4000 - left);
    assert_eq!(
        looking.number("SELECT count(card) FROM tx WHERE at > '2020-01-01'"),
        300
    );
    world.verified("receipts");
}

/// Keys are numbers, and the hold says `0000007`: it protects nobody, so nothing is done until somebody has looked at it.
fn misprinted() {
    let world = World::new();
    world.sql(&slow("int"));
    let running = Running::start(&mut world.night(ANONYMISE));
    world.batches(2);
    world.ends(
        &mut world.job(["hold", "add", "--subject", "0000007", "--reason", "case 14"]),
        0,
    );
    let looking = world.open();
    let rows = "SELECT count(*) FROM tx WHERE at < '2020-01-01' AND card IS NOT NULL";
    let left = looking.number(rows);
    assert!(
        left > 200,
        "{left} rows are left: the hold came too late to show anything"
    );
    world.sql(GO);
    let ended = running.wait();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("`retention-job hold release 1`"), "{ended:?}");
    // What is wrong is told without the key, which is long enough not to be in a time or a digest by accident.
    assert!(!ended.stderr.contains("0000007"), "{ended:?}");
    assert_eq!(looking.number(rows), left, "something was done under the hold");
    assert_eq!(looking.number("SELECT sum(rows) FROM retention.audit"), 4000 - left);
    world.verified("receipts");
    // The next night does not even begin.
    let next = world.ends(&mut world.night(ANONYMISE), 2);
    assert!(next.stderr.contains("would match no row"), "{next:?}");
    world.ends(
        &mut world.job(["hold", "add", "--subject", "7", "--reason", "case 14"]),
        0,
    );
    world.ends(&mut world.job(["hold", "release", "1", "--reason", "misprinted"]), 0);
    world.ends(&mut world.night(ANONYMISE), 0);
    let held = looking.number("SELECT count(*) FROM tx WHERE at < '2020-01-01' AND card IS NOT NULL");
    assert!((1..=40).contains(&held), "{held} of the subject's rows");
    assert_eq!(
        looking.number("SELECT count(*) FROM tx WHERE at < '2020-01-01' AND card IS NOT NULL AND who <> 7"),
        0
    );
}
