//! Owns what follows from the policy: columns that it does not speak of, holds and labels, keys that would reach the log.
//! Pure.

use super::facts::Facts;
use super::{Finding, Severity, Subject};
use crate::model::Task;
use retention_policy::{Action, Condition, ErasureAction, Policy, Reach, TableName, Transform};
use retention_store::hold::Misprinted;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn findings(subject: &Subject<'_>, facts: &Facts) -> Vec<Finding> {
    let mut found = drift(subject);
    found.extend(facts.misprinted.iter().map(misprinted));
    for on in &subject.active.dangling {
        found.push(Finding::new(
            Severity::Refused,
            "hold-dangling",
            on.to_string(),
            format!(
                "a legal hold names {on}, which is not there: what it was to protect is not known; release it (`retention-job \
                 hold release`) or place it anew"
            ),
        ));
    }
    found.extend(unreachable(subject));
    for on in subject.holds.unrelated(subject.active) {
        found.push(Finding::new(
            Severity::Note,
            "hold-unrelated",
            on.to_string(),
            format!("the legal hold on {on} concerns no table of this policy, nor one that foreign keys tie to it"),
        ));
    }
    let policy = subject.policy;
    if !policy.legal_hold_labels.is_empty() && policy.rules.iter().all(|rule| rule.labels_column.is_none()) {
        found.push(Finding::new(
            Severity::Warning,
            "labels-unused",
            "legal_hold_labels",
            format!(
                "the policy has legal_hold_labels ({}), but no rule says where labels are (labels_column): they hold nothing",
                policy.legal_hold_labels.join(", ")
            ),
        ));
    }
    found
}

/// Tables whose rows a hold on a subject cannot protect, because nothing says whose they are.
fn unreachable(subject: &Subject<'_>) -> Vec<Finding> {
    if !subject.active.subjects {
        return Vec::new();
    }
    let (of_deletes, of_changes) = (subject.holds.subject_tables(true), subject.holds.subject_tables(false));
    let blind = |task: &&Task| {
        let known = if task.work.removes() { &of_deletes } else { &of_changes };
        // One partition may be described and its neighbours not.
        !known.contains(&task.table.oid) || task.leaves.iter().any(|leaf| !known.contains(&leaf.relation.oid))
    };
    subject
        .tasks
        .iter()
        .filter(blind)
        .map(|task| {
            let shown = task.table.shown();
            Finding::new(
                Severity::Refused,
                "hold-subject-unreachable",
                &shown,
                format!(
                    "a subject is under a legal hold, and nothing says whose rows those of {shown} are: the hold would not \
                     protect them; give subject_column in the rule, describe {shown} under erasure, or place the hold on a \
                     table and column instead (`retention-job hold add --table --column --value`, then `hold release` the \
                     one on the subject)"
                ),
            )
            .of(&task.rule)
        })
        .collect()
}

/// A hold that matches nothing because of its value's form.
fn misprinted(hold: &Misprinted) -> Finding {
    Finding::new(
        Severity::Refused,
        "hold-value-form",
        format!("hold {}", hold.id),
        format!("it {}", hold.why()),
    )
}

/// Columns of governed tables that the policy neither uses nor keeps. A table is looked at when a rule has
/// `keep_columns`; where rows are only deleted, whatever is in them goes.
fn drift(subject: &Subject<'_>) -> Vec<Finding> {
    let policy = subject.policy;
    let mut known: BTreeMap<&TableName, BTreeSet<&str>> = BTreeMap::new();
    let mut classified: BTreeMap<&TableName, &str> = BTreeMap::new();
    let mut open: BTreeMap<&TableName, &str> = BTreeMap::new();
    for rule in &policy.rules {
        let columns = known.entry(&rule.table).or_default();
        columns.extend(rule.age.iter().map(|age| age.column.as_str()));
        columns.extend(of_conditions(&rule.conditions));
        columns.extend(rule.labels_column.iter().map(String::as_str));
        columns.extend(rule.subject_column.iter().map(String::as_str));
        if let Some(keep) = &rule.keep_columns {
            columns.extend(keep.iter().map(String::as_str));
            classified.entry(&rule.table).or_insert(&rule.name);
        }
        if let Action::Anonymise(set) = &rule.action {
            columns.extend(set.keys().map(String::as_str));
            open.entry(&rule.table).or_insert(&rule.name);
        }
    }
    if let Some(erasure) = &policy.erasure {
        let columns = known.entry(&erasure.subject.table).or_default();
        columns.insert(&erasure.subject.key);
        columns.extend(erasure.subject.completed.iter().map(String::as_str));
        columns.extend(of_conditions(&erasure.subject.requested));
        for table in &erasure.tables {
            let columns = known.entry(&table.table).or_default();
            match &table.reach {
                Reach::Column(column) | Reach::Via { column, .. } => columns.insert(column),
            };
            if let ErasureAction::Anonymise(set) = &table.action {
                columns.extend(set.keys().map(String::as_str));
            }
        }
    }
    let mut found = Vec::new();
    for (name, known) in known {
        let Some(table) = subject.catalog.find(&name.schema, &name.name) else {
            continue;
        };
        let Some(rule) = classified.get(name) else {
            if let Some(rule) = open.get(name) {
                found.push(
                    Finding::new(
                        if subject.strict { Severity::Refused } else { Severity::Note },
                        "unclassified-table",
                        name.to_string(),
                        format!(
                            "rule {rule} does not say which columns of {name} stay (keep_columns), so a new column with \
                             personal data would go unnoticed"
                        ),
                    )
                    .of(rule),
                );
            }
            continue;
        };
        // The primary key names the row; it cannot be anything but kept.
        let unknown: Vec<&str> = table
            .columns
            .iter()
            .filter(|column| !table.primary_key.contains(&column.number))
            .map(|column| column.name.as_str())
            .filter(|column| !known.contains(column))
            .collect();
        if !unknown.is_empty() {
            found.push(
                Finding::new(
                    if subject.strict { Severity::Refused } else { Severity::Warning },
                    "unclassified-column",
                    name.to_string(),
                    format!(
                        "the policy does not classify {} of {name}: anonymise them, or add them to keep_columns of rule {rule}",
                        unknown.join(", ")
                    ),
                )
                .of(rule),
            );
        }
    }
    found
}

