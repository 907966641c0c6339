//! What follows from facts made by hand; `tests/it/preflight.rs` asks a server.

mod log;

use super::facts::{LayoutState, Prepared, Published, Slot, Snapshot, Standby};
use super::*;
use crate::catalog::{OnDelete, Table, Trigger};
use crate::fixture::{catalog, policy, refer, rule, table};
use crate::model::{Leaf, Strategy, TaskKind, Work};
use pg_session::Sql;
use retention_policy::{Action, Transform};
use retention_store::hold::{HeldColumn, Misprinted};

fn calm() -> Facts {
    Facts {
        settings: [
            ("autovacuum", "on"),
            ("log_statement", "none"),
            ("log_min_duration_statement", "-1"),
            ("log_min_duration_sample", "-1"),
            ("log_transaction_sample_rate", "0"),
            ("log_parameter_max_length", "-1"),
            ("log_parameter_max_length_on_error", "0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        sees_all: true,
        ..Facts::default()
    }
}

fn users() -> Table {
    table(
        1,
        "users",
        &[("id", "bigint"), ("at", "timestamptz"), ("email", "text")],
    )
}

fn task(work: Work) -> Task {
    let relation = users().relation;
    Task {
        kind: TaskKind::Rule,
        rule: "users".to_owned(),
        table: relation.clone(),
        leaves: vec![Leaf {
            relation,
            blocks: 1,
            estimated_rows: 1.0,
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
        children_stay: true,
        cutoff: None,
        undated: None,
        max_rows: None,
    }
}

fn update() -> Work {
    Work::Anonymise {
        set: Sql::new(),
        guard: Sql::new(),
        columns: vec!["email".to_owned()],
    }
}

fn anonymise(transform: Transform) -> Action {
    Action::Anonymise([("email".to_owned(), transform)].into())
}

struct Case {
    catalog: Catalog,
    policy: Policy,
    active: Structure,
    work: Work,
    strict: bool,
}

fn case() -> Case {
    Case {
        catalog: catalog(vec![users()]),
        policy: policy(),
        active: Structure::default(),
        work: Work::Delete,
        strict: false,
    }
}

impl Case {
    fn judge(&self, facts: &Facts) -> Preflight {
        let holds = HoldRules::new(&self.catalog, &self.policy);
        judge(
            &Subject {
                catalog: &self.catalog,
                policy: &self.policy,
                tasks: &[task(self.work.clone())],
                holds: &holds,
                active: &self.active,
                strict: self.strict,
            },
            facts,
        )
    }

    fn found(&self, facts: &Facts) -> Vec<(Severity, &'static str)> {
        let preflight = self.judge(facts);
        preflight
            .findings
            .iter()
            .map(|finding| (finding.severity, finding.code))
            .collect()
    }
}

#[test]
fn a_calm_server_gives_no_findings() {
    let preflight = case().judge(&calm());
    assert_eq!(preflight, Preflight::default());
    assert_eq!(preflight.refused().count(), 0);
}

#[test]
fn a_server_that_cannot_be_worked_on_is_refused() {
    let refused = |change: fn(&mut Catalog)| {
        let mut case = case();
        change(&mut case.catalog);
        case.found(&calm())
    };
    assert_eq!(
        refused(|catalog| catalog.server.version_num = 130_020),
        [(Severity::Refused, "server-version")]
    );
    assert_eq!(
        refused(|catalog| catalog.server.in_recovery = true),
        [(Severity::Refused, "standby")]
    );
    assert_eq!(
        refused(|catalog| catalog.server.read_only = true),
        [(Severity::Refused, "read-only")]
    );
    let layout = |layout| Facts { layout, ..calm() };
    assert_eq!(
        case().found(&layout(LayoutState::Unusable("why".to_owned()))),
        [(Severity::Refused, "schema")]
    );
    assert_eq!(
        case().found(&layout(LayoutState::Absent)),
        [(Severity::Note, "schema-absent")]
    );
}

#[test]
fn what_keeps_dead_rows_is_named_with_who() {
    let facts = Facts {
        snapshots: vec![
            Snapshot {
                pid: 42,
                application: "report".to_owned(),
                user: "ann".to_owned(),
                state: Some("idle in transaction".to_owned()),
                seconds: Some(3600.0),
                xmin_age: 5,
            },
            Snapshot {
                pid: 43,
                seconds: Some(59.9),
                xmin_age: 1_000_000,
                ..Snapshot::default()
            },
            Snapshot {
                pid: 44,
                xmin_age: 10_000,
                ..Snapshot::default()
            },
        ],
        prepared: vec![Prepared {
            gid: "two-phase".to_owned(),
            seconds: 60.0,
        }],
        slots: vec![Slot {
            name: "standby".to_owned(),
            active: true,
            xmin_age: Some(10_000),
            ..Slot::default()
        }],
        ..calm()
    };
    let preflight = case().judge(&facts);
    assert!(preflight.old_snapshot);
    let who: Vec<&str> = preflight
        .findings
        .iter()
        .map(|finding| finding.object.as_str())
        .collect();
    insta::assert_snapshot!(who.join("\n"), @r#"
    server process 42 ("report", user "ann", idle in transaction, for 3600 s)
    server process 44 ("", user "", state hidden, for 10000 transactions)
    prepared transaction "two-phase" (for 60 s)
    replication slot "standby" (for 10000 transactions)
    "#);
}

#[test]
fn slots_and_standbys_in_trouble_are_told() {
    let slot = |wal_status: &str| Slot {
        name: "s".to_owned(),
        active: true,
        wal_status: Some(wal_status.to_owned()),
        ..Slot::default()
    };
    let of = |slot: Slot| {
        case().found(&Facts {
            slots: vec![slot],
            ..calm()
        })
    };
    assert_eq!(of(slot("reserved")), []);
    assert_eq!(of(slot("lost")), [(Severity::Warning, "slot-wal")]);
    assert_eq!(of(slot("unreserved")), [(Severity::Warning, "slot-wal")]);
    let idle = Slot {
        active: false,
        kept_bytes: Some(1 << 30),
        ..slot("extended")
    };
    assert_eq!(of(idle), [(Severity::Warning, "slot-inactive")]);
    let standby = |lag_bytes, lag_seconds| {
        case().found(&Facts {
            standbys: vec![Standby {
                name: "b".to_owned(),
                lag_bytes,
                lag_seconds,
            }],
            ..calm()
        })
    };
    assert_eq!(standby(Some(1 << 20), Some(1.0)), []);
    assert_eq!(standby(None, None), []);
    assert_eq!(standby(Some(1 << 30), None), [(Severity::Warning, "standby-lag")]);
    assert_eq!(standby(None, Some(11.0)), [(Severity::Warning, "standby-lag")]);
}

#[test]
fn triggers_are_told_by_event_and_kind() {
    let mut case = case();
    let trigger = |name: &str, on_delete, before_row| Trigger {
        name: name.to_owned(),
        on_delete,
        on_update: !on_delete,
        before_row,
    };
    case.catalog.tables.get_mut(&1).unwrap().triggers = vec![
        trigger("log", true, false),
        trigger("keep", true, true),
        trigger("touch", false, true),
    ];
    assert_eq!(
        case.found(&calm()),
        [
            (Severity::Warning, "trigger"),
            (Severity::Warning, "trigger-before-row")
        ]
    );
    case.work = update();
    assert_eq!(case.found(&calm()), [(Severity::Warning, "trigger-before-row")]);
}

#[test]
fn a_published_table_without_identity_is_refused_for_its_event() {
    let facts = Facts {
        unidentified: [(
            1,
            Published {
                deletes: Some("changes".to_owned()),
                updates: None,
            },
        )]
        .into(),
        ..calm()
    };
    let mut case = case();
    assert_eq!(case.found(&facts), [(Severity::Refused, "replica-identity")]);
    case.work = update();
    assert_eq!(case.found(&facts), []);
}

#[test]
fn the_state_of_tables_is_told() {
    let mut case = case();
    case.catalog.tables.get_mut(&1).unwrap().persistence = 'u';
    let facts = Facts {
        vacuums: [(1, "scanning heap".to_owned())].into(),
        no_autovacuum: [1].into(),
        sees_all: false,
        ..calm()
    };
    assert_eq!(
        case.found(&facts),
        [
            (Severity::Warning, "vacuum-running"),
            (Severity::Warning, "autovacuum-off"),
            (Severity::Note, "blind"),
            (Severity::Note, "unlogged"),
        ]
    );
}

#[test]
fn columns_that_the_policy_does_not_classify_are_told_and_refused_when_strict() {
    let mut case = case();
    case.policy.rules = vec![retention_policy::Rule {
        keep_columns: Some(Vec::new()),
        ..rule("users", "users")
    }];
    let preflight = case.judge(&calm());
    assert_eq!(preflight.findings[0].severity, Severity::Warning);
    assert!(
        preflight.findings[0]
            .message
            .contains("does not classify email of public.users"),
        "{:?}",
        preflight.findings
    );
    case.strict = true;
    assert_eq!(case.found(&calm()), [(Severity::Refused, "unclassified-column")]);
    // Another rule on the same table speaks of it.
    case.policy.rules.push(retention_policy::Rule {
        action: anonymise(Transform::Null),
        ..rule("mail", "users")
    });
    assert_eq!(case.found(&calm()), []);
    case.policy.rules.remove(0);
    assert_eq!(case.found(&calm()), [(Severity::Refused, "unclassified-table")]);
}

#[test]
fn holds_and_labels_without_effect_are_told() {
    let on = |table: &str| HeldColumn {
        schema: "public".to_owned(),
        table: table.to_owned(),
        column: "id".to_owned(),
    };
    let mut case = case();
    case.active = Structure {
        columns: vec![on("elsewhere"), on("users")],
        subjects: false,
        dangling: vec![on("gone")],
    };
    case.policy.legal_hold_labels = vec!["hold".to_owned()];
    assert_eq!(
        case.found(&calm()),
        [
            (Severity::Refused, "hold-dangling"),
            (Severity::Warning, "labels-unused"),
            (Severity::Note, "hold-unrelated"),
        ]
    );
}

#[test]
fn a_hold_on_a_subject_that_would_be_void_is_refused() {
    let mut case = case();
    case.policy.rules = vec![retention_policy::Rule {
        keep_columns: Some(vec!["email".to_owned(), "at".to_owned()]),
        ..rule("users", "users")
    }];
    // Labels hold rows of the table, but say nothing of whose they are.
    case.policy.legal_hold_labels = vec!["hold".to_owned()];
    case.policy.rules[0].labels_column = Some("email".to_owned());
    assert_eq!(case.found(&calm()), []);
    case.active.subjects = true;
    for work in [Work::Delete, Work::Detach, update()] {
        case.work = work;
        let preflight = case.judge(&calm());
        let [finding] = preflight.findings.as_slice() else {
            panic!("{:?}", preflight.findings)
        };
        assert_eq!(
            (finding.severity, finding.code, finding.rule.as_deref()),
            (Severity::Refused, "hold-subject-unreachable", Some("users"))
        );
        for part in ["public.users", "subject_column", "under erasure", "--table --column"] {
            assert!(finding.message.contains(part), "{}", finding.message);
        }
    }
    case.policy.rules[0].subject_column = Some("id".to_owned());
    assert_eq!(case.found(&calm()), []);
}

#[test]
fn rows_that_keys_tie_to_a_subject_are_reached() {
    let mut orders = table(2, "orders", &[("id", "bigint"), ("user_id", "bigint")]);
    refer(&mut orders, "user_id", 1, OnDelete::Cascade);
    let mut case = case();
    case.catalog = catalog(vec![users(), orders]);
    case.policy.rules = vec![retention_policy::Rule {
        subject_column: Some("user_id".to_owned()),
        ..rule("orders", "orders")
    }];
    case.active.subjects = true;
    assert_eq!(case.found(&calm()), []);
}

#[test]
fn a_hold_whose_value_matches_nothing_is_refused_and_subjects_are_not_named() {
    let hold = |printed: Option<&str>, subject| Misprinted {
        id: 12,
        on: HeldColumn {
            schema: "public".to_owned(),
            table: "users".to_owned(),
            column: "id".to_owned(),
        },
        type_name: "bigint".to_owned(),
        printed: printed.map(str::to_owned),
        subject,
    };
    for (hold, shows) in [
        (hold(Some("4711"), false), true),
        (hold(Some("4711"), true), false),
        (hold(None, true), false),
        (hold(None, false), false),
    ] {
        let facts = Facts {
            misprinted: vec![hold],
            ..calm()
        };
        let preflight = case().judge(&facts);
        let finding = preflight.refused().next().unwrap();
        assert_eq!((finding.code, finding.object.as_str()), ("hold-value-form", "hold 12"));
        for part in ["public.users.id", "bigint", "hold release 12"] {
            assert!(finding.message.contains(part), "{}", finding.message);
        }
        assert_eq!(finding.message.contains("4711"), shows, "{}", finding.message);
    }
}
