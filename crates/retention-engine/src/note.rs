//! Owns what a note of an earlier run means now. Pure: decides from what the catalog shows.
//!
//! A note survives in a backup, and an OID can be another table's afterwards; a rule can have changed since. Nothing is
//! dropped on the word of a note alone.

use jiff::Timestamp;
use retention_plan::{Relation, Work};
use retention_store::detaching::Detaching;

/// A table that has the noted OID or the noted name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) relation: Relation,
    pub(crate) same_oid: bool,
    pub(crate) same_name: bool,
    /// It stores rows, and has the columns of the rule's table.
    pub(crate) same_kind: bool,
    pub(crate) place: Place,
}

/// Where a table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is no partition.
    Alone,
    /// It is a partition, and its table's plan sees to it.
    Attached,
    /// A detach from the noted table was begun and not finished.
    Pending,
}

/// What is to be done with a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was begun, or nothing is left of it.
    Forget(&'static str),
    /// What was begun is finished; `keep`: the table stays.
    Finish { keep: bool },
    /// It must not be dropped (any more); what is due in it goes row by row.
    ByRows(&'static str),
    /// These may be the noted table, but nobody can be sure: nothing is done, and what is due in them is left.
    Unsure(Vec<Relation>),
}

/// Decides.
pub(crate) fn decide(note: &Detaching, work: &Work, cutoff: Option<Timestamp>, candidates: &[Candidate]) -> Verdict {
    // What was only to be detached is never dropped, whatever the rule says now.
    let keep = !note.drop_it || matches!(work, Work::Detach);
    let exact = candidates
        .iter()
        .find(|known| known.same_oid && known.same_name && known.same_kind);
    match exact.map(|known| known.place) {
        Some(Place::Attached) => return Verdict::Forget("it was not detached, or is a partition again"),
        Some(Place::Alone | Place::Pending) if keep => return Verdict::Finish { keep },
        Some(Place::Alone | Place::Pending) => {
            return if !matches!(work, Work::Delete) {
                Verdict::ByRows("the rule deletes no longer")
            } else if cutoff.is_none_or(|cutoff| note.upper_bound > cutoff) {
                Verdict::ByRows("not all of it is due any more: the rule's term became longer")
            } else {
                Verdict::Finish { keep }
            };
        }
        None => {}
    }
    let perhaps: Vec<Relation> = candidates
        .iter()
        .filter(|known| known.place != Place::Attached && (known.same_name || (known.same_oid && known.same_kind)))
        .map(|known| known.relation.clone())
        .collect();
    if perhaps.is_empty() {
        Verdict::Forget("there is no such table any more")
    } else if keep {
        Verdict::Forget("the table that may be it stays as it is")
    } else {
        Verdict::Unsure(perhaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pg_session::Sql;

    fn note(drop_it: bool) -> Detaching {
        Detaching {
            partition_oid: 7,
            partition_schema: "public".to_owned(),
            partition_name: "jan".to_owned(),
            parent_oid: 1,
            rule: "old".to_owned(),
            drop_it,
            upper_bound: "2026-02-01T00:00:00Z".parse().unwrap(),
            run_id: "r".to_owned(),
        }
    }

    fn found(place: Place) -> Candidate {
        Candidate {
            relation: Relation {
                oid: 7,
                schema: "public".to_owned(),
                name: "jan".to_owned(),
            },
            same_oid: true,
            same_name: true,
            same_kind: true,
            place,
        }
    }

    fn anonymise() -> Work {
        Work::Anonymise {
            set: Sql::text("x = NULL"),
            guard: Sql::text("x IS NOT NULL"),
            columns: vec!["x".to_owned()],
        }
    }

    fn decided(drop_it: bool, work: &Work, candidates: &[Candidate]) -> Verdict {
        let cutoff = "2026-05-01T00:00:00Z".parse().unwrap();
        decide(&note(drop_it), work, Some(cutoff), candidates)
    }

    #[test]
    fn only_what_was_to_be_dropped_under_a_rule_that_deletes_is_dropped() {
        for place in [Place::Alone, Place::Pending] {
            for work in [Work::Delete, Work::Detach, anonymise()] {
                assert_eq!(
                    decided(false, &work, &[found(place)]),
                    Verdict::Finish { keep: true },
                    "{work:?}"
                );
            }
            assert_eq!(
                decided(true, &Work::Delete, &[found(place)]),
                Verdict::Finish { keep: false }
            );
            assert_eq!(
                decided(true, &Work::Detach, &[found(place)]),
                Verdict::Finish { keep: true }
            );
            let verdict = decided(true, &anonymise(), &[found(place)]);
            assert!(matches!(verdict, Verdict::ByRows(_)), "{verdict:?}");
        }
    }

    #[test]
    fn a_longer_term_drops_nothing() {
        for cutoff in [None, Some("2026-01-31T00:00:00Z".parse().unwrap())] {
            let verdict = decide(&note(true), &Work::Delete, cutoff, &[found(Place::Alone)]);
            assert!(matches!(verdict, Verdict::ByRows(_)), "{verdict:?}");
        }
        let verdict = decide(&note(true), &Work::Delete, None, &[found(Place::Attached)]);
        assert!(matches!(verdict, Verdict::Forget(_)), "{verdict:?}");
    }

    #[test]
    fn what_is_not_surely_the_noted_table_is_left_and_told() {
        let renamed = Candidate {
            same_name: false,
            ..found(Place::Alone)
        };
        let restored = Candidate {
            same_oid: false,
            ..found(Place::Alone)
        };
        let other_columns = Candidate {
            same_kind: false,
            ..found(Place::Alone)
        };
        for one in [renamed, restored, other_columns] {
            let relation = one.relation.clone();
            assert_eq!(
                decided(true, &Work::Delete, std::slice::from_ref(&one)),
                Verdict::Unsure(vec![relation])
            );
            let verdict = decided(false, &Work::Detach, &[one]);
            assert!(matches!(verdict, Verdict::Forget(_)), "{verdict:?}");
        }
    }

    #[test]
    fn a_note_without_its_table_is_forgotten() {
        let stranger = Candidate {
            same_name: false,
            same_kind: false,
            ..found(Place::Alone)
        };
        let restored = Candidate {
            same_oid: false,
            ..found(Place::Attached)
        };
        for candidates in [vec![], vec![stranger.clone()], vec![stranger, restored]] {
            let verdict = decided(true, &Work::Delete, &candidates);
            assert!(matches!(verdict, Verdict::Forget(_)), "{verdict:?}");
        }
    }
}
