//! Which rows are held, on a real server.

pub mod model;

use crate::support::{Db, anonymise, db, erasure, policy, rule, table};
use pg_cluster::{Major, Unavailable, or_skip};
use pg_session::Sql;
use retention_plan::catalog::Catalog;
use retention_plan::holds::{HoldError, HoldRules};
use retention_policy::{ErasureAction, ErasureTable, OnChildren, Policy, Reach, Rule, Transform};
use retention_store::hold::{self, HeldColumn, NewHold};
use std::time::Duration;

async fn with_schema(major: Major, sql: &str) -> Db {
    let db = db(major, sql).await;
    retention_store::ensure(&db.session).await.unwrap();
    db
}

async fn place(db: &Db, on: Option<(&str, &str)>, value: &str) -> i64 {
    let on = on.map(|(of, column)| {
        let of = table(of);
        HeldColumn {
            schema: of.schema,
            table: of.name,
            column: column.to_owned(),
        }
    });
    let new = NewHold {
        on: on.as_ref(),
        value,
        reason: "test",
        placed_by: None,
    };
    hold::add(&db.session, &new, Duration::from_secs(5)).await.unwrap().id
}

/// The ids of the held rows of a table; the predicate is never NULL.
async fn held(db: &Db, catalog: &Catalog, policy: &Policy, of: &str, deletes: bool) -> Vec<i32> {
    let rules = HoldRules::new(catalog, policy);
    let active = hold::structure(&db.session).await.unwrap();
    let name = table(of);
    let relation = &catalog.find(&name.schema, &name.name).unwrap().relation;
    let Some(predicate) = rules.predicate(relation.oid, deletes, &active).unwrap() else {
        return Vec::new();
    };
    let sql = Sql::text("SELECT t.id, (")
        .append(&predicate)
        .raw(format!(") FROM {} AS t ORDER BY 1", relation.quoted()));
    let rows = db.session.query(&sql).await.unwrap();
    rows.iter()
        .filter(|row| row.get::<_, Option<bool>>(1).expect("never NULL"))
        .map(|row| row.get(0))
        .collect()
}

