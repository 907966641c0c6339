//! Owns the check that no function calls itself, directly or through others.
//!
//! OPA's compiler refuses such a pair of functions. The interpreter does not look: it would evaluate them until the
//! stack is used up, which ends the process, so the check comes before anything is evaluated.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Literal, Module, Query, Rule, RuleAssign, RuleBody, RuleHead};

use super::{PreflightError, rego::ground};

/// Paths under `data`, and the functions that each function calls.
type Graph = BTreeMap<Vec<String>, Function>;

#[derive(Default)]
struct Function {
    /// The first rule that defines it: file, row, column.
    place: (String, u32, u32),
    calls: BTreeSet<Vec<String>>,
}

/// Refuses the first cycle.
pub(super) fn check<'a>(modules: impl IntoIterator<Item = &'a Module>) -> Result<(), PreflightError> {
    let mut graph = Graph::new();
    for module in modules {
        collect(module, &mut graph);
    }
    for (path, function) in &graph {
        if let Some(cycle) = way_back(&graph, path) {
            let (file, row, column) = &function.place;
            let cycle: Vec<String> = cycle.iter().map(|path| format!("data.{}", path.join("."))).collect();
            return Err(PreflightError::Rego {
                file: file.clone(),
                tried: "v0 or v1",
                message: format!("{file}:{row}:{column}: a function calls itself: {}", cycle.join(" -> ")),
            });
        }
    }
    Ok(())
}

/// The calls that lead from `start` back to it.
fn way_back(graph: &Graph, start: &[String]) -> Option<Vec<Vec<String>>> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![start.to_vec()]];
    while let Some(way) = ways.pop() {
        let Some(function) = way.last().and_then(|last| graph.get(last)) else {
            continue;
        };
        for callee in &function.calls {
            let longer = || way.iter().cloned().chain([callee.clone()]).collect();
            if callee == start {
                return Some(longer());
            }
            if seen.insert(callee) {
                ways.push(longer());
            }
        }
    }
    None
}

fn collect(module: &Module, graph: &mut Graph) {
    let package = ground(&module.package.refr);
    // A call by another name: `import data.lib` makes `lib.f` of `data.lib.f`.
    let aliases: BTreeMap<String, Vec<String>> = module
        .imports
        .iter()
        .filter_map(|import| {
            let path = ground(&import.refr);
            let alias = match &import.r#as {
                Some(name) => name.text().to_owned(),
                None => path.last()?.clone(),
            };
            Some((alias, path.strip_prefix(&["data".to_owned()])?.to_vec()))
        })
        .collect();
    for rule in &module.policy {
        let Rule::Spec {
            span,
            head: RuleHead::Func { refr, args, assign, .. },
            bodies,
        } = rule.as_ref()
        else {
            continue;
        };
        let mut names = Vec::new();
        let mut expressions: Vec<&Expr> = args.iter().map(AsRef::as_ref).collect();
        expressions.extend(assign.iter().map(|assign| assign.value.as_ref()));
        for body in bodies {
            in_body(body, &mut expressions);
        }
        while let Some(expression) = expressions.pop() {
            in_expression(expression, &mut names, &mut expressions);
        }
        let path = package.iter().cloned().chain(ground(refr)).collect();
        let function = graph.entry(path).or_insert_with(|| Function {
            place: (span.source.get_path().clone(), span.line, span.col),
            calls: BTreeSet::new(),
        });
        function
            .calls
            .extend(names.into_iter().map(|name| match name.split_first() {
                Some((first, rest)) if first == "data" => rest.to_vec(),
                Some((first, rest)) if aliases.contains_key(first) => {
                    aliases[first].iter().chain(rest).cloned().collect()
                }
                _ => package.iter().chain(&name).cloned().collect(),
            }));
    }
}

fn in_body<'a>(body: &'a RuleBody, expressions: &mut Vec<&'a Expr>) {
    expressions.extend(body.assign.iter().map(|RuleAssign { value, .. }| value.as_ref()));
    in_query(&body.query, expressions);
}

fn in_query<'a>(query: &'a Query, expressions: &mut Vec<&'a Expr>) {
    for statement in &query.stmts {
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn {
                key, value, collection, ..
            } => {
                expressions.extend(key.iter().map(AsRef::as_ref));
                expressions.extend([value.as_ref(), collection.as_ref()]);
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => expressions.push(expr),
            Literal::Every { domain, query, .. } => {
                expressions.push(domain);
                in_query(query, expressions);
            }
        }
        expressions.extend(statement.with_mods.iter().map(|with| with.r#as.as_ref()));
    }
}

/// The name that is called here, if any, and the expressions inside.
fn in_expression<'a>(expression: &'a Expr, names: &mut Vec<Vec<String>>, inside: &mut Vec<&'a Expr>) {
    match expression {
        Expr::Call { fcn, params, .. } => {
            names.push(ground(fcn));
            inside.extend(params.iter().map(AsRef::as_ref));
        }
        Expr::Array { items, .. } | Expr::Set { items, .. } => inside.extend(items.iter().map(AsRef::as_ref)),
        Expr::Object { fields, .. } => {
            inside.extend(fields.iter().flat_map(|(_, key, value)| [key.as_ref(), value.as_ref()]));
        }
        Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
            inside.push(term);
            in_query(query, inside);
        }
        Expr::ObjectCompr { key, value, query, .. } => {
            inside.extend([key.as_ref(), value.as_ref()]);
            in_query(query, inside);
        }
        Expr::UnaryExpr { expr, .. } => inside.push(expr),
        Expr::RefDot { refr, .. } => inside.push(refr),
        Expr::RefBrack { refr, index, .. } => inside.extend([refr.as_ref(), index.as_ref()]),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => inside.extend([lhs.as_ref(), rhs.as_ref()]),
        Expr::Membership {
            key, value, collection, ..
        } => {
            inside.extend(key.iter().map(AsRef::as_ref));
            inside.extend([value.as_ref(), collection.as_ref()]);
        }
        _ => {}
    }
}
