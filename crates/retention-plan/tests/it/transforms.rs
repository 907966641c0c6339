//! Each transform does what it says, and a second time there is nothing to do.

use crate::support::{Db, anonymise, apply, db, now, policy, rule, todo, when};
use pg_cluster::Major;
use retention_plan::Task;
use retention_plan::catalog::Catalog;
use retention_plan::resolve::{HmacKey, Keys, check_values, resolve};
use retention_policy::{Op, Rule, Scalar, Transform, Unit};

fn keys() -> Keys {
    Keys {
        hmac: Some(HmacKey::new(b"a key of some length")),
    }
}

fn task(catalog: &Catalog, column: &str, transform: Transform) -> Task {
    let rule = Rule {
        conditions: vec![when("id", Op::NotNull)],
        ..anonymise(rule("r", "t"), &[(column, transform)])
    };
    resolve(&policy(vec![rule]), catalog, now(), &keys())
        .unwrap()
        .tasks
        .remove(0)
}

async fn twice(db: &Db, column_type: &str, transform: Transform, cases: &[(Option<&str>, Option<&str>)]) {
    let literal = |text: &&str| format!("'{}'", text.replace('\'', "''"));
    let rows: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(id, (before, _))| format!("({id}, {})", before.as_ref().map_or("NULL".to_owned(), literal)))
        .collect();
    db.run(&format!(
        "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, \"C\"\"1\" {column_type}); INSERT INTO t VALUES {}",
        rows.join(", ")
    ))
    .await;
    let catalog = db.catalog(&["t"]).await;
    let task = task(&catalog, "C\"1", transform);
    let before = db.texts("SELECT \"C\"\"1\"::text FROM t ORDER BY id").await;
    let expected: Vec<Option<String>> = cases.iter().map(|(_, after)| after.map(str::to_owned)).collect();
    let changed: Vec<i32> = (0..)
        .zip(before.iter().zip(&expected))
        .filter(|(_, (before, after))| before != after)
        .map(|(id, _)| id)
        .collect();
    assert_eq!(todo(&db.session, &task).await, changed, "{column_type}");
    assert_eq!(apply(&db.session, &task).await, u64::try_from(changed.len()).unwrap());
    assert_eq!(
        db.texts("SELECT \"C\"\"1\"::text FROM t ORDER BY id").await,
        expected,
        "{column_type}"
    );
    assert_eq!(todo(&db.session, &task).await, [0; 0], "{column_type}: a second time");
    assert_eq!(apply(&db.session, &task).await, 0);
}

pub async fn null_and_constants(major: Major) {
    let db = db(major, "").await;
    twice(
        &db,
        "text",
        Transform::Null,
        &[(Some("a"), None), (Some(""), None), (None, None)],
    )
    .await;
    let constant = |text: &str| Transform::Constant(Scalar::Text(text.to_owned()));
    let hostile = "'); drop table t; --";
    twice(
        &db,
        "text",
        constant(hostile),
        &[
            (Some("a"), Some(hostile)),
            (None, Some(hostile)),
            (Some(hostile), Some(hostile)),
        ],
    )
    .await;
    twice(&db, "varchar(3)", constant("abc"), &[(Some("x"), Some("abc"))]).await;
    twice(
        &db,
        "char(4)",
        constant("ab"),
        &[(Some("x"), Some("ab")), (Some("ab"), Some("ab"))],
    )
    .await;
    let number = Transform::Constant(Scalar::Number(serde_json::from_str("1.005").unwrap()));
    twice(
        &db,
        "numeric(5,2)",
        number,
        &[
            (Some("7"), Some("1.01")),
            (Some("1.01"), Some("1.01")),
            (None, Some("1.01")),
        ],
    )
    .await;
    twice(
        &db,
        "bool",
        Transform::Constant(Scalar::Bool(false)),
        &[(Some("t"), Some("false")), (None, Some("false"))],
    )
    .await;
    twice(
        &db,
        "text[]",
        constant("{}"),
        &[(Some("{a,b}"), Some("{}")), (Some("{}"), Some("{}"))],
    )
    .await;
    twice(
        &db,
        "timestamptz",
        constant("infinity"),
        &[(Some("2026-01-01"), Some("infinity"))],
    )
    .await;
}