/// A column whose collation calls large and small letters equal holds as it compares.
pub async fn holds_follow_the_columns_collation(major: Major) {
    let db = with_schema(major, "").await;
    let icu = !db
        .texts("SELECT collname FROM pg_collation WHERE collprovider = 'i' LIMIT 1")
        .await
        .is_empty();
    if or_skip(Unavailable::unless(
        icu,
        "collations of ICU",
        "this PostgreSQL was built without",
    ))
    .is_none()
    {
        return;
    }
    db.run(
        "CREATE COLLATION \"No Case\" (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE DOMAIN mail AS varchar(40) COLLATE \"No Case\";
         CREATE TABLE users (id int PRIMARY KEY, email text COLLATE \"No Case\", other mail, plain text);
         CREATE TABLE orders (id int PRIMARY KEY, who varchar(40) COLLATE \"No Case\", at timestamptz);
         INSERT INTO users VALUES (1, 'Bob@X.org', 'a', 'Bob@X.org'), (2, NULL, 'BOB@x.org', 'bob@x.org'), (3, 'ann@x.org', NULL, NULL);
         INSERT INTO orders VALUES (1, 'BOB@X.ORG'), (2, 'ann@x.org'), (3, NULL)",
    )
    .await;
    holds_without_regard_to_case(&db).await;
}

/// The same of the type, where the server has it.
pub async fn holds_on_citext_do_not_mind_the_case(major: Major) {
    let db = with_schema(major, "").await;
    let there = !db
        .texts("SELECT name FROM pg_available_extensions WHERE name = 'citext'")
        .await
        .is_empty();
    if or_skip(Unavailable::unless(
        there,
        "extension citext",
        "install the package with PostgreSQL's contrib",
    ))
    .is_none()
    {
        return;
    }
    db.run(
        "CREATE EXTENSION citext SCHEMA public; CREATE DOMAIN mail AS public.citext;
         CREATE TABLE users (id int PRIMARY KEY, email public.citext, other mail, plain text);
         CREATE TABLE orders (id int PRIMARY KEY, who public.citext, at timestamptz);
         INSERT INTO users VALUES (1, 'Bob@X.org', 'a', 'Bob@X.org'), (2, NULL, 'BOB@x.org', 'bob@x.org'), (3, 'ann@x.org', NULL, NULL);
         INSERT INTO orders VALUES (1, 'BOB@X.ORG'), (2, 'ann@x.org'), (3, NULL)",
    )
    .await;
    holds_without_regard_to_case(&db).await;
}

async fn holds_without_regard_to_case(db: &Db) {
    let catalog = db.catalog(&["users", "orders"]).await;
    let mut rules = policy(vec![rule("r", "orders")]);
    for (column, expected) in [("email", 1), ("other", 2), ("plain", 2)] {
        let id = place(db, Some(("users", column)), "bob@x.org").await;
        assert_eq!(held(db, &catalog, &rules, "users", true).await, [expected], "{column}");
        hold::release(&db.session, id, None, None, Duration::from_secs(5))
            .await
            .unwrap();
    }
    rules.rules[0].subject_column = Some("who".to_owned());
    place(db, None, "bob@x.org").await;
    assert_eq!(held(db, &catalog, &rules, "orders", true).await, [1]);
}

pub async fn holds_follow_values_keys_and_releases(major: Major) {
    let db = with_schema(
        major, "CREATE TABLE users (id int PRIMARY KEY, email text);
         CREATE TABLE \"Or\"\"ders\" (id int PRIMARY KEY, \"User\" int REFERENCES users ON DELETE CASCADE, total numeric(10, 2));
         INSERT INTO users VALUES (1, 'a@x'), (2, NULL), (3, 'c@x');
         INSERT INTO \"Or\"\"ders\" VALUES (10, 1, 5), (11, NULL, NULL), (12, 3, 7.5)",
    )
    .await;
    let catalog = db.catalog(&["users"]).await;
    let policy = policy(vec![]);
    assert!(held(&db, &catalog, &policy, "users", true).await.is_empty());
    let by_mail = place(&db, Some(("users", "email")), "a@x").await;
    assert_eq!(held(&db, &catalog, &policy, "users", true).await, [1]);
    assert_eq!(held(&db, &catalog, &policy, "Or\"ders", false).await, [10]);
    let by_total = place(&db, Some(("Or\"ders", "total")), "7.5").await;
    assert_eq!(held(&db, &catalog, &policy, "users", false).await, [1, 3]);
    assert_eq!(held(&db, &catalog, &policy, "Or\"ders", true).await, [10, 12]);
    for id in [by_mail, by_total] {
        hold::release(&db.session, id, None, None, Duration::from_secs(5))
            .await
            .unwrap();
    }
    assert!(held(&db, &catalog, &policy, "users", true).await.is_empty());
}

pub async fn composite_keys_with_a_null_tie_nothing(major: Major) {
    let db = with_schema(
        major,
        "CREATE TABLE p (id int PRIMARY KEY, a int, b int, UNIQUE (a, b));
         CREATE TABLE c (id int PRIMARY KEY, x int, y int, FOREIGN KEY (y, x) REFERENCES p (a, b));
         INSERT INTO p VALUES (1, 1, 2), (2, 2, 1);
         INSERT INTO c VALUES (1, 2, 1), (2, 1, 2), (3, NULL, 1), (4, NULL, NULL)",
    )
    .await;
    let catalog = db.catalog(&["c"]).await;
    place(&db, Some(("p", "id")), "1").await;
    assert_eq!(held(&db, &catalog, &policy(vec![]), "c", true).await, [1]);
    assert_eq!(held(&db, &catalog, &policy(vec![]), "p", true).await, [1]);
}

pub async fn a_subject_is_held_wherever_it_is_reached(major: Major) {
    let db = with_schema(
        major, "CREATE TABLE people (id int PRIMARY KEY, requested bool);
         CREATE TABLE carts (id int PRIMARY KEY, person bigint);
         CREATE TABLE items (id int PRIMARY KEY, cart int);
         CREATE TABLE visits (id int PRIMARY KEY, who text);
         INSERT INTO people VALUES (1), (2); INSERT INTO carts VALUES (10, 1), (20, 2), (30, NULL);
         INSERT INTO items VALUES (100, 10), (200, 20), (300, NULL); INSERT INTO visits VALUES (5, '1'), (6, '2'), (7, NULL)",
    )
    .await;
    let part = |of: &str, reach| ErasureTable {
        table: table(of),
        action: ErasureAction::Delete,
        reach,
        on_children: OnChildren::Keep,
        allow_no_primary_key: false,
    };
    let mut policy = policy(vec![Rule {
        subject_column: Some("who".to_owned()),
        ..rule("visits", "visits")
    }]);
    let mut erasure = erasure("people", "id");
    erasure.tables = vec![
        part("carts", Reach::Column("person".to_owned())),
        part(
            "items",
            Reach::Via {
                column: "cart".to_owned(),
                table: table("carts"),
                key: "id".to_owned(),
                reach: Box::new(Reach::Column("person".to_owned())),
            },
        ),
    ];
    policy.erasure = Some(erasure);
    let catalog = db.catalog(&["people", "carts", "items", "visits"]).await;
    place(&db, None, "1").await;
    for (of, expected) in [("people", 1), ("carts", 10), ("items", 100), ("visits", 5)] {
        for deletes in [true, false] {
            assert_eq!(held(&db, &catalog, &policy, of, deletes).await, [expected], "{of}");
        }
    }
}

pub async fn labels_of_every_type_hold(major: Major) {
    let db = with_schema(
        major,
        "CREATE DOMAIN tags AS text[];
         CREATE TABLE a (id int PRIMARY KEY, l text); CREATE TABLE b (id int PRIMARY KEY, l varchar(20)[]);
         CREATE TABLE c (id int PRIMARY KEY, l jsonb); CREATE TABLE d (id int PRIMARY KEY, l tags);
         INSERT INTO a VALUES (1, 'hold'), (2, 'other'), (3, NULL);
         INSERT INTO b VALUES (1, '{x,hold}'), (2, '{}'), (3, NULL), (4, '{NULL}');
         INSERT INTO c VALUES (1, '[\"x\", \"hold\"]'), (2, '[]'), (3, NULL), (4, '[[\"hold\"]]'), (5, '1');
         INSERT INTO d VALUES (1, '{hold}'), (2, '{x}'), (3, NULL)",
    )
    .await;
    let labelled = |of: &str| Rule {
        labels_column: Some("l".to_owned()),
        ..anonymise(rule(of, of), &[("l", Transform::Null)])
    };
    let mut policy = policy(["a", "b", "c", "d"].map(labelled).to_vec());
    policy.legal_hold_labels = vec!["hold".to_owned(), "it's".to_owned()];
    let catalog = db.catalog(&["a", "b", "c", "d"]).await;
    for of in ["a", "b", "c", "d"] {
        assert_eq!(held(&db, &catalog, &policy, of, false).await, [1], "{of}");
    }
}

pub async fn partitions_inheritance_and_holds_on_either(major: Major) {
    let db = with_schema(
        major,
        "CREATE TABLE owner (id int PRIMARY KEY, name text);
         CREATE TABLE ev (id int, k int, o int REFERENCES owner, note text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
         CREATE TABLE ev_1 PARTITION OF ev FOR VALUES IN (1);
         CREATE TABLE ev_2 (note text, o int, gone int, k int NOT NULL, id int NOT NULL);
         ALTER TABLE ev_2 DROP COLUMN gone; ALTER TABLE ev ATTACH PARTITION ev_2 FOR VALUES IN (2);
         CREATE TABLE old (id int PRIMARY KEY, a text); CREATE TABLE old_child (extra text) INHERITS (old);
         INSERT INTO owner VALUES (1, 'n'), (2, NULL);
         INSERT INTO ev VALUES (1, 1, 1, 'x'), (2, 2, 1, 'y'), (3, 1, 2, 'y'), (4, 2, NULL, NULL);
         INSERT INTO old VALUES (1, 'p'); INSERT INTO old_child VALUES (2, 'p', 'e'), (3, 'q', NULL)",
    )
    .await;
    let catalog = db.catalog(&["ev", "owner", "old"]).await;
    let policy = policy(vec![]);
    let note = place(&db, Some(("ev_2", "note")), "y").await;
    assert_eq!(held(&db, &catalog, &policy, "ev", true).await, [2]);
    assert_eq!(held(&db, &catalog, &policy, "ev_2", true).await, [2]);
    assert!(held(&db, &catalog, &policy, "ev_1", true).await.is_empty());
    assert_eq!(
        held(&db, &catalog, &policy, "owner", true).await,
        [1],
        "a partition's row refers to it"
    );
    hold::release(&db.session, note, None, None, Duration::from_secs(5))
        .await
        .unwrap();
    place(&db, Some(("owner", "name")), "n").await;
    assert_eq!(held(&db, &catalog, &policy, "ev", true).await, [1, 2]);
    assert_eq!(
        held(&db, &catalog, &policy, "ev_2", true).await,
        [2],
        "by the parent's foreign key"
    );
    place(&db, Some(("old_child", "extra")), "e").await;
    assert_eq!(held(&db, &catalog, &policy, "old", false).await, [2]);
    place(&db, Some(("old", "a")), "p").await;
    assert_eq!(held(&db, &catalog, &policy, "old", false).await, [1, 2]);
    assert_eq!(held(&db, &catalog, &policy, "old_child", false).await, [2]);
}

pub async fn a_hold_whose_column_was_renamed_stops_everything(major: Major) {
    let db = with_schema(major, "CREATE TABLE x (id int PRIMARY KEY, a text)").await;
    place(&db, Some(("x", "a")), "v").await;
    db.run("ALTER TABLE x RENAME a TO b").await;
    let catalog = db.catalog(&["x"]).await;
    let rules = HoldRules::new(&catalog, &policy(vec![]));
    let active = hold::structure(&db.session).await.unwrap();
    let oid = catalog.find("public", "x").unwrap().relation.oid;
    let error = rules.predicate(oid, true, &active).unwrap_err();
    assert!(matches!(error, HoldError::NoColumn { .. }), "{error}");
}

/// Somebody changes a row so that it is held, and our statement waits for it: PostgreSQL then looks at our conditions again,
/// with the row's new version, but with the snapshot from before.
pub async fn a_row_that_becomes_held_while_we_wait_for_it_stays(major: Major) {
    let db = with_schema(
        major,
        "CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'free'), (9, 'held');
         CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE, owner text, boss int REFERENCES people, note text);
         CREATE TABLE plain (id int PRIMARY KEY, owner text, boss int REFERENCES people, note text);
         CREATE TABLE kept (id int, boss int, up int, owner text, note text, UNIQUE (id, boss),
             FOREIGN KEY (up, boss) REFERENCES kept (id, boss)) PARTITION BY LIST (boss);
         CREATE TABLE kept_1 PARTITION OF kept FOR VALUES IN (1); CREATE TABLE kept_9 PARTITION OF kept FOR VALUES IN (9)",
    )
    .await;
    let catalog = db.catalog(&["people", "tree", "plain", "kept"]).await;
    place(&db, Some(("people", "name")), "held").await;
    for of in ["tree", "plain", "kept"] {
        place(&db, Some((of, "owner")), "me").await;
    }
    let rules = HoldRules::new(&catalog, &policy(vec![]));
    let active = hold::structure(&db.session).await.unwrap();
    let (theirs, looking) = (db.session_of("postgres").await, db.session_of("postgres").await);
    let waiting = Sql::text(
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a USING (pid) WHERE NOT l.granted \
         AND a.datname = pg_catalog.current_database()",
    );
    for (of, leaf, change) in [
        ("tree", "tree", "owner = 'me'"),
        ("tree", "tree", "boss = 9"),
        ("tree", "tree", "boss = 10"),
        ("tree", "tree", "up = 2"),
        ("plain", "plain", "owner = 'me'"),
        ("plain", "plain", "boss = 9"),
        ("plain", "plain", "boss = 10"),
        ("kept", "kept_1", "owner = 'me'"),
        ("kept", "kept_1", "up = 2"),
    ] {
        for deletes in [true, false] {
            let fresh = format!(
                "TRUNCATE tree, plain, kept; DELETE FROM people WHERE id = 10; INSERT INTO {of} (id, boss) VALUES (1, 1), (2, 1);"
            );
            db.run(&format!("{fresh} UPDATE {of} SET owner = 'me' WHERE id = 2"))
                .await;
            let oid = catalog.find("public", leaf).unwrap().relation.oid;
            let keeps = rules.predicate(oid, deletes, &active).unwrap().unwrap();
            let recursive = keeps.shown().contains("RECURSIVE");
            assert_eq!(recursive, of != "plain", "{}", keeps.shown());
            let head = if deletes {
                format!("DELETE FROM ONLY {leaf} AS t")
            } else {
                format!("UPDATE ONLY {leaf} AS t SET note = 'gone'")
            };
            let ours = Sql::text(head.replacen("ONLY ", "ONLY public.", 1))
                .raw(" WHERE t.id = 1 AND NOT ")
                .append(&keeps);
            theirs
                .batch(&format!(
                    "BEGIN; INSERT INTO public.people VALUES (10, 'held'); UPDATE public.{of} SET {change} WHERE id = 1"
                ))
                .await
                .unwrap();
            let commit = async {
                while looking.one(&waiting).await.unwrap().get::<_, i64>(0) == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                theirs.batch("COMMIT").await.unwrap();
            };
            let (touched, ()) = tokio::join!(db.session.execute(&ours), commit);
            assert_eq!(touched.unwrap(), 0, "{of}, {change}, deletes: {deletes}");
            // And it is the hold that keeps it: without one the row is taken.
            db.run(&fresh).await;
            assert_eq!(
                db.session.execute(&ours).await.unwrap(),
                1,
                "{of}, {change}, deletes: {deletes}"
            );
        }
    }
}
