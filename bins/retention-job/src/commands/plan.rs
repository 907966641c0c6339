//! `plan`: what a run would do. Reads only; works on a standby too.

use crate::args::PlanArgs;
use crate::job::prepare::{self, Question};
use crate::{keys, policy, setup};
use anyhow::Context as _;
use retention_plan::document::text;
use runtime::exit::{Exit, Failure, ResultExt as _};

/// Shows it. A plan that a guard stands against ends with 1, as the run would.
pub(crate) fn plan(args: &PlanArgs) -> Result<Exit, Failure> {
    setup::block_on(&args.log, |_| async {
        let policy = policy::load(&args.policy)?;
        let keys = keys::statements(&args.keys).await?;
        let session = setup::session(&args.database, "retention-job plan").await?;
        let catalog = prepare::catalog(&session, &policy).await?;
        let question = Question {
            as_of: args.policy.as_of,
            explain: true,
            lint: false,
            strict: args.policy.strict,
        };
        let prepared = prepare::prepare(&session, catalog, &policy, &keys, question).await?;
        let mut plan = prepared.plan.context("the plan was not made").exit(Exit::Dependency)?;
        plan.preflight
            .findings
            .extend(keys::ledger_warning(&args.keys, &session).await);
        runtime::output::either(args.output.output.resolve(), &plan, text::render)
            .context("writing the plan")
            .exit(Exit::Dependency)?;
        Ok(if plan.stands() { Exit::Negative } else { Exit::Done })
    })
}
