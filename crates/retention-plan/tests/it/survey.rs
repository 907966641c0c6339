//! Counts on a real server, and how it would find the rows.

use crate::support::{Db, aged, anonymise, db, now, policy};
use pg_cluster::Major;
use retention_plan::document::{Parts, Plan, text};
use retention_plan::holds::HoldRules;
use retention_plan::preflight::Preflight;
use retention_plan::resolve::{Keys, resolve};
use retention_plan::strategy;
use retention_plan::survey::{self, Context, Options, SurveyError, TaskSurvey};
use retention_plan::{Strategy, Task, catalog::Catalog};
use retention_policy::{OnChildren, Policy, Rule, Transform};
use retention_store::hold::{self, HeldColumn, NewHold};
use std::time::Duration;

struct Looked {
    catalog: Catalog,
    tasks: Vec<Task>,
    surveys: Vec<TaskSurvey>,
    plan: Plan,
}

async fn look(db: &Db, policy: &Policy, of: &[&str]) -> Looked {
    let catalog = db.catalog(of).await;
    let mut tasks = resolve(policy, &catalog, now(), &Keys::default()).unwrap().tasks;
    let holds = HoldRules::new(&catalog, policy);
    let active = hold::structure(&db.session).await.unwrap();
    let context = Context {
        session: &db.session,
        catalog: &catalog,
        policy,
        holds: &holds,
        active: &active,
        options: Options {
            timeout: Duration::from_secs(30),
            cascades: true,
        },
    };
    let surveys = survey::survey(&context, &tasks).await.unwrap();
    let choices: Vec<_> = tasks
        .iter_mut()
        .zip(&surveys)
        .map(|(task, survey)| strategy::apply(&catalog, policy, task, survey, false))
        .collect();
    let mut plan = Plan::new(&Parts {
        catalog: &catalog,
        as_of: now(),
        policy_digest: "00",
        tasks: &tasks,
        surveys: &surveys,
        choices: &choices,
        erasure: None,
        tripped: &[],
        preflight: &Preflight::default(),
        notes: &[],
    });
    plan.explain(&context, &tasks).await.unwrap();
    Looked {
        catalog,
        tasks,
        surveys,
        plan,
    }
}

async fn with_schema(major: Major, sql: &str) -> Db {
    let db = db(major, sql).await;
    retention_store::ensure(&db.session).await.unwrap();
    db
}

/// 20 000 rows, one an hour up to 2026-06-01; of them 2 160 are not older than 90 days.
const EVENTS: &str = "CREATE TABLE ev (id int PRIMARY KEY, at timestamptz, mail text);
     INSERT INTO ev SELECT i, timestamptz '2026-06-01 00:00Z' - i * interval '1 hour', 'm' || i FROM generate_series(1, 20000) AS i;
     INSERT INTO ev VALUES (0, NULL, 'x'), (-1, 'infinity', 'x'), (-2, '-infinity', 'x')";

