//! What a real server says, and what follows from it.

use crate::support::{Db, aged, anonymise, db, erasure, now, policy, table};
use pg_cluster::Major;
use retention_plan::holds::HoldRules;
use retention_plan::preflight::{Preflight, Severity, Subject, facts::LayoutState, gather, judge};
use retention_plan::resolve::{Keys, resolve};
use retention_policy::{ErasureAction, ErasureTable, OnChildren, Policy, Reach, Transform};
use retention_store::hold::{self, NewHold, Structure};
use std::time::Duration;

async fn look(db: &Db, policy: &Policy, of: &str) -> Preflight {
    let catalog = db.catalog(&[of]).await;
    let tasks = resolve(policy, &catalog, now(), &Keys::default()).unwrap().tasks;
    let holds = HoldRules::new(&catalog, policy);
    let facts = gather(&db.session, &catalog, &holds).await.unwrap();
    let active = match facts.layout {
        LayoutState::Ready => hold::structure(&db.session).await.unwrap(),
        _ => Structure::default(),
    };
    let subject = Subject {
        catalog: &catalog,
        policy,
        tasks: &tasks,
        holds: &holds,
        active: &active,
        strict: false,
    };
    judge(&subject, &facts)
}

fn codes(preflight: &Preflight) -> Vec<(Severity, &'static str)> {
    preflight
        .findings
        .iter()
        .map(|finding| (finding.severity, finding.code))
        .collect()
}

const EVENTS: &str = "CREATE TABLE ev (id int PRIMARY KEY, at timestamptz, mail text)";

pub async fn every_question_is_answered(major: Major) {
    let db = db(major, EVENTS).await;
    let policy = policy(vec![aged("r", "ev", "at", 90)]);
    assert_eq!(
        codes(&look(&db, &policy, "ev").await),
        [(Severity::Note, "schema-absent")]
    );
    retention_store::ensure(&db.session).await.unwrap();
    assert_eq!(codes(&look(&db, &policy, "ev").await), []);
    let catalog = db.catalog(&["ev"]).await;
    let facts = gather(&db.session, &catalog, &HoldRules::new(&catalog, &policy))
        .await
        .unwrap();
    assert_eq!(facts.setting("log_parameter_max_length"), Some("-1"));
    assert!(facts.sees_all && facts.may_silence);
    assert_eq!(facts.layout, LayoutState::Ready);
}

pub async fn what_tables_have_is_found(major: Major) {
    let db = db(
        major,
        "CREATE UNLOGGED TABLE ev (id int PRIMARY KEY, at timestamptz, mail text) WITH (autovacuum_enabled = off);
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER keep BEFORE DELETE ON ev FOR EACH ROW EXECUTE FUNCTION keep()",
    )
    .await;
    retention_store::ensure(&db.session).await.unwrap();
    let found = look(&db, &policy(vec![aged("r", "ev", "at", 90)]), "ev").await;
    assert_eq!(
        codes(&found),
        [
            (Severity::Warning, "trigger-before-row"),
            (Severity::Warning, "autovacuum-off"),
            (Severity::Note, "unlogged"),
        ]
    );
}

pub async fn a_published_table_that_postgres_would_refuse_is_refused(major: Major) {
    let db = db(
        major,
        "CREATE TABLE ev (id int, at timestamptz, mail text) PARTITION BY RANGE (at);
         CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
         INSERT INTO ev VALUES (1, '2020-06-01', 'a'); CREATE PUBLICATION p FOR TABLE ev WITH (publish = 'insert, delete')",
    )
    .await;
    retention_store::ensure(&db.session).await.unwrap();
    let mut deleting = aged("r", "ev", "at", 90);
    deleting.allow_no_primary_key = true;
    let changing = anonymise(deleting.clone(), &[("mail", Transform::Null)]);
    let found = look(&db, &policy(vec![deleting.clone()]), "ev").await;
    assert_eq!(codes(&found), [(Severity::Refused, "replica-identity")]);
    assert!(
        found.findings[0].message.contains("publication \"p\""),
        "{:?}",
        found.findings
    );
    // PostgreSQL agrees, and so for updates.
    let error = db.session.batch("DELETE FROM ONLY public.ev_1").await.unwrap_err();
    assert!(error.to_string().contains("replica identity"), "{error}");
    let found = look(&db, &policy(vec![changing]), "ev").await;
    assert_eq!(found.refused().count(), 0);
    db.session
        .batch("UPDATE ONLY public.ev_1 SET mail = NULL")
        .await
        .unwrap();
    db.run("ALTER TABLE ev_1 REPLICA IDENTITY FULL").await;
    assert_eq!(codes(&look(&db, &policy(vec![deleting]), "ev").await), []);
}