fn of_conditions(conditions: &[Condition]) -> impl Iterator<Item = &str> {
    conditions.iter().map(|condition| condition.column.as_str())
}

/// See [`values_in_log`].
pub(super) struct ValuesInLog {
    pub(super) findings: Vec<Finding>,
    pub(super) silence: bool,
}

/// `hmac` sends its key as a bound value, and erasures the keys of subjects; a server may be set to write bound values to its
/// log. Where we may, we tell it not to. A key of hmac in the log would undo the work, so that is refused; a subject's key is
/// told.
pub(super) fn values_in_log(subject: &Subject<'_>, facts: &Facts) -> ValuesInLog {
    let erasure = subject.policy.erasure.is_some();
    let hmac = uses_hmac(subject.policy);
    if !hmac && !erasure {
        return ValuesInLog {
            findings: Vec::new(),
            silence: false,
        };
    }
    let mut leaks = leaks(facts);
    let by_statements = logged_by(facts).filter(|_| facts.setting("log_parameter_max_length") != Some("0"));
    if let Some(setting) = by_statements.filter(|_| !facts.may_silence) {
        leaks.push(Leak {
            setting,
            what: setting,
            todo: "ALTER ROLE ... SET log_parameter_max_length = 0 for this role",
        });
    }
    let found = |leak: &Leak| {
        let Leak { setting, what, todo } = leak;
        if hmac {
            Finding::new(
                Severity::Refused,
                "key-in-log",
                *setting,
                format!("a rule uses hmac, whose key the server would write to its log ({what}); {todo}"),
            )
        } else {
            Finding::new(
                Severity::Warning,
                "subject-in-log",
                *setting,
                format!("the policy erases subjects, whose keys the server would write to its log ({what}); {todo}"),
            )
        }
    };
    ValuesInLog {
        findings: leaks.iter().map(found).collect(),
        silence: by_statements.is_some() && facts.may_silence,
    }
}

fn uses_hmac(policy: &Policy) -> bool {
    let hmac = |set: &BTreeMap<String, Transform>| set.values().any(|transform| *transform == Transform::Hmac);
    let by_rule = policy.rules.iter().any(|rule| match &rule.action {
        Action::Anonymise(set) => hmac(set),
        Action::Delete | Action::DetachPartition => false,
    });
    let by_erasure = policy
        .erasure
        .iter()
        .flat_map(|erasure| &erasure.tables)
        .any(|table| matches!(&table.action, ErasureAction::Anonymise(set) if hmac(set)));
    by_rule || by_erasure
}

/// A way of bound values into the log.
struct Leak {
    setting: &'static str,
    what: &'static str,
    todo: &'static str,
}

/// Those that write bound values in their own way, which no setting of ours stops.
fn leaks(facts: &Facts) -> Vec<Leak> {
    let mut found = Vec::new();
    if facts.setting("pgaudit.log_parameter") == Some("on") {
        found.push(Leak {
            setting: "pgaudit.log_parameter",
            what: "pgaudit.log_parameter = on",
            todo: "switch it off for this role: ALTER ROLE ... SET pgaudit.log_parameter = off",
        });
    }
    let not_zero = |name| facts.setting(name).is_some_and(|length| length != "0");
    if not_zero("auto_explain.log_parameter_max_length") && logs_from(facts.setting("auto_explain.log_min_duration")) {
        found.push(Leak {
            setting: "auto_explain.log_parameter_max_length",
            what: "auto_explain logs statements with their values",
            todo: "ALTER ROLE ... SET auto_explain.log_parameter_max_length = 0",
        });
    }
    if not_zero("log_parameter_max_length_on_error") {
        found.push(Leak {
            setting: "log_parameter_max_length_on_error",
            what: "log_parameter_max_length_on_error is not 0",
            todo: "ALTER ROLE ... SET log_parameter_max_length_on_error = 0",
        });
    }
    found
}

/// The setting by which statements get into the log, with their values.
fn logged_by(facts: &Facts) -> Option<&'static str> {
    if matches!(facts.setting("log_statement"), Some("mod" | "all")) {
        Some("log_statement")
    } else if logs_from(facts.setting("log_min_duration_statement")) {
        Some("log_min_duration_statement")
    } else if logs_from(facts.setting("log_min_duration_sample")) {
        Some("log_min_duration_sample")
    } else if facts
        .setting("log_transaction_sample_rate")
        .is_some_and(|rate| rate.parse::<f64>().map_or(true, |rate| rate > 0.0))
    {
        Some("log_transaction_sample_rate")
    } else {
        None
    }
}

/// A duration from which on statements are logged: `-1` is never; with a unit (`250ms`) it is shown.
fn logs_from(setting: Option<&str>) -> bool {
    setting.is_some_and(|value| !value.trim_start().starts_with('-'))
}