pub async fn counts_are_exact_and_totals_only_where_they_are_needed(major: Major) {
    let db = with_schema(major, EVENTS).await;
    let on = HeldColumn {
        schema: "public".to_owned(),
        table: "ev".to_owned(),
        column: "mail".to_owned(),
    };
    for value in ["m5000", "m1"] {
        let new = NewHold {
            on: Some(&on),
            value,
            reason: "test",
            placed_by: None,
        };
        hold::add(&db.session, &new, Duration::from_secs(5)).await.unwrap();
    }
    let mut policy = policy(vec![aged("r", "ev", "at", 90)]);
    let without_index = look(&db, &policy, &["ev"]).await;
    let survey = &without_index.surveys[0];
    assert_eq!(
        (survey.todo, survey.held, survey.blocked, survey.undated),
        (17_841, 1, 0, 1)
    );
    assert_eq!(survey.free(), 17_840);
    assert_eq!(survey.total, Some(20_003), "one scan gives both");
    assert_eq!(without_index.tasks[0].leaves[0].strategy, Strategy::TidRange);
    let scans = &without_index.plan.tasks[0].leaves[0].explain.as_ref().unwrap().scans;
    assert_eq!(scans[0], "Tid Range Scan on ev");
    db.run("CREATE INDEX ON ev (at); ANALYZE ev").await;
    let with_index = look(&db, &policy, &["ev"]).await;
    assert_eq!(with_index.surveys[0].todo, 17_841);
    assert_eq!(
        with_index.surveys[0].total, None,
        "not every row is due, and no guard asks for more"
    );
    let order = with_index.surveys[0].leaves[0].correlation.unwrap();
    assert!(order < -0.99, "newest first: {order}");
    let leaf = &with_index.tasks[0].leaves[0];
    assert_eq!((leaf.strategy, leaf.together), (Strategy::TidRange, Some(17_840)));
    policy.rules[0].max_fraction = Some(0.5);
    assert_eq!(look(&db, &policy, &["ev"]).await.surveys[0].total, Some(20_003));
    db.run("DELETE FROM ev WHERE at >= '2026-01-01' OR at IS NULL").await;
    policy.rules[0].max_fraction = None;
    let all_due = look(&db, &policy, &["ev"]).await;
    assert_eq!(
        all_due.surveys[0].total,
        Some(all_due.surveys[0].todo),
        "every row is due"
    );
}