pub async fn a_snapshot_is_seen_with_who_has_it(major: Major) {
    let db = db(major, EVENTS).await;
    retention_store::ensure(&db.session).await.unwrap();
    let other = db.session_of("postgres").await;
    other
        .batch("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        .await
        .unwrap();
    let catalog = db.catalog(&["ev"]).await;
    let facts = gather(&db.session, &catalog, &HoldRules::new(&catalog, &policy(vec![])))
        .await
        .unwrap();
    let theirs = facts
        .snapshots
        .iter()
        .find(|snapshot| snapshot.state.as_deref() == Some("idle in transaction"))
        .expect("the other session's snapshot");
    assert!(theirs.seconds.unwrap() < 60.0);
    assert_eq!(theirs.user, "postgres");
    other.rollback().await.unwrap();
}

pub async fn a_role_without_rights_is_told_what_it_cannot_see(major: Major) {
    let mut db = db(
        major,
        "CREATE TABLE ev (id int PRIMARY KEY, at timestamptz, mail text);
         DO $$ BEGIN CREATE ROLE humble LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
         GRANT SELECT, DELETE, UPDATE ON ev TO humble; GRANT USAGE ON SCHEMA public TO humble",
    )
    .await;
    db.session = db.session_of("humble").await;
    let mut policy = policy(vec![aged("r", "ev", "at", 90)]);
    let found = look(&db, &policy, "ev").await;
    assert_eq!(
        codes(&found),
        [(Severity::Refused, "schema"), (Severity::Note, "blind")]
    );
    let catalog = db.catalog(&["ev"]).await;
    let holds = HoldRules::new(&catalog, &policy);
    assert!(!gather(&db.session, &catalog, &holds).await.unwrap().may_silence);
    // And a key of hmac would be logged, were statements logged.
    policy.rules = vec![anonymise(policy.rules[0].clone(), &[("mail", Transform::Hmac)])];
    let mut facts = gather(&db.session, &catalog, &holds).await.unwrap();
    facts.settings.insert("log_statement".to_owned(), "all".to_owned());
    let holds = HoldRules::new(&catalog, &policy);
    let subject = Subject {
        catalog: &catalog,
        policy: &policy,
        tasks: &[],
        holds: &holds,
        active: &Structure::default(),
        strict: false,
    };
    assert!(
        judge(&subject, &facts)
            .refused()
            .any(|finding| finding.code == "key-in-log")
    );
}

pub async fn a_hold_on_a_subject_is_void_nowhere(major: Major) {
    let db = db(
        major,
        "CREATE TABLE ev (id int PRIMARY KEY, at timestamptz, who uuid); CREATE TABLE p (id int PRIMARY KEY)",
    )
    .await;
    retention_store::ensure(&db.session).await.unwrap();
    let key = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11";
    let place = async |value: &str| {
        let new = NewHold {
            on: None,
            value,
            reason: "test",
            placed_by: None,
        };
        hold::add(&db.session, &new, Duration::from_secs(5)).await.unwrap().id
    };
    let release = async |id| {
        hold::release(&db.session, id, None, None, Duration::from_secs(5))
            .await
            .unwrap()
    };
    let mut rules = policy(vec![aged("r", "ev", "at", 90)]);
    let small = place(&key.to_lowercase()).await;
    for changing in [false, true] {
        let mut rules = rules.clone();
        if changing {
            rules.rules = vec![anonymise(rules.rules[0].clone(), &[("who", Transform::Null)])];
        }
        let found = look(&db, &rules, "ev").await;
        assert!(
            codes(&found).contains(&(Severity::Refused, "hold-subject-unreachable")),
            "{:?}",
            found.findings
        );
    }
    rules.rules[0].subject_column = Some("who".to_owned());
    assert_eq!(codes(&look(&db, &rules, "ev").await), []);
    // The same key, but as PostgreSQL does not print it; and one that is no UUID at all.
    release(small).await;
    for (value, right) in [(key, false), ("04", false), (&key.to_lowercase(), true)] {
        let id = place(value).await;
        let found = look(&db, &rules, "ev").await;
        if right {
            assert_eq!(codes(&found), []);
        } else {
            assert_eq!(codes(&found), [(Severity::Refused, "hold-value-form")], "{value}");
            let told = found.findings[0].to_string();
            assert!(told.contains(&format!("hold {id}")) && told.contains("uuid"), "{told}");
            assert!(!told.to_lowercase().contains("a0eebc99"), "{told}");
        }
        release(id).await;
    }
}

pub async fn without_counts_nothing_may_go_along(major: Major) {
    let mut db = db(
        major,
        "CREATE TABLE ev (id int PRIMARY KEY, at timestamptz); CREATE TABLE lone (id int PRIMARY KEY, at timestamptz);
         CREATE TABLE line (id int PRIMARY KEY, ev int REFERENCES ev ON DELETE CASCADE); CREATE INDEX ON line (ev)",
    )
    .await;
    retention_store::ensure(&db.session).await.unwrap();
    let with_lines = policy(vec![aged("r", "ev", "at", 90)]);
    assert_eq!(codes(&look(&db, &with_lines, "ev").await), []);
    db.run("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET track_counts = off'; END $$")
        .await;
    db.session = db.session_of("postgres").await;
    let found = look(&db, &with_lines, "ev").await;
    assert_eq!(codes(&found), [(Severity::Refused, "track-counts-off")]);
    assert_eq!(found.findings[0].rule.as_deref(), Some("r"));
    assert_eq!(
        codes(&look(&db, &policy(vec![aged("r", "lone", "at", 90)]), "lone").await),
        []
    );
    // Erasures take rows along too.
    let mut erasing = policy(vec![]);
    let mut subject = erasure("ev", "id");
    subject.tables = vec![ErasureTable {
        table: table("ev"),
        action: ErasureAction::Delete,
        reach: Reach::Column("id".to_owned()),
        on_children: OnChildren::Cascade,
        allow_no_primary_key: false,
    }];
    erasing.erasure = Some(subject);
    let found = look(&db, &erasing, "ev").await;
    assert_eq!(codes(&found), [(Severity::Refused, "track-counts-off")]);
    assert_eq!(found.findings[0].rule.as_deref(), Some("erasure:public.ev"));
}
