//! Owns what rules must be.

use super::{MAX_DAYS, MAX_MONTHS, names};
use crate::{
    error::Mistake,
    policy::{Action, Age, OnChildren, Rule, Term},
    text::quoted,
};
use std::collections::HashMap;

/// Longest name of a rule.
const MAX_RULE_NAME: usize = 63;

pub(super) fn rules(rules: &[Rule], out: &mut Vec<Mistake>) {
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (index, rule) in rules.iter().enumerate() {
        let at = format!("rules[{index}]");
        name(&rule.name, &format!("{at}.name"), out);
        match known.get(rule.name.as_str()) {
            Some(first) => {
                let message = format!(
                    "expected a name of its own, found {}, the name of rules[{first}]",
                    quoted(&rule.name)
                );
                out.push(Mistake::new(format!("{at}.name"), message));
            }
            None => drop(known.insert(&rule.name, index)),
        }
        one(rule, &at, out);
    }
}

/// Names are labels of metrics and keys of receipts.
fn name(name: &str, at: &str, out: &mut Vec<Mistake>) {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let rest = |byte: u8| fits(byte) || matches!(byte, b'-' | b'_' | b'.');
    let right = name.bytes().next().is_some_and(fits) && name.bytes().all(rest) && name.len() <= MAX_RULE_NAME;
    if !right {
        out.push(Mistake::new(
            at,
            format!(
                "expected 1 to {MAX_RULE_NAME} of a-z, 0-9, `-`, `_` and `.`, with a letter or digit first, found {}",
                quoted(name)
            ),
        ));
    }
}

fn one(rule: &Rule, at: &str, out: &mut Vec<Mistake>) {
    names::table(&rule.table, &format!("{at}.table"), out);
    if rule.age.is_none() && rule.conditions.is_empty() {
        out.push(Mistake::new(
            at,
            "expected `age` or `where`, found neither: every row of the table would be due",
        ));
    }
    if let Some(each) = &rule.age {
        age(each, &format!("{at}.age"), out);
    }
    names::conditions(&rule.conditions, &format!("{at}.where"), out);
    action(rule, at, out);
    if rule.max_rows == Some(0) {
        out.push(Mistake::new(format!("{at}.max_rows"), "expected 1 or more, found 0"));
    }
    fraction(rule.max_fraction, &format!("{at}.max_fraction"), out);
    for (key, column) in [
        ("labels_column", &rule.labels_column),
        ("subject_column", &rule.subject_column),
    ] {
        if let Some(column) = column {
            names::column(column, &format!("{at}.{key}"), out);
        }
    }
    for (index, column) in rule.keep_columns.iter().flatten().enumerate() {
        let at = format!("{at}.keep_columns[{index}]");
        names::column(column, &at, out);
        if let Action::Anonymise(columns) = &rule.action
            && columns.contains_key(column)
        {
            let message = format!(
                "{} is also made anonymous by the rule: expected one of both",
                quoted(column)
            );
            out.push(Mistake::new(at, message));
        }
    }
}

/// A part of a table.
pub(super) fn fraction(fraction: Option<f64>, at: &str, out: &mut Vec<Mistake>) {
    if let Some(fraction) = fraction {
        // Not a number is neither.
        if !(fraction > 0.0 && fraction <= 1.0) {
            let message = format!("expected more than 0 and at most 1, found {fraction}");
            out.push(Mistake::new(at, message));
        }
    }
}

fn age(age: &Age, at: &str, out: &mut Vec<Mistake>) {
    names::column(&age.column, &format!("{at}.column"), out);
    let (key, number, most) = match age.term {
        Term::Days(days) => ("days", days, MAX_DAYS),
        Term::Months(months) => ("months", months, MAX_MONTHS),
    };
    if !(1..=most).contains(&number) {
        out.push(Mistake::new(
            format!("{at}.{key}"),
            format!("expected 1 to {most}, found {number}"),
        ));
    }
}

fn action(rule: &Rule, at: &str, out: &mut Vec<Mistake>) {
    match &rule.action {
        Action::Delete => return,
        Action::DetachPartition => {
            if rule.age.is_none() {
                out.push(Mistake::new(
                    at,
                    "the key `age` is missing: `detach-partition` goes by the bounds of partitions alone",
                ));
            }
            if !rule.conditions.is_empty() {
                let message =
                    "expected none with `detach-partition`, which goes by the bounds of partitions alone: use `delete`";
                out.push(Mistake::new(format!("{at}.where"), message));
            }
        }
        Action::Anonymise(columns) => names::transforms(columns, &format!("{at}.action.anonymise"), out),
    }
    if rule.on_children == OnChildren::Cascade {
        let message = "expected `cascade` only with `delete`: no other action reaches rows of other tables";
        out.push(Mistake::new(format!("{at}.on_children"), message));
    }
}
