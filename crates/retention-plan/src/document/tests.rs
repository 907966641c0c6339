//! Digest, rounding and text of a plan made by hand.

use super::*;
use crate::fixture::{catalog, table};
use crate::guards::Guard;
use crate::model::{Leaf, Strategy};
use crate::preflight::{Finding, Severity};
use crate::survey::LeafSurvey;
use pg_session::Sql;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

struct Made {
    catalog: Catalog,
    as_of: Timestamp,
    policy_digest: String,
    tasks: Vec<Task>,
    surveys: Vec<TaskSurvey>,
    choices: Vec<Vec<LeafChoice>>,
    erasure: Option<ErasurePlan>,
    tripped: Vec<Tripped>,
    preflight: Preflight,
}

fn made() -> Made {
    let catalog = catalog(vec![
        table(1, "pii_events", &[("id", "bigint"), ("created_at", "timestamptz")]),
        table(2, "users", &[("id", "bigint"), ("email", "text")]),
    ]);
    let task = |rule: &str, oid: u32, work: Work, cutoff: Option<&str>| {
        let relation = catalog.tables[&oid].relation.clone();
        Task {
            kind: TaskKind::Rule,
            rule: rule.to_owned(),
            table: relation.clone(),
            leaves: vec![Leaf {
                relation,
                blocks: 50_000,
                estimated_rows: 3e6,
                strategy: Strategy::TidRange,
                upper_bound: None,
                detach_concurrently: false,
                together: None,
                as_is: Vec::new(),
                keyset: None,
            }],
            work,
            due: Sql::text("true"),
            blocked: None,
            cascades_to: Vec::new(),
            children_stay: false,
            cutoff: cutoff.map(|cutoff| cutoff.parse().unwrap()),
            undated: None,
            max_rows: Some(1_000_000),
        }
    };
    let tasks = vec![
        task("pii-events", 1, Work::Delete, Some("2026-03-03T00:00:00Z")),
        task(
            "rtbf-users",
            2,
            Work::Anonymise {
                set: Sql::text("\"email\" = NULL"),
                guard: Sql::text("t.\"email\" IS NOT NULL"),
                columns: vec!["email".to_owned()],
            },
            None,
        ),
    ];
    let survey = |task: &Task, todo, held| TaskSurvey {
        todo,
        held,
        blocked: 0,
        undated: 17,
        total: (todo > 0).then_some(3_000_000),
        leaves: vec![LeafSurvey {
            table: task.table.clone(),
            todo,
            held,
            blocked: 0,
            undated: 17,
            total: None,
            correlation: Some(1.0),
        }],
        cascades: Vec::new(),
    };
    let mut surveys = vec![survey(&tasks[0], 1_500_123, 4), survey(&tasks[1], 0, 0)];
    surveys[0].cascades.push(Cascade {
        foreign_key: "notes_event_fkey".to_owned(),
        table: "public.notes".to_owned(),
        effect: "delete",
        rows: 12_345,
    });
    let choices = tasks
        .iter()
        .map(|task| {
            vec![LeafChoice {
                table: task.table.clone(),
                strategy: Some(Strategy::TidRange),
                reason: "a backlog".to_owned(),
            }]
        })
        .collect();
    Made {
        catalog,
        as_of: "2026-06-01T00:00:00Z".parse().unwrap(),
        policy_digest: "ab".repeat(32),
        tasks,
        surveys,
        choices,
        erasure: None,
        tripped: Vec::new(),
        preflight: Preflight::default(),
    }
}

fn asking(open: u64) -> ErasurePlan {
    let users = made().tasks[1].table.clone();
    ErasurePlan {
        subject: users.clone(),
        key: "id".to_owned(),
        open,
        at_most: round_up(open),
        total: Some(3_000_000),
        tables: vec![
            ErasedTable {
                table: made().tasks[0].table.clone(),
                action: "delete",
                columns: Vec::new(),
            },
            ErasedTable {
                table: users,
                action: "anonymise",
                columns: vec!["email".to_owned(), "phone".to_owned()],
            },
        ],
    }
}

impl Made {
    fn plan(&self) -> Plan {
        Plan::new(&Parts {
            catalog: &self.catalog,
            as_of: self.as_of,
            policy_digest: &self.policy_digest,
            tasks: &self.tasks,
            surveys: &self.surveys,
            choices: &self.choices,
            erasure: self.erasure.as_ref(),
            tripped: &self.tripped,
            preflight: &self.preflight,
            notes: &[],
        })
    }

    fn digest(&self) -> String {
        self.plan().digest
    }
}

