//! Exactly the rows that a naive model finds are due.

use crate::support::{aged, db, now, policy, rule, todo, when};
use jiff::Timestamp;
use pg_cluster::Major;
use retention_plan::resolve::{Keys, resolve};
use retention_policy::{Op, Rule, Scalar, Term};

/// A row's age as the model sees it: before everything, a time, after everything, or none at all.
#[derive(Clone, Copy, PartialEq)]
enum When {
    Before,
    At(Timestamp),
    After,
    Never,
}

/// What a row of this age is, for an age column of type timestamptz or timestamp.
fn is_due(when: When, cutoff: Timestamp) -> bool {
    match when {
        When::Before => true,
        When::At(at) => at < cutoff,
        When::After | When::Never => false,
    }
}

/// SQL and model of the same times: around the cutoff, in both hours of a night when clocks go back and the missing one of a night
/// when they go forward, far away, infinite, missing.
fn times(cutoff: Timestamp) -> Vec<(String, When)> {
    let near = [
        -86_400_000_000,
        -3_600_000_000,
        -1,
        0,
        1,
        3_600_000_000,
        86_400_000_000_i64,
    ];
    let mut all: Vec<(String, When)> = near
        .iter()
        .map(|offset| Timestamp::from_microsecond(cutoff.as_microsecond() + offset).unwrap())
        .map(|at| (format!("'{at}'"), When::At(at)))
        .collect();
    for (text, at) in [
        ("2025-10-26 02:30:00+02", "2025-10-26T00:30:00Z"),
        ("2025-10-26 02:30:00+01", "2025-10-26T01:30:00Z"),
        ("2026-03-29 02:30:00 Europe/Berlin", "2026-03-29T01:30:00Z"),
        ("2026-03-29 03:00:00 Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("0001-01-01 00:00:00+00", "0001-01-01T00:00:00Z"),
        ("9999-12-30 00:00:00+00", "9999-12-30T00:00:00Z"),
    ] {
        all.push((format!("'{text}'"), When::At(at.parse().unwrap())));
    }
    all.push(("'4713-01-01 00:00:00+00 BC'".to_owned(), When::Before));
    all.push(("'294276-12-31 00:00:00+00'".to_owned(), When::After));
    all.push(("'-infinity'".to_owned(), When::Before));
    all.push(("'infinity'".to_owned(), When::After));
    all.push(("NULL".to_owned(), When::Never));
    all
}

pub async fn ages_are_as_a_naive_model_has_them(major: Major) {
    let columns = ["zoned", "plain", "day", "domain_zoned", "domain_day"];
    let db = db(
        major,
        "CREATE DOMAIN inner_moment AS timestamptz; CREATE DOMAIN moment AS inner_moment CHECK (VALUE IS DISTINCT FROM '1900-01-01');
         CREATE DOMAIN birthday AS date;
         CREATE TABLE t (id int PRIMARY KEY, zoned timestamptz, plain timestamp, day date, domain_zoned moment, domain_day birthday)",
    )
    .await;
    db.run("ALTER ROLE postgres RESET ALL").await;
    let terms = [
        Term::Days(1),
        Term::Days(65),
        Term::Days(217),
        Term::Months(1),
        Term::Months(7),
        Term::Months(300),
    ];
    for term in terms {
        let cutoff = retention_policy::cutoff(now(), term, 3600).unwrap();
        let times = times(cutoff);
        let values: Vec<String> = times
            .iter()
            .enumerate()
            .map(|(id, (sql, _))| {
                let zoned = format!("{sql}::timestamptz");
                let plain = format!("({zoned} AT TIME ZONE 'UTC')");
                format!("({id}, {zoned}, {plain}, {plain}::date, {zoned}, {plain}::date)")
            })
            .collect();
        db.run(&format!("TRUNCATE t; INSERT INTO t VALUES {}", values.join(", ")))
            .await;
        let catalog = db.catalog(&["t"]).await;
        for column in columns {
            let mut one = aged("old", "t", column, 1);
            one.age.as_mut().unwrap().term = term;
            let mut policy = policy(vec![one]);
            policy.grace_seconds = 3600;
            let task = resolve(&policy, &catalog, now(), &Keys::default())
                .unwrap()
                .tasks
                .remove(0);
            assert_eq!(task.cutoff, Some(cutoff));
            // A day is due when it has wholly passed the cutoff.
            let by_day = column.contains("day");
            let day_of = |at: Timestamp| at.as_second().div_euclid(86_400);
            let expected: Vec<i32> = (0..)
                .zip(&times)
                .filter(|(_, (_, when))| match when {
                    When::At(at) if by_day => day_of(*at) < day_of(cutoff),
                    when => is_due(*when, cutoff),
                })
                .map(|(id, _)| id)
                .collect();
            assert_eq!(todo(&db.session, &task).await, expected, "{column} {term:?}");
            let undated = task.undated.unwrap();
            let sql = pg_session::Sql::text("SELECT count(*) FROM public.t AS t WHERE ").append(&undated);
            assert_eq!(db.session.one(&sql).await.unwrap().get::<_, i64>(0), 1);
        }
    }
}

pub async fn conditions_are_fulfilled_by_values_only(major: Major) {
    let db = db(
        major,
        "CREATE TYPE mood AS ENUM ('good', 'bad');
         CREATE DOMAIN code AS varchar(3);
         CREATE TABLE t (id int PRIMARY KEY, n numeric(10,2), s text, c char(4), k code, b bool, m mood, u uuid, at timestamptz);
         INSERT INTO t VALUES
           (1, 1.00, 'a', 'x', 'abc', true, 'good', '00000000-0000-0000-0000-000000000001', '2026-01-01'),
           (2, 2.50, 'A', 'X ', 'abd', false, 'bad', '00000000-0000-0000-0000-000000000002', 'infinity'),
           (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
           (4, -1, 'a,b', '', 'ab', NULL, NULL, NULL, NULL)",
    )
    .await;
    let catalog = db.catalog(&["t"]).await;
    let text = |text: &str| Scalar::Text(text.to_owned());
    let number = |n: &str| Scalar::Number(serde_json::from_str(n).unwrap());
    let cases: Vec<(&str, Op, Vec<i32>)> = vec![
        ("n", Op::Eq(number("1")), vec![1]),
        ("n", Op::Ne(number("1")), vec![2, 4]),
        ("n", Op::Gt(number("1.001")), vec![2]),
        ("n", Op::Le(text("2.5")), vec![1, 2, 4]),
        ("n", Op::In(vec![number("2.5"), number("-1")]), vec![2, 4]),
        ("n", Op::NotIn(vec![number("1"), number("7")]), vec![2, 4]),
        ("n", Op::IsNull, vec![3]),
        ("n", Op::NotNull, vec![1, 2, 4]),
        ("s", Op::Eq(text("a")), vec![1]),
        ("s", Op::In(vec![text("a,b"), text("NULL"), text("\"")]), vec![4]),
        ("c", Op::Eq(text("x")), vec![1]),
        ("c", Op::Eq(text("X")), vec![2]),
        // Not cut to the three letters that the column holds.
        ("k", Op::Eq(text("abcdef")), vec![]),
        ("k", Op::Ge(text("abc")), vec![1, 2]),
        ("b", Op::Eq(Scalar::Bool(true)), vec![1]),
        ("b", Op::Ne(Scalar::Bool(true)), vec![2]),
        ("m", Op::Eq(text("bad")), vec![2]),
        ("m", Op::NotIn(vec![text("bad")]), vec![1]),
        ("u", Op::Eq(text("00000000000000000000000000000001")), vec![1]),
        ("at", Op::Gt(text("2026-01-01T00:00:00Z")), vec![2]),
        ("at", Op::Lt(text("infinity")), vec![1]),
    ];
    for (column, op, expected) in cases {
        let rule = Rule {
            conditions: vec![when(column, op.clone())],
            ..rule("r", "t")
        };
        let resolved = resolve(&policy(vec![rule]), &catalog, now(), &Keys::default()).unwrap();
        let refused = retention_plan::resolve::check_values(&db.session, &resolved.probes)
            .await
            .unwrap();
        assert_eq!(refused, []);
        assert_eq!(todo(&db.session, &resolved.tasks[0]).await, expected, "{column} {op:?}");
    }
}
