//! Rows that others refer to, what goes along, and the order of tasks.

use crate::support::{aged, anonymise, apply, blocked, db, now, policy, rule, when};
use pg_cluster::Major;
use retention_plan::resolve::{Keys, resolve};
use retention_policy::{OnChildren, Op, Rule, Transform};

fn all(name: &str, of: &str) -> Rule {
    Rule {
        conditions: vec![when("id", Op::NotNull)],
        allow_unindexed_foreign_keys: true,
        allow_no_primary_key: true,
        ..rule(name, of)
    }
}

fn cascading(name: &str, of: &str) -> Rule {
    Rule {
        on_children: OnChildren::Cascade,
        ..all(name, of)
    }
}

pub async fn a_row_that_any_row_refers_to_stays(major: Major) {
    let db = db(
        major,
        "CREATE TABLE boss (id int PRIMARY KEY, \"upper\" int REFERENCES boss ON DELETE CASCADE, a int, b int, UNIQUE (a, b));
         CREATE TABLE one (id int PRIMARY KEY, \"My \"\"boss\"\"\" int REFERENCES boss ON DELETE SET NULL);
         CREATE TABLE two (id int PRIMARY KEY, x int, y int, FOREIGN KEY (y, x) REFERENCES boss (a, b));
         CREATE TABLE three (id int, boss int REFERENCES boss ON DELETE CASCADE) PARTITION BY LIST (id);
         CREATE TABLE three_1 PARTITION OF three FOR VALUES IN (1);
         INSERT INTO boss VALUES (1, NULL, 1, 1), (2, 1, 2, 2), (3, 3, 3, 3), (4, NULL, 4, NULL), (5, NULL, 5, 5), (6, NULL, 6, 6), (7, NULL, NULL, NULL);
         INSERT INTO one VALUES (1, 5), (2, NULL);
         INSERT INTO two VALUES (1, 6, 6), (2, NULL, 4);
         INSERT INTO three VALUES (1, 7)",
    )
    .await;
    let catalog = db.catalog(&["boss"]).await;
    let task = resolve(&policy(vec![all("r", "boss")]), &catalog, now(), &Keys::default())
        .unwrap()
        .tasks
        .remove(0);
    assert!(task.children_stay);
    // 2 refers to 1; 3 to itself, which keeps nobody; the key (NULL, 4) refers to nobody.
    assert_eq!(blocked(&db.session, &task).await, [1, 5, 6, 7]);
    let along: Vec<&str> = task.cascades_to.iter().map(|relation| relation.name.as_str()).collect();
    assert_eq!(along, ["boss", "one", "three_1"]);
    assert_eq!(apply(&db.session, &task).await, 3);
    assert_eq!(blocked(&db.session, &task).await, [5, 6, 7], "trees go leaf first");
    assert_eq!(apply(&db.session, &task).await, 1);
    assert_eq!(apply(&db.session, &task).await, 0);
    let kept = db
        .texts("SELECT string_agg(boss::text, ',') FROM three UNION ALL SELECT count(*)::text FROM one")
        .await;
    assert_eq!(kept, [Some("7".to_owned()), Some("2".to_owned())]);
}

pub async fn with_cascade_only_what_refuses_keeps_a_row_however_deep(major: Major) {
    let db = db(
        major,
        "CREATE TABLE top (id int PRIMARY KEY);
         CREATE TABLE middle (id int PRIMARY KEY, t int REFERENCES top ON DELETE CASCADE, m int REFERENCES middle ON DELETE CASCADE);
         CREATE TABLE bottom (id int PRIMARY KEY, m int REFERENCES middle);
         CREATE TABLE loose (id int PRIMARY KEY, t int REFERENCES top ON DELETE SET NULL);
         CREATE TABLE bound (id int PRIMARY KEY, t int NOT NULL REFERENCES top ON DELETE SET NULL);
         INSERT INTO top SELECT generate_series(1, 6);
         INSERT INTO middle VALUES (1, 1, NULL), (2, 2, NULL), (3, NULL, 2), (4, 6, NULL), (5, NULL, 4);
         INSERT INTO bottom VALUES (1, 1), (2, 5);
         INSERT INTO loose VALUES (1, 3);
         INSERT INTO bound VALUES (1, 4)",
    )
    .await;
    let catalog = db.catalog(&["top"]).await;
    let task = resolve(&policy(vec![cascading("r", "top")]), &catalog, now(), &Keys::default())
        .unwrap()
        .tasks
        .remove(0);
    assert!(!task.children_stay);
    // 1: bottom refers to its middle; 4: cannot become NULL; 6: bottom refers to the middle below its middle.
    assert_eq!(blocked(&db.session, &task).await, [1, 4, 6]);
    let along: Vec<&str> = task.cascades_to.iter().map(|relation| relation.name.as_str()).collect();
    assert_eq!(along, ["middle", "loose"]);
    assert_eq!(apply(&db.session, &task).await, 3);
    assert_eq!(
        db.texts("SELECT string_agg(id::text, ',' ORDER BY id) FROM middle")
            .await,
        [Some("1,4,5".to_owned())]
    );
}

pub async fn keys_into_partitions_and_into_the_whole_both_count(major: Major) {
    let db = db(
        major,
        "CREATE TABLE p (extra int, id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
         CREATE TABLE p2 (day date NOT NULL, id int NOT NULL, extra int);
         ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
         CREATE TABLE whole (n int, id int, day date, FOREIGN KEY (id, day) REFERENCES p ON DELETE CASCADE);
         CREATE TABLE part (n int, id int, day date, FOREIGN KEY (id, day) REFERENCES p1);
         INSERT INTO p (id, day) VALUES (1, '2024-05-01'), (2, '2024-05-01'), (3, '2025-05-01'), (4, '2025-05-01'), (5, '2024-05-01');
         INSERT INTO whole VALUES (1, 1, '2024-05-01'), (2, 3, '2025-05-01');
         INSERT INTO part VALUES (1, 2, '2024-05-01')",
    )
    .await;
    let catalog = db.catalog(&["p"]).await;
    let resolved = resolve(&policy(vec![all("r", "p")]), &catalog, now(), &Keys::default()).unwrap();
    let task = &resolved.tasks[0];
    assert_eq!(blocked(&db.session, task).await, [1, 2, 3]);
    assert_eq!(apply(&db.session, task).await, 2);
    let mut unindexed = all("r", "p");
    unindexed.allow_unindexed_foreign_keys = false;
    let errors = resolve(&policy(vec![unindexed]), &catalog, now(), &Keys::default()).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let shown = errors.join("\n");
    insta::allow_duplicates! {
        insta::assert_snapshot!(shown, @r#"
    rule "r": public.p: the foreign key whole_id_day_fkey of public.whole (id, day) refers to it and has no index, so every deleted row reads all of public.whole; expected an index on public.whole (id, day), or "allow_unindexed_foreign_keys": true
    rule "r": public.p1: the foreign key part_id_day_fkey of public.part (id, day) refers to it and has no index, so every deleted row reads all of public.part; expected an index on public.part (id, day), or "allow_unindexed_foreign_keys": true
    "#);
    }
    db.run("CREATE INDEX ON whole (day, id); CREATE INDEX ON part (id, day, n)")
        .await;
    let catalog = db.catalog(&["p"]).await;
    let mut indexed = all("r", "p");
    indexed.allow_unindexed_foreign_keys = false;
    assert!(resolve(&policy(vec![indexed]), &catalog, now(), &Keys::default()).is_ok());
}

pub async fn children_go_before_parents_and_circles_are_told(major: Major) {
    let db = db(
        major,
        "CREATE TABLE a (id int PRIMARY KEY, at timestamptz);
         CREATE TABLE between (id int PRIMARY KEY, a int REFERENCES a);
         CREATE TABLE b (id int PRIMARY KEY, at timestamptz, x int REFERENCES between);
         CREATE TABLE lone (id int PRIMARY KEY, at timestamptz);
         CREATE TABLE m (id int PRIMARY KEY, at timestamptz); CREATE TABLE n (id int PRIMARY KEY, at timestamptz, m int REFERENCES m);
         ALTER TABLE m ADD n int REFERENCES n",
    )
    .await;
    let catalog = db.catalog(&["a", "b", "lone", "m", "n"]).await;
    let mut rules: Vec<Rule> = ["a", "lone", "b", "m", "n"]
        .iter()
        .map(|table| aged(table, table, "at", 30))
        .collect();
    for rule in &mut rules {
        rule.allow_unindexed_foreign_keys = true;
    }
    let resolved = resolve(&policy(rules), &catalog, now(), &Keys::default()).unwrap();
    let order: Vec<&str> = resolved.tasks.iter().map(|task| task.rule.as_str()).collect();
    assert_eq!(order, ["lone", "b", "a", "m", "n"]);
    assert_eq!(
        resolved.notes,
        ["rule \"m\": public.m refers to a table that refers to it; its place in the document decides"]
    );
}

pub async fn nothing_but_leaves_is_worked_on(major: Major) {
    let db = db(
        major,
        "CREATE TABLE elder (id int, at date); CREATE TABLE younger (more text) INHERITS (elder);
         INSERT INTO elder VALUES (1, '2020-01-01'), (2, '2030-01-01');
         INSERT INTO younger VALUES (3, '2020-01-01'), (4, '2030-01-01')",
    )
    .await;
    let mut rule = aged("r", "elder", "at", 30);
    rule.allow_no_primary_key = true;
    let catalog = db.catalog(&["elder"]).await;
    let task = resolve(&policy(vec![rule.clone()]), &catalog, now(), &Keys::default())
        .unwrap()
        .tasks
        .remove(0);
    assert_eq!(task.leaves.len(), 2);
    assert_eq!(apply(&db.session, &task).await, 2);
    db.run("ALTER TABLE younger ALTER at SET NOT NULL").await;
    let catalog = db.catalog(&["elder"]).await;
    let errors = resolve(
        &policy(vec![anonymise(rule, &[("at", Transform::Null)])]),
        &catalog,
        now(),
        &Keys::default(),
    );
    assert_eq!(errors.unwrap_err()[0].object, "public.younger.at");
}