#[test]
fn the_digest_is_stable_over_builds_and_tells_its_moment() {
    let plan = made().plan();
    assert_eq!(plan.digest, "1780272000-eb308186a992f83049d81692bce16de9");
    assert_eq!(parse_digest(&plan.digest), Ok(plan.as_of));
    assert_eq!(plan.ceiling("pii-events"), Some(1_600_000));
    assert_eq!(plan.ceiling("nobody"), None);
    assert!(!plan.stands());
}

#[test]
fn what_is_done_to_what_is_in_the_digest() {
    let first = made().digest();
    let other: [fn(&mut Made); 14] = [
        |made| made.policy_digest = "cd".repeat(32),
        |made| made.as_of = "2026-06-01T00:00:01Z".parse().unwrap(),
        |made| made.catalog.server.system_identifier = None,
        |made| made.catalog.server.database_oid = 5,
        |made| made.tasks[0].rule = "other".to_owned(),
        |made| made.tasks[0].table.oid = 7,
        |made| made.tasks[0].table.name = "other".to_owned(),
        |made| made.tasks[0].work = Work::Detach,
        |made| made.tasks[0].cutoff = None,
        |made| made.surveys[0].todo = 1_600_001,
        |made| made.erasure = Some(asking(1_500_123)),
        // Requests came in since somebody looked.
        |made| made.erasure = Some(asking(1_600_001)),
        |made| {
            made.erasure = Some(ErasurePlan {
                key: "other".to_owned(),
                ..asking(1_500_123)
            });
        },
        |made| {
            made.tripped.push(Tripped {
                guard: Guard::AllDue,
                rule: None,
                message: String::new(),
            });
        },
    ];
    let mut seen = vec![first];
    for change in other {
        let mut made = made();
        change(&mut made);
        let digest = made.digest();
        assert!(!seen.contains(&digest), "change {} is not in the digest", seen.len());
        seen.push(digest);
    }
}

#[test]
fn how_it_is_done_is_not_in_the_digest() {
    let first = made().digest();
    let asked = |open: u64| {
        let mut made = made();
        made.erasure = Some(asking(open));
        made.digest()
    };
    // About so many.
    assert_eq!(asked(1_500_123), asked(1_600_000));
    let same: [fn(&mut Made); 6] = [
        |made| made.choices[0][0].strategy = Some(Strategy::Keyset),
        |made| made.surveys[0].todo = 1_600_000,
        |made| made.surveys[0].held = 0,
        |made| made.surveys[0].cascades.clear(),
        |made| made.as_of = "2026-06-01T00:00:00.999999Z".parse().unwrap(),
        |made| made.tasks[0].cutoff = Some("2026-03-03T00:00:00.5Z".parse().unwrap()),
    ];
    for (at, change) in same.into_iter().enumerate() {
        let mut made = made();
        change(&mut made);
        assert_eq!(made.digest(), first, "change {at}");
    }
    let tripped = |messages: [&str; 2]| {
        let mut made = made();
        made.tripped = messages
            .iter()
            .zip([Guard::ClockSkew, Guard::AllDue])
            .map(|(message, guard)| Tripped {
                guard,
                rule: None,
                message: (*message).to_owned(),
            })
            .collect();
        made.digest()
    };
    assert_eq!(tripped(["301 s", "x"]), tripped(["302 s", "y"]));
}

#[test]
fn what_is_no_digest_is_told() {
    for wrong in [
        "",
        "-",
        "1780272000",
        "1780272000-",
        "1780272000-0123456789abcdef0123456789abcde",
        "1780272000-0123456789ABCDEF0123456789abcdef",
        "+1780272000-0123456789abcdef0123456789abcdef",
        "01780272000-0123456789abcdef0123456789abcdef",
        "99999999999999-0123456789abcdef0123456789abcdef",
        "x-0123456789abcdef0123456789abcdef",
    ] {
        let error = parse_digest(wrong).unwrap_err();
        assert!(error.to_string().contains("expected seconds since 1970"), "{error}");
    }
}

