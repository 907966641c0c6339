//! Rules that stand in each other's way.

use crate::world::World;

const POLICY: &str = "
rules:
- {name: old, table: notes, action: delete, age: {column: at, days: 90}}
- {name: drafts, table: notes, action: delete, where: [{column: kind, op: eq, value: draft}]}
";

#[test]
fn what_a_later_rule_sets_free_goes_in_the_same_night() {
    let world = World::new();
    // Old notes to which drafts answer, which are young: the second rule takes them away. One is answered by no draft.
    world.own(
        "CREATE TABLE notes (id int PRIMARY KEY, at timestamptz NOT NULL, kind text, answers int REFERENCES notes); \
         CREATE INDEX ON notes (answers); \
         INSERT INTO notes SELECT n, now() - interval '100 days', 'note', NULL FROM generate_series(1, 50) AS n; \
         INSERT INTO notes SELECT 100 + n, now(), CASE n WHEN 7 THEN 'note' ELSE 'draft' END, n FROM generate_series(1, 20) AS n",
    );
    let ended = program::run(&mut world.with_policy(POLICY));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let rules = &ended.json()["rules"];
    let told = |rule: usize| ["rows", "blocked", "residue"].map(|field| rules[rule][field].as_u64().unwrap());
    assert_eq!(told(0), [49, 1, 0], "{ended:?}");
    assert_eq!(told(1), [19, 0, 0], "{ended:?}");
    let left = world.column("SELECT id FROM notes ORDER BY id");
    assert_eq!(left, [Some("7".to_owned()), Some("107".to_owned())]);
    assert_eq!(world.value("SELECT sum(rows) FROM retention.audit"), "68");
}
