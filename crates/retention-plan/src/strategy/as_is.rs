//! Owns which columns an UPDATE sets to what they are. Pure.
//!
//! A row that changes its place gets a new entry in every index. Where none of an index's key columns is in the SET list,
//! PostgreSQL (14 and newer, `index_unchanged_by_update`) takes the entry for a mere new version, and before it splits a full
//! page it looks in the table for old versions that are dead by then ("bottom-up index deletion"). That pays for rows
//! that are updated again and again. Where half of a table is updated once it finds nothing that a split would
//! not have found room for, and takes half of the processor time: of 1.5 of 3 million rows, 13.4 s became 7.6 s, one UPDATE of
//! all of them 10.5 to 12.5 s, and the indexes were of the same size to the page.
//!
//! A column that is set to what it is changes nothing: neither the row, nor its locks (no key's columns are taken), nor which
//! entries there are. What could notice it is left alone: triggers (`UPDATE OF`), columns that are computed from others, keys
//! of partitions, rights that are missing.

use crate::catalog::{Catalog, Index, Table};
use crate::model::Column;

/// One column of each index that `set` leaves as it is, in the order of the indexes.
pub(super) fn columns(catalog: &Catalog, leaf: &Table, set: &[String]) -> Vec<String> {
    if is_watched(catalog, leaf) {
        return Vec::new();
    }
    let mut found: Vec<&Column> = Vec::new();
    for index in leaf.indexes.iter().filter(|index| is_searched(leaf, index, set)) {
        let mut keys = index.key_columns.iter().filter_map(|number| numbered(leaf, *number));
        let known = |column: &&Column| found.contains(column);
        if !keys.clone().any(|column| known(&column))
            && let Some(column) = keys.find(|column| may_be_set(catalog, leaf, column))
        {
            found.push(column);
        }
    }
    found.into_iter().map(|column| column.name.clone()).collect()
}

/// Somebody could notice that a column is in the SET list.
fn is_watched(catalog: &Catalog, leaf: &Table) -> bool {
    let fires = |table: &Table| table.triggers.iter().any(|trigger| trigger.on_update);
    // Identities are keys, as a rule; everything else that is generated is computed from other columns.
    let computed = |column: &Column| column.generated && !leaf.primary_key.contains(&column.number);
    catalog.lineage(leaf.relation.oid).any(fires) || leaf.columns.iter().any(computed)
}

/// Whether PostgreSQL would look for dead versions of the index's entries. In unique ones it may: their columns are keys.
fn is_searched(leaf: &Table, index: &Index, set: &[String]) -> bool {
    let changed = |number: &i16| numbered(leaf, *number).is_some_and(|column| set.contains(&column.name));
    index.method == "btree" && !index.unique && !index.key_columns.iter().any(changed)
}

fn may_be_set(catalog: &Catalog, leaf: &Table, column: &Column) -> bool {
    let of_key = |index: &Index| index.unique && index.all_columns.contains(&column.number);
    let of_partition = |table: &Table| match &table.partitioned_by {
        // 0: an expression, of whatever columns.
        Some((_, key)) => key
            .iter()
            .any(|number| *number == 0 || numbered(table, *number).is_some_and(|part| part.name == column.name)),
        None => false,
    };
    let allowed = leaf.privileges.update || leaf.update_columns.contains(&column.number);
    allowed
        && !column.generated
        && !leaf.indexes.iter().any(of_key)
        && !catalog.lineage(leaf.relation.oid).any(of_partition)
}

fn numbered(table: &Table, number: i16) -> Option<&Column> {
    table.columns.iter().find(|column| column.number == number)
}

#[cfg(test)]
mod tests {
    use super::columns;
    use crate::catalog::{Index, RelationKind, Table, Trigger};
    use crate::fixture::{catalog, index, place, table};

    /// `at`, `who` and `mail` are indexed, `mail` is set; `id` is the key.
    fn events() -> Table {
        let mut events = table(
            1,
            "events",
            &[
                ("id", "bigint"),
                ("at", "timestamp with time zone"),
                ("who", "bigint"),
                ("mail", "text"),
            ],
        );
        let key = Index {
            unique: true,
            ..index("events_pkey", &[1])
        };
        events.indexes = vec![key, index("a", &[2]), index("b", &[3]), index("c", &[4])];
        events
    }

    fn of(change: impl FnOnce(&mut Table)) -> Vec<String> {
        let mut leaf = events();
        change(&mut leaf);
        columns(&catalog(vec![leaf.clone()]), &leaf, &["mail".to_owned()])
    }

    #[test]
    fn one_column_of_each_index_that_is_left_as_it_is() {
        assert_eq!(of(|_| ()), ["at", "who"]);
        // One column does for two indexes; an index of a column that is set needs none.
        assert_eq!(of(|leaf| leaf.indexes[2] = index("b", &[3, 2])), ["at"]);
        assert_eq!(of(|leaf| leaf.indexes[2] = index("b", &[3, 4])), ["at"]);
        // An expression cannot be set, its neighbour can; other methods do not search.
        assert_eq!(of(|leaf| leaf.indexes[1].key_columns = vec![0]), ["who"]);
        assert_eq!(of(|leaf| leaf.indexes[1].key_columns = vec![0, 2]), ["at", "who"]);
        assert_eq!(of(|leaf| leaf.indexes[1].method = "gin".to_owned()), ["who"]);
    }

    #[test]
    fn nothing_that_anybody_could_notice() {
        let update = Trigger {
            name: "t".to_owned(),
            on_delete: false,
            on_update: true,
            before_row: false,
        };
        let delete = Trigger {
            on_delete: true,
            on_update: false,
            ..update.clone()
        };
        assert!(of(|leaf| leaf.triggers = vec![update]).is_empty());
        assert_eq!(of(|leaf| leaf.triggers = vec![delete]), ["at", "who"]);
        assert!(of(|leaf| leaf.columns[2].generated = true).is_empty());
        assert_eq!(of(|leaf| leaf.columns[0].generated = true), ["at", "who"]);
        // Columns of keys have other locks.
        assert_eq!(
            of(|leaf| leaf.indexes[0] = Index {
                unique: true,
                ..index("u", &[1, 3])
            }),
            ["at"]
        );
        assert!(of(|leaf| leaf.privileges.update = false).is_empty());
        assert_eq!(
            of(|leaf| {
                leaf.privileges.update = false;
                leaf.update_columns = vec![3, 4];
            }),
            ["who"]
        );
    }

    #[test]
    fn keys_of_partitions_stay_out_of_it() {
        for (key, expected) in [
            (vec![2], vec!["who"]),
            (vec![0], Vec::new()),
            (vec![4], vec!["at", "who"]),
        ] {
            let mut parent = events();
            parent.kind = RelationKind::Partitioned;
            parent.partitioned_by = Some(('r', key));
            let mut leaf = events();
            leaf.relation.oid = 2;
            leaf.partition = Some(place(1, "at", None));
            let catalog = catalog(vec![parent, leaf.clone()]);
            assert_eq!(columns(&catalog, &leaf, &["mail".to_owned()]), expected);
        }
    }
}