#[test]
fn people_see_a_table_and_the_reasons() {
    let mut made = made();
    made.tripped.push(Tripped {
        guard: Guard::AllDue,
        rule: Some("pii-events".to_owned()),
        message: "rule pii-events: all rows are due".to_owned(),
    });
    made.preflight.findings.push(Finding {
        severity: Severity::Warning,
        code: "old-snapshot",
        rule: None,
        object: "server process 42".to_owned(),
        message: "server process 42 keeps dead rows".to_owned(),
    });
    let mut plan = made.plan();
    plan.tasks[0].sql = Some("DELETE FROM ONLY \"public\".\"pii_events\" AS t WHERE true".to_owned());
    plan.tasks[0].leaves[0].explain = Some(Explained {
        scans: vec!["Tid Range Scan on pii_events".to_owned()],
        rows: 1.0,
        cost: 2.0,
    });
    assert!(plan.stands());
    insta::assert_snapshot!(text::render(&plan), @r#"
    plan      1780272000-94d4fba996c1e2b6f47d40d9c8742207
    database  app on PostgreSQL 15.18 as retention
    policy    abababababababababababababababababababababababababababababababab
    as of     2026-06-01T00:00:00Z

    rule        table              action     before                      due  held  blocked  undated       rows
    pii-events  public.pii_events  delete     2026-03-03T00:00:00Z  1 500 123     4        0       17  3 000 000
    rtbf-users  public.users       anonymise  any age                       0     0        0       17          -

    pii-events: delete public.pii_events
      how     tid-range: a backlog
      explain Tid Range Scan on pii_events
      along   12 345 rows of public.notes (delete by notes_event_fkey)
      at most 1 000 000 rows a run (max_rows)
      sql     DELETE FROM ONLY "public"."pii_events" AS t WHERE true
      about   417 MB of WAL, 2 s (as measured elsewhere; without waiting for others)

    rtbf-users: anonymise public.users (email)
      nothing to do

    guards
      rule pii-events: all rows are due

    preflight
      warning  server process 42 keeps dead rows [old-snapshot]

    in all 417 MB of WAL, 2 s (as measured elsewhere; without waiting for others)
    `run` refuses this; to apply it all the same: retention-job apply --plan 1780272000-94d4fba996c1e2b6f47d40d9c8742207
    "#);
}

#[test]
fn people_see_who_asks_to_be_forgotten() {
    let shown = |open: u64, total: Option<u64>| {
        let mut made = made();
        made.erasure = Some(ErasurePlan { total, ..asking(open) });
        let text = text::render(&made.plan());
        let from = text.find("erasure:").unwrap();
        let to = text.find("\nin all").unwrap();
        text[from..to].to_owned()
    };
    insta::assert_snapshot!(shown(2_500, Some(1_000_000)));
    insta::assert_snapshot!(shown(0, None));
    assert!(!text::render(&made().plan()).contains("erasure"));
}

#[test]
fn names_cannot_write_to_the_terminal() {
    let mut made = made();
    made.tasks[0].table.name = "x\u{1b}[2J\u{202e}\nrefused".to_owned();
    let shown = text::render(&made.plan());
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    assert!(shown.lines().all(|line| !line.starts_with("refused")), "{shown}");
}

#[test]
fn programs_get_json() {
    let json = serde_json::to_value(made().plan()).unwrap();
    assert_eq!(json["format"], "retention-plan/v1");
    assert_eq!(json["tasks"][0]["leaves"][0]["strategy"], "tid-range");
    assert_eq!(json["tasks"][0]["at_most"], 1_600_000);
    assert_eq!(json["tasks"][1]["columns"][0], "email");
    assert_eq!(json["erasure"], serde_json::Value::Null);
    let mut made = made();
    made.erasure = Some(asking(1_500_123));
    let json = serde_json::to_value(made.plan()).unwrap();
    assert_eq!(json["erasure"]["open"], 1_500_123);
    assert_eq!(json["erasure"]["at_most"], 1_600_000);
    assert_eq!(json["erasure"]["tables"][1]["columns"][1], "phone");
}

proptest! {
    #[test]
    fn rounding_goes_up_by_less_than_a_tenth_to_two_digits(rows: u64) {
        let up = round_up(rows);
        prop_assert!(up >= rows);
        if up < u64::MAX {
            prop_assert!(up - rows <= rows / 10, "{rows} {up}");
            let digits = up.to_string();
            prop_assert!(digits.bytes().skip(2).all(|digit| digit == b'0'), "{up}");
            prop_assert_eq!(round_up(up), up);
        }
    }

    #[test]
    fn rounding_keeps_order(a: u64, b: u64) {
        prop_assert_eq!(round_up(a.min(b)) <= round_up(a.max(b)), true);
    }

    #[test]
    fn small_numbers_are_exact(rows in 0_u64..100) {
        prop_assert_eq!(round_up(rows), rows);
    }

    #[test]
    fn a_digest_gives_its_moment_back(seconds in -10_000_000_000_i64..100_000_000_000) {
        let mut made = made();
        made.as_of = Timestamp::from_second(seconds).unwrap();
        prop_assert_eq!(parse_digest(&made.digest()), Ok(made.as_of));
    }
}