pub async fn hmac_is_that_of_rfc_2104(major: Major) {
    let db = db(major, "").await;
    // echo -n value | openssl dgst -sha256 -hmac 'a key of some length'
    let ada = "hmac:5ed7d38112977b140f38f21f63952511eba2d06dbaf1e6a3142a6b3d56d3bbc2";
    let cases = [
        (Some("ada@example.org"), Some(ada)),
        (
            Some(""),
            Some("hmac:4c8db83c8f67b28925cd62abb81f142c343e750b9bcb12468c362684bbffd422"),
        ),
        (
            Some("žluťoučký 🐎"),
            Some("hmac:f7e8fea4ef8f30df37917c6aeee363c1b7c40e6a7447235b9e8f5878ee1b9638"),
        ),
        (None, None),
        (Some(ada), Some(ada)),
    ];
    twice(&db, "text", Transform::Hmac, &cases).await;
    twice(&db, "varchar(69)", Transform::Hmac, &cases).await;
    // Nearly, but not quite, one of ours.
    let nearly = format!("{ada}\n");
    db.run("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, c text)")
        .await;
    db.run(&format!(
        "INSERT INTO t VALUES (1, E'{}'), (2, upper('{ada}'))",
        nearly.replace('\n', "\\n")
    ))
    .await;
    let task = task(&db.catalog(&["t"]).await, "c", Transform::Hmac);
    assert_eq!(todo(&db.session, &task).await, [1, 2]);
    let shown = format!("{:?}", task.work);
    assert!(shown.contains("[redacted]") && !shown.contains("6120"), "{shown}");
}

pub async fn addresses_lose_their_last_bits(major: Major) {
    let db = db(major, "").await;
    let cut = |v4, v6| Transform::TruncateIp { v4, v6 };
    twice(
        &db,
        "inet",
        cut(24, 48),
        &[
            (Some("203.0.113.77"), Some("203.0.113.0/24")),
            (Some("203.0.113.0/24"), Some("203.0.113.0/24")),
            (Some("10.1.2.3/16"), Some("10.1.0.0/16")),
            (Some("2001:db8:1:2::7"), Some("2001:db8:1::/48")),
            (Some("::ffff:203.0.113.77"), Some("::/48")),
            (None, None),
        ],
    )
    .await;
    twice(
        &db,
        "cidr",
        cut(8, 0),
        &[
            (Some("10.1.0.0/16"), Some("10.0.0.0/8")),
            (Some("2001:db8::/32"), Some("::/0")),
            (Some("10.0.0.0/8"), Some("10.0.0.0/8")),
        ],
    )
    .await;
    let texts = [
        (Some("203.0.113.77"), Some("203.0.113.0")),
        (Some("203.0.113.0"), Some("203.0.113.0")),
        (Some("10.1.2.3/16"), Some("10.1.0.0")),
        (Some("2001:DB8:1:2::7"), Some("2001:db8:1::")),
        (Some("::ffff:203.0.113.77"), Some("::")),
        (Some("1:2:3:4:5:6:7:8"), Some("1:2:3::")),
        (Some("::1"), Some("::")),
        (Some("not an address"), None),
        (Some("203.0.113.256"), None),
        (Some("203.0.113"), None),
        (Some("203.0.113.77 "), None),
        (Some("203.0.113.77\n203.0.113.78"), None),
        (Some(""), None),
        (Some("1::2::3"), None),
        (None, None),
    ];
    twice(&db, "text", cut(24, 48), &texts).await;
    twice(&db, "varchar(50)", cut(24, 48), &texts).await;
}

pub async fn whatever_text_is_taken_for_an_address_is_one_to_the_server(major: Major) {
    let db = db(major, "CREATE TABLE t (id int PRIMARY KEY, c text)").await;
    // Everything of up to seven parts that looks like an address or nearly so.
    db.run(
        "INSERT INTO t SELECT row_number() OVER (), text FROM (
           SELECT array_to_string(ARRAY(SELECT (ARRAY['', '0', 'ff', 'FFFF', '1a2b', '12345', 'g', '1.2.3.4', '300'])[1 + (n * 7919 + i * 104729 + n / (i + 1)) % 9]
             FROM generate_series(1, 1 + n % 9) i), ':') || (ARRAY['', '', '/0', '/32', '/33', '/128', '/129', '::'])[1 + n % 8] AS text
           FROM generate_series(1, 40000) n
           UNION ALL SELECT a || '.' || b || '.' || c || '.' || d || e FROM
             unnest(ARRAY['0', '1', '09', '255', '256']) a, unnest(ARRAY['0', '99', '199', '-1']) b,
             unnest(ARRAY['0', '249', '00']) c, unnest(ARRAY['', '7', '250', '7.8']) d, unnest(ARRAY['', '/0', '/32', '/33', '/']) e
         ) all_of_them",
    )
    .await;
    let task = task(&db.catalog(&["t"]).await, "c", Transform::TruncateIp { v4: 24, v6: 48 });
    let rows = apply(&db.session, &task).await;
    assert!(rows > 30_000, "{rows}");
    assert_eq!(todo(&db.session, &task).await, [0; 0]);
    let kept = db.texts("SELECT count(DISTINCT c)::text FROM t").await;
    assert!(kept[0].as_ref().unwrap().parse::<u32>().unwrap() > 10, "{kept:?}");
}

