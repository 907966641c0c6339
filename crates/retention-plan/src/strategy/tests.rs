//! Each choice, on catalogs made by hand.

use super::*;
use crate::catalog::{OnDelete, Trigger};
use crate::fixture::{catalog, index, place, refer, table};

const COLUMNS: [(&str, &str); 3] = [("id", "bigint"), ("at", "timestamp with time zone"), ("email", "text")];

fn cutoff() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn wanted(doing: Doing<'_>) -> Wanted<'_> {
    Wanted {
        doing,
        age: Some(("at", cutoff())),
        conditions: false,
        reach: None,
        max_rows: None,
    }
}

fn facts(due: u64) -> LeafFacts {
    LeafFacts {
        due,
        held: 0,
        blocked: 0,
        correlation: Some(0.1),
        old_snapshot: false,
    }
}

fn alone(leaf: &Table, wanted: &Wanted<'_>, facts: &LeafFacts) -> Choice {
    choose(&catalog(vec![leaf.clone()]), leaf, wanted, facts)
}

fn events() -> Table {
    let mut events = table(1, "events", &COLUMNS);
    events.indexes = vec![index("events_pkey", &[1]), index("events_at", &[2, 1])];
    events
}

#[test]
fn a_delete_goes_by_an_index_for_few_rows_or_rows_in_order() {
    let wanted = wanted(Doing::Delete);
    let few = alone(&events(), &wanted, &facts(5_800));
    assert_eq!(few.strategy, Some(Strategy::Keyset));
    assert_eq!(few.keyset.as_ref().map(|column| column.name.as_str()), Some("at"));
    assert!(
        few.reason.contains("events_at") && few.reason.contains("0.19 %"),
        "{}",
        few.reason
    );
    let scattered = alone(&events(), &wanted, &facts(1_500_000));
    assert_eq!(scattered.strategy, Some(Strategy::TidRange), "{}", scattered.reason);
    for order in [0.95, -0.95] {
        let in_order = LeafFacts {
            correlation: Some(order),
            ..facts(300_000)
        };
        let in_order = alone(&events(), &wanted, &in_order);
        assert_eq!(in_order.strategy, Some(Strategy::Keyset), "{}", in_order.reason);
    }
    let unknown = LeafFacts {
        correlation: None,
        ..facts(1_500_000)
    };
    assert_eq!(alone(&events(), &wanted, &unknown).strategy, Some(Strategy::TidRange));
}

#[test]
fn a_backlog_in_order_is_taken_block_by_block_as_far_as_it_goes() {
    let backlog = LeafFacts {
        correlation: Some(0.95),
        held: 7,
        blocked: 3,
        ..facts(1_500_000)
    };
    let choice = alone(&events(), &wanted(Doing::Delete), &backlog);
    assert_eq!(choice.strategy, Some(Strategy::TidRange), "{}", choice.reason);
    assert_eq!(choice.together, Some(1_499_990));
    let scattered = LeafFacts {
        correlation: Some(0.1),
        ..backlog
    };
    assert_eq!(alone(&events(), &wanted(Doing::Delete), &scattered).together, None);
}

#[test]
fn an_index_that_does_not_serve_is_not_used() {
    let wanted = wanted(Doing::Delete);
    for spoil in [
        |index: &mut Index| index.usable = false,
        |index: &mut Index| index.partial = true,
        |index: &mut Index| index.method = "brin".to_owned(),
        |index: &mut Index| index.key_columns = vec![1, 2],
    ] {
        let mut leaf = events();
        spoil(&mut leaf.indexes[1]);
        let choice = alone(&leaf, &wanted, &facts(10));
        assert_eq!(choice.strategy, Some(Strategy::TidRange), "{}", choice.reason);
        assert!(!index_finds(&leaf, &wanted));
    }
    assert!(index_finds(&events(), &wanted));
}

#[test]
fn never_analysed_tables_are_judged_by_their_blocks() {
    let mut leaf = events();
    leaf.estimated_rows = -1.0;
    assert_eq!(
        alone(&leaf, &wanted(Doing::Delete), &facts(10)).strategy,
        Some(Strategy::Keyset)
    );
    leaf.blocks = 1;
    assert_eq!(
        alone(&leaf, &wanted(Doing::Delete), &facts(40)).strategy,
        Some(Strategy::TidRange)
    );
}

#[test]
fn hot_passes_need_columns_without_index_pruning_and_density() {
    let columns = ["email".to_owned()];
    let wanted = wanted(Doing::Anonymise(&columns));
    let of = |change: &dyn Fn(&mut Table, &mut LeafFacts)| {
        let (mut leaf, mut facts) = (events(), facts(1_500_000));
        change(&mut leaf, &mut facts);
        alone(&leaf, &wanted, &facts).strategy
    };
    assert_eq!(of(&|_, _| ()), Some(Strategy::HotPasses));
    let plain = Some(Strategy::TidRange);
    assert_eq!(of(&|leaf, _| leaf.indexes.push(index("events_email", &[3]))), plain);
    // One that is not ready yet, or speaks of the column in its predicate, rules HOT out as well.
    assert_eq!(
        of(&|leaf, _| leaf.indexes.push(Index {
            usable: false,
            key_columns: vec![0],
            ..index("events_lower", &[3])
        })),
        plain
    );
    assert_eq!(of(&|_, facts| facts.old_snapshot = true), plain);
    assert_eq!(of(&|leaf, _| leaf.fillfactor = 50), plain);
    assert_eq!(of(&|_, facts| facts.due = 5_000), plain);
    // The same few rows, lying together.
    assert_eq!(
        of(&|_, facts| {
            facts.due = 5_000;
            facts.correlation = Some(1.0);
        }),
        Some(Strategy::HotPasses)
    );
}

#[test]
fn a_brin_index_allows_hot_from_sixteen_on() {
    let columns = ["email".to_owned()];
    let mut leaf = events();
    leaf.indexes.push(Index {
        method: "brin".to_owned(),
        ..index("events_email", &[3])
    });
    for (version, expected) in [(150_018, Strategy::TidRange), (160_000, Strategy::HotPasses)] {
        let mut catalog = catalog(vec![leaf.clone()]);
        catalog.server.version_num = version;
        let choice = choose(&catalog, &leaf, &wanted(Doing::Anonymise(&columns)), &facts(1_500_000));
        assert_eq!(choice.strategy, Some(expected), "{version}");
    }
}

#[test]
fn a_few_subjects_are_found_by_the_index_that_leads_to_them() {
    let wanted = Wanted {
        age: None,
        reach: Some("id"),
        ..wanted(Doing::Delete)
    };
    assert_eq!(alone(&events(), &wanted, &facts(3)).strategy, Some(Strategy::Limited));
    assert_eq!(
        alone(&events(), &wanted, &facts(2_000_000)).strategy,
        Some(Strategy::TidRange)
    );
    let by_email = Wanted {
        reach: Some("email"),
        ..wanted
    };
    assert_eq!(
        alone(&events(), &by_email, &facts(3)).strategy,
        Some(Strategy::TidRange)
    );
}

/// A parent with one partition that ended a year ago.
fn partitioned() -> Vec<Table> {
    let mut parent = table(1, "events", &COLUMNS);
    parent.kind = RelationKind::Partitioned;
    parent.partitioned_by = Some(('r', vec![2]));
    let mut old = events();
    old.relation.oid = 2;
    old.relation.name = "events_2025".to_owned();
    old.partition = Some(place(1, "at", Some("2025-06-01T00:00:00Z")));
    vec![parent, old]
}

fn whole(change: impl Fn(&mut Vec<Table>, &mut Wanted<'_>, &mut LeafFacts)) -> Choice {
    let (mut tables, mut wanted, mut facts) = (partitioned(), wanted(Doing::Detach), facts(100));
    change(&mut tables, &mut wanted, &mut facts);
    let catalog = catalog(tables);
    choose(&catalog, &catalog.tables[&2], &wanted, &facts)
}

#[test]
fn a_whole_partition_goes_when_nothing_stands_against_it() {
    let choice = whole(|_, _, _| ());
    assert_eq!(choice.strategy, Some(Strategy::Partition));
    assert_eq!(choice.upper_bound, Some("2025-06-01T00:00:00Z".parse().unwrap()));
    assert!(choice.detach_concurrently);
    let at_the_cutoff = whole(|tables, _, _| tables[1].partition = Some(place(1, "at", Some("2026-03-01T00:00:00Z"))));
    assert_eq!(at_the_cutoff.strategy, Some(Strategy::Partition));
}

#[test]
fn a_default_partition_rules_concurrently_out() {
    let choice = whole(|tables, _, _| {
        let mut rest = table(3, "events_rest", &COLUMNS);
        rest.partition = Some(crate::catalog::Partition {
            is_default: true,
            ..place(1, "at", None)
        });
        tables.push(rest);
    });
    assert_eq!(choice.strategy, Some(Strategy::Partition));
    assert!(!choice.detach_concurrently);
}

#[test]
fn a_partition_stays_for_each_of_these_reasons() {
    let trigger = |on_delete| Trigger {
        name: "audit".to_owned(),
        on_delete,
        on_update: true,
        before_row: false,
    };
    let stays: [(&str, Choice); 9] = [
        (
            "is after the cutoff",
            whole(|tables, _, _| tables[1].partition = Some(place(1, "at", Some("2026-03-01T00:00:00.000001Z")))),
        ),
        (
            "no bound",
            whole(|tables, _, _| tables[1].partition = Some(place(1, "at", None))),
        ),
        ("conditions", whole(|_, wanted, _| wanted.conditions = true)),
        ("max_rows", whole(|_, wanted, _| wanted.max_rows = Some(99))),
        ("legal hold", whole(|_, _, facts| facts.held = 1)),
        ("other rows refer", whole(|_, _, facts| facts.blocked = 1)),
        (
            "foreign key",
            whole(|tables, _, _| {
                let mut notes = table(4, "notes", &[("id", "bigint"), ("event", "bigint")]);
                refer(&mut notes, "event", 1, OnDelete::Cascade);
                tables.push(notes);
            }),
        ),
        (
            "trigger",
            whole(move |tables, _, _| tables[0].triggers.push(trigger(true))),
        ),
        ("own", whole(|tables, _, _| tables[0].privileges.owner = false)),
    ];
    for (why, choice) in stays {
        assert_eq!(choice.strategy, None, "{why}");
        assert!(choice.reason.contains(why), "{why}: {}", choice.reason);
    }
    let not_for_deletes = whole(move |tables, _, _| tables[0].triggers.push(trigger(false)));
    assert_eq!(not_for_deletes.strategy, Some(Strategy::Partition));
}

#[test]
fn what_cannot_be_dropped_is_deleted_row_by_row() {
    let choice = whole(|_, wanted, facts| {
        wanted.doing = Doing::Delete;
        facts.held = 1;
    });
    assert_eq!(choice.strategy, Some(Strategy::Keyset), "{}", choice.reason);
}
