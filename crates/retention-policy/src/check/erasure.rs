//! Owns what an erasure must be: above all, that a subject's rows can be found again. An erasure that was interrupted goes on, and one that
//! was done is done again after a restore, only if the columns by which rows are found still say the same.

use super::{names, rule::fraction};
use crate::{
    error::Mistake,
    policy::{Erasure, ErasureAction, OnChildren, Reach, TableName},
    text::plain,
};
use std::collections::{BTreeMap, HashMap};

/// Tables between a row and its subject.
const MAX_VIA: usize = 8;

/// A column by which rows are found, and where the policy says so.
type Finders<'a> = BTreeMap<(&'a TableName, &'a str), String>;

pub(super) fn erasure(erasure: &Erasure, out: &mut Vec<Mistake>) {
    let subject = &erasure.subject;
    names::table(&subject.table, "erasure.subject.table", out);
    names::column(&subject.key, "erasure.subject.key", out);
    names::conditions(&subject.requested, "erasure.subject.requested", out);
    let mut finders = Finders::new();
    finders.insert((&subject.table, &subject.key), "erasure.subject.key".to_owned());
    if let Some(completed) = &subject.completed {
        let at = "erasure.subject.completed";
        names::column(completed, at, out);
        if *completed == subject.key {
            out.push(Mistake::new(
                at,
                "expected another column than `key`: it is set when the erasure is done",
            ));
        }
        finders
            .entry((&subject.table, completed))
            .or_insert_with(|| at.to_owned());
    }
    fraction(erasure.max_fraction, "erasure.max_fraction", out);
    if erasure.tables.is_empty() {
        out.push(Mistake::new(
            "erasure.tables",
            "expected at least one table, found an empty list",
        ));
    }
    let mut known: HashMap<&TableName, usize> = HashMap::new();
    for (index, each) in erasure.tables.iter().enumerate() {
        let at = format!("erasure.tables[{index}]");
        names::table(&each.table, &format!("{at}.table"), out);
        match known.get(&each.table) {
            Some(first) => {
                let shown = plain(&each.table.to_string());
                let message = format!("expected each table once, found {shown}, the table of erasure.tables[{first}]");
                out.push(Mistake::new(format!("{at}.table"), message));
            }
            None => drop(known.insert(&each.table, index)),
        }
        reach(&each.table, &each.reach, &format!("{at}.reach"), &mut finders, out);
    }
    for (index, each) in erasure.tables.iter().enumerate() {
        let at = format!("erasure.tables[{index}]");
        let ErasureAction::Anonymise(columns) = &each.action else {
            continue;
        };
        names::transforms(columns, &format!("{at}.action.anonymise"), out);
        for column in columns.keys() {
            if let Some(finder) = finders.get(&(&each.table, column.as_str())) {
                let message = format!(
                    "expected a column that finds no rows, found that of {finder}: its rows could not be found again"
                );
                out.push(Mistake::new(
                    format!("{at}.action.anonymise.{}", plain(column)),
                    message,
                ));
            }
        }
        if each.on_children == OnChildren::Cascade {
            let message = "expected `cascade` only with `delete`: no other action reaches rows of other tables";
            out.push(Mistake::new(format!("{at}.on_children"), message));
        }
    }
}

fn reach<'a>(table: &'a TableName, reach: &'a Reach, at: &str, finders: &mut Finders<'a>, out: &mut Vec<Mistake>) {
    let (mut table, mut reach, mut place) = (table, reach, at.to_owned());
    let mut tables = 0;
    loop {
        match reach {
            Reach::Column(column) => {
                let place = format!("{place}.column");
                names::column(column, &place, out);
                finders.entry((table, column)).or_insert(place);
                return;
            }
            Reach::Via {
                column,
                table: next,
                key,
                reach: rest,
            } => {
                tables += 1;
                if tables > MAX_VIA {
                    let message =
                        format!("expected at most {MAX_VIA} tables between a row and its subject, found more");
                    out.push(Mistake::new(at, message));
                    return;
                }
                let via = format!("{place}.via");
                names::column(column, &format!("{via}.column"), out);
                names::table(next, &format!("{via}.table"), out);
                names::column(key, &format!("{via}.key"), out);
                finders
                    .entry((table, column))
                    .or_insert_with(|| format!("{via}.column"));
                finders.entry((next, key)).or_insert_with(|| format!("{via}.key"));
                (table, reach) = (next, rest);
                place = format!("{via}.reach");
            }
        }
    }
}