pub async fn dates_lose_what_is_finer(major: Major) {
    let db = db(major, "").await;
    let by = Transform::GeneraliseDate;
    let days: &[(Option<&str>, Option<&str>)] = &[
        (Some("2026-05-17"), Some("2026-05-01")),
        (Some("2026-05-01"), Some("2026-05-01")),
        (Some("infinity"), Some("infinity")),
        (Some("-infinity"), Some("-infinity")),
        (Some("5874897-12-31"), Some("294276-01-01")),
        (Some("4713-01-01 BC"), Some("4700-01-01 BC")),
        (None, None),
    ];
    twice(&db, "date", by(Unit::Month), days).await;
    twice(&db, "date", by(Unit::Week), &[(Some("2026-05-17"), Some("2026-05-11"))]).await;
    twice(
        &db,
        "date",
        by(Unit::Quarter),
        &[(Some("2026-05-17"), Some("2026-04-01"))],
    )
    .await;
    twice(
        &db,
        "timestamp",
        by(Unit::Year),
        &[
            (Some("2026-05-17 12:00"), Some("2026-01-01 00:00:00")),
            (Some("infinity"), Some("infinity")),
        ],
    )
    .await;
    twice(
        &db,
        "timestamptz",
        by(Unit::Day),
        &[
            (Some("2026-05-17 23:30:00-05"), Some("2026-05-18 00:00:00+00")),
            (Some("-infinity"), Some("-infinity")),
            (
                Some("294276-12-31 23:59:59.999999+00"),
                Some("294276-12-31 00:00:00+00"),
            ),
            (None, None),
        ],
    )
    .await;
    twice(
        &db,
        "timestamptz",
        by(Unit::Decade),
        &[(Some("4713-01-01 00:00:00+00 BC"), Some("4701-01-01 00:00:00+00 BC"))],
    )
    .await;
    twice(
        &db,
        "timestamptz(0)",
        by(Unit::Hour),
        &[(Some("2026-05-17 23:30:07+00"), Some("2026-05-17 23:00:00+00"))],
    )
    .await;
}

pub async fn several_columns_at_once_and_only_where_there_is_something_to_do(major: Major) {
    let db = db(
        major,
        "CREATE TABLE t (id int PRIMARY KEY, email text, phone text, other text);
         INSERT INTO t VALUES (1, 'a', 'b', 'c'), (2, NULL, 'b', 'c'), (3, 'a', NULL, 'c'), (4, NULL, NULL, 'c')",
    )
    .await;
    let rule = Rule {
        conditions: vec![when("id", Op::NotNull)],
        ..anonymise(
            rule("r", "t"),
            &[("email", Transform::Hmac), ("phone", Transform::Null)],
        )
    };
    let resolved = resolve(&policy(vec![rule]), &db.catalog(&["t"]).await, now(), &keys()).unwrap();
    assert_eq!(check_values(&db.session, &resolved.probes).await.unwrap(), []);
    let task = &resolved.tasks[0];
    assert_eq!(todo(&db.session, task).await, [1, 2, 3]);
    assert_eq!(apply(&db.session, task).await, 3);
    assert_eq!(apply(&db.session, task).await, 0);
    let left = db
        .texts("SELECT concat_ws(',', id, left(email, 5), phone, other) FROM t ORDER BY id")
        .await;
    let left: Vec<&str> = left.iter().flatten().map(String::as_str).collect();
    assert_eq!(left, ["1,hmac:,c", "2,c", "3,hmac:,c", "4,c"]);
}