pub async fn indexes_that_are_left_as_they_are_are_not_searched(major: Major) {
    let db = db(
        major,
        "CREATE TABLE ev (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz, mail text, \"Who\" int, code text UNIQUE);
         INSERT INTO ev (at, mail, \"Who\", code) SELECT '2026-01-01', 'm' || i, i % 100, 'c' || i FROM generate_series(1, 20000) AS i;
         CREATE INDEX ON ev (mail); CREATE INDEX ON ev (code, \"Who\"); CREATE INDEX ON ev (lower(code), at); CREATE INDEX ON ev USING hash (at); ANALYZE ev",
    )
    .await;
    retention_store::ensure(&db.session).await.unwrap();
    let policy = policy(vec![anonymise(aged("r", "ev", "at", 90), &[("mail", Transform::Null)])]);
    let seen = look(&db, &policy, &["ev"]).await;
    let leaf = &seen.tasks[0].leaves[0];
    assert_eq!(
        (leaf.strategy, &leaf.as_is[..]),
        (Strategy::TidRange, &["Who".to_owned(), "at".to_owned()][..])
    );
    db.run(
        "CREATE TRIGGER t BEFORE UPDATE OF at ON ev FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    )
    .await;
    assert!(look(&db, &policy, &["ev"]).await.tasks[0].leaves[0].as_is.is_empty());
}

pub async fn what_is_anonymous_already_is_not_to_be_done(major: Major) {
    let db = with_schema(major, EVENTS).await;
    let policy = policy(vec![anonymise(aged("r", "ev", "at", 90), &[("mail", Transform::Null)])]);
    db.run("UPDATE ev SET mail = NULL WHERE id > 10000").await;
    let looked = look(&db, &policy, &["ev"]).await;
    assert_eq!(looked.surveys[0].todo, 7_841);
    db.run("UPDATE ev SET mail = NULL").await;
    let idle = look(&db, &policy, &["ev"]).await;
    assert_eq!((idle.surveys[0].todo, idle.plan.estimate.wal_bytes), (0, 0));
    assert!(text::render(&idle.plan).contains("nothing to do"));
}

pub async fn rows_that_go_along_are_counted_way_by_way(major: Major) {
    let db = with_schema(
        major,
        "CREATE TABLE users (id int PRIMARY KEY, at timestamptz);
         CREATE TABLE orders (id int PRIMARY KEY, u int REFERENCES users ON DELETE CASCADE);
         CREATE TABLE items (id int PRIMARY KEY, o int REFERENCES orders ON DELETE CASCADE);
         CREATE TABLE notes (id int PRIMARY KEY, u int REFERENCES users ON DELETE SET NULL);
         CREATE INDEX ON orders (u); CREATE INDEX ON items (o); CREATE INDEX ON notes (u);
         INSERT INTO users VALUES (1, '2020-01-01'), (2, '2020-01-01'), (3, '2026-05-31');
         INSERT INTO orders SELECT i, 1 + i % 3 FROM generate_series(1, 30) AS i;
         INSERT INTO items SELECT i, 1 + i % 30 FROM generate_series(1, 90) AS i;
         INSERT INTO notes VALUES (1, 1), (2, 3), (3, NULL)",
    )
    .await;
    let cascading = Rule {
        on_children: OnChildren::Cascade,
        ..aged("r", "users", "at", 90)
    };
    let looked = look(&db, &policy(vec![cascading]), &["users"]).await;
    assert_eq!(looked.surveys[0].todo, 2);
    let mut along: Vec<(&str, &str, u64)> = looked.surveys[0]
        .cascades
        .iter()
        .map(|cascade| (cascade.table.as_str(), cascade.effect, cascade.rows))
        .collect();
    along.sort_unstable();
    assert_eq!(
        along,
        [
            ("public.items", "delete", 60),
            ("public.notes", "set-null", 1),
            ("public.orders", "delete", 20),
        ]
    );
    // The default keeps what others refer to.
    let kept = look(&db, &policy(vec![aged("r", "users", "at", 90)]), &["users"]).await;
    assert_eq!((kept.surveys[0].blocked, kept.surveys[0].cascades.len()), (2, 0));
}

pub async fn partitions_are_chosen_one_by_one(major: Major) {
    let db = with_schema(
        major,
        "CREATE TABLE ev (id int, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM ('2025-01-01Z') TO ('2026-01-01Z');
         CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM ('2026-01-01Z') TO ('2027-01-01Z');
         INSERT INTO ev VALUES (1, '2025-06-01'), (2, '2026-01-02'), (3, '2026-05-31')",
    )
    .await;
    let looked = look(&db, &policy(vec![aged("r", "ev", "at", 90)]), &["ev"]).await;
    let chosen: Vec<_> = looked.tasks[0]
        .leaves
        .iter()
        .map(|leaf| (leaf.relation.name.as_str(), leaf.strategy, leaf.detach_concurrently))
        .collect();
    assert_eq!(
        chosen,
        [("ev_1", Strategy::Partition, true), ("ev_2", Strategy::TidRange, false)]
    );
    assert_eq!(looked.surveys[0].todo, 2);
    assert_eq!(looked.plan.tasks[0].leaves.len(), 2);
    assert!(looked.catalog.tables.len() >= 3);
}

pub async fn a_count_that_takes_too_long_is_given_up(major: Major) {
    let db = with_schema(
        major,
        "CREATE TABLE ev (id int PRIMARY KEY, at timestamptz, mail text);
         INSERT INTO ev SELECT i, '2020-01-01' FROM generate_series(1, 300000) AS i",
    )
    .await;
    let policy = policy(vec![aged("slow", "ev", "at", 90)]);
    let catalog = db.catalog(&["ev"]).await;
    let tasks = resolve(&policy, &catalog, now(), &Keys::default()).unwrap().tasks;
    // Somebody holds the table, so the count cannot begin.
    let other = db.session_of("postgres").await;
    other
        .batch("BEGIN; LOCK TABLE public.ev IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    db.session.batch("SET lock_timeout = 0").await.unwrap();
    let context = Context {
        session: &db.session,
        catalog: &catalog,
        policy: &policy,
        holds: &HoldRules::new(&catalog, &policy),
        active: &hold::Structure::default(),
        options: Options {
            timeout: Duration::from_millis(50),
            cascades: false,
        },
    };
    let error = survey::survey(&context, &tasks).await.unwrap_err();
    assert!(matches!(error, SurveyError::Timeout { .. }), "{error}");
    other.rollback().await.unwrap();
    // The session is fit for use, and was never written with.
    assert_eq!(survey::survey(&context, &[]).await.unwrap(), []);
    assert_eq!(
        db.texts("SELECT count(*)::text FROM ev").await,
        [Some("300000".to_owned())]
    );
}
