//! Owns a case as a policy.

use crate::case::{Action, Case, Erasure, Op, Rule, Table, Term, Transform, Val, at};
use serde_json::{Map, Value, json};

fn value(of: &Val) -> Value {
    match of {
        Val::Int(number) => json!(number),
        Val::Text(text) => json!(text),
        Val::Null | Val::Time(_) => Value::Null,
    }
}

/// The policy, as JSON.
pub(crate) fn policy(case: &Case) -> String {
    let unindexed = case.tables.iter().flat_map(|table| &table.keys).any(|key| !key.indexed);
    let rules: Vec<Value> = case
        .rules
        .iter()
        .enumerate()
        .map(|(position, each)| rule(position, each, &case.tables[each.table], unindexed))
        .collect();
    let mut document = json!({
        "grace_seconds": case.grace,
        "guards": {"all_due_from_rows": 1_000_000, "max_cutoff_factor": 1_000_000.0},
        "rules": rules,
    });
    if let Some(of) = &case.erasure {
        document["erasure"] = erasure(of, &case.tables);
    }
    format!("{document:#}")
}

fn name(table: &Table) -> Value {
    json!({"schema": table.schema, "name": table.name})
}

fn column(table: &Table, place: usize) -> String {
    table.columns[place].name.clone()
}

fn rule(position: usize, rule: &Rule, table: &Table, unindexed: bool) -> Value {
    let mut out = json!({
        "name": format!("r{position}"),
        "table": name(table),
        "allow_no_primary_key": true,
        "allow_unindexed_foreign_keys": unindexed,
        "action": action(&rule.action, table),
    });
    match rule.age {
        Some(Term::Days(days)) => out["age"] = json!({"column": column(table, at::AGE), "days": days}),
        Some(Term::Months(months)) => out["age"] = json!({"column": column(table, at::AGE), "months": months}),
        None => {}
    }
    if !rule.conditions.is_empty() {
        out["where"] = conditions(&rule.conditions, table);
    }
    if rule.action == Action::Delete {
        out["on_children"] = json!(if rule.cascade { "cascade" } else { "keep" });
    }
    if let Some(most) = rule.max_rows {
        out["max_rows"] = json!(most);
    }
    if rule.subject {
        out["subject_column"] = json!(column(table, at::SUBJECT));
    }
    out
}

fn erasure(erasure: &Erasure, tables: &[Table]) -> Value {
    let requests = &tables[erasure.requests];
    let reached: Vec<Value> = erasure
        .tables
        .iter()
        .map(|reached| {
            let table = &tables[reached.table];
            let mut out = json!({
                "table": name(table),
                "action": action(&reached.action, table),
                "reach": reach(tables, reached.table, &reached.way),
                "allow_no_primary_key": true,
            });
            if reached.cascade {
                out["on_children"] = json!("cascade");
            }
            out
        })
        .collect();
    json!({
        "subject": {
            "table": name(requests),
            "key": column(requests, at::SUBJECT),
            "requested": conditions(&erasure.requested, requests),
            "completed": column(requests, erasure.completed),
        },
        "tables": reached,
        "max_fraction": 1.0,
    })
}

fn reach(tables: &[Table], table: usize, way: &[usize]) -> Value {
    let Some((key, further)) = way.split_first() else {
        return json!({"column": column(&tables[table], at::SUBJECT)});
    };
    let key = &tables[table].keys[*key];
    json!({"via": {
        "column": column(&tables[table], key.ours[0]),
        "table": name(&tables[key.parent]),
        "key": column(&tables[key.parent], at::ID),
        "reach": reach(tables, key.parent, further),
    }})
}

fn action(action: &Action, table: &Table) -> Value {
    let Action::Anonymise(all) = action else {
        return json!(if *action == Action::Delete {
            "delete"
        } else {
            "detach-partition"
        });
    };
    let all: Map<String, Value> = all
        .iter()
        .map(|(place, transform)| {
            let transform = match transform {
                Transform::Null => json!("null"),
                Transform::Constant(text) => json!({"constant": text}),
                Transform::Hmac => json!("hmac"),
                Transform::TruncateIp { v4, v6 } => json!({"truncate_ip": {"v4": v4, "v6": v6}}),
                Transform::Generalise(unit) => json!({"generalise_date": unit}),
            };
            (column(table, *place), transform)
        })
        .collect();
    json!({"anonymise": all})
}

fn conditions(all: &[(usize, Op)], table: &Table) -> Value {
    all.iter()
        .map(|(place, op)| {
            let column = column(table, *place);
            let with = |op: &str, value: Value| json!({"column": column, "op": op, "value": value});
            match op {
                Op::Eq(of) => with("eq", value(of)),
                Op::Ne(of) => with("ne", value(of)),
                Op::Lt(of) => with("lt", json!(of)),
                Op::Le(of) => with("le", json!(of)),
                Op::Gt(of) => with("gt", json!(of)),
                Op::Ge(of) => with("ge", json!(of)),
                Op::In(of) => with("in", of.iter().map(value).collect()),
                Op::NotIn(of) => with("not_in", of.iter().map(value).collect()),
                Op::IsNull => json!({"column": column, "op": "is_null"}),
                Op::NotNull => json!({"column": column, "op": "not_null"}),
            }
        })
        .collect()
}
