//! `lint`: the policy against the catalog. Reads only, and counts nothing.

use crate::args::LintArgs;
use crate::job::prepare::{self, Question};
use crate::{keys, policy, setup};
use anyhow::Context as _;
use retention_plan::preflight::Finding;
use runtime::exit::{Exit, Failure, ResultExt as _};
use serde::Serialize;
use std::fmt::Write as _;

#[derive(Serialize)]
struct Said {
    policy_digest: String,
    rules: Vec<Rule>,
    erasure: bool,
    findings: Vec<Finding>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Rule {
    rule: String,
    table: String,
    action: &'static str,
    leaves: usize,
    due: String,
}

/// Does it.
pub(crate) fn lint(args: &LintArgs) -> Result<Exit, Failure> {
    let args = &args.plan;
    setup::block_on(&args.log, |_| async {
        let policy = policy::load(&args.policy)?;
        let keys = keys::statements(&args.keys).await?;
        let session = setup::session(&args.database, "retention-job lint").await?;
        let catalog = prepare::catalog(&session, &policy).await?;
        let question = Question {
            as_of: args.policy.as_of,
            explain: false,
            lint: true,
            strict: args.policy.strict,
        };
        let prepared = prepare::prepare(&session, catalog, &policy, &keys, question).await?;
        let said = Said {
            policy_digest: policy.digest,
            rules: prepared
                .tasks
                .iter()
                .map(|task| Rule {
                    rule: task.rule.clone(),
                    table: task.table.shown(),
                    action: task.action(),
                    leaves: task.leaves.len(),
                    due: task.due.shown(),
                })
                .collect(),
            erasure: prepared.erasure.is_some(),
            findings: prepared.findings,
            notes: prepared.notes,
        };
        runtime::output::either(args.output.output.resolve(), &said, describe)
            .context("writing the result")
            .exit(Exit::Dependency)?;
        Ok(Exit::Done)
    })
}

fn describe(said: &Said) -> String {
    let mut text = format!("policy {} fits the database\n", said.policy_digest);
    for rule in &said.rules {
        let _ = writeln!(
            text,
            "  {}: {} {} where {}",
            rule.rule, rule.action, rule.table, rule.due
        );
    }
    for finding in &said.findings {
        let _ = writeln!(text, "{finding}");
    }
    for note in &said.notes {
        let _ = writeln!(text, "{note}");
    }
    text
}
