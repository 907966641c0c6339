//! What `serve` does when it is asked for a load run: a scenario file, from its plan to its judged result.

use crate::{
    measure::{Order, measure},
    serve::{
        answer::Finding,
        work::{RunFn, RunOrder},
    },
};
use anyhow::Context;
use load_plan::{Plan, Settings};
use load_report::Brief;
use runtime::exit::{Exit, Failure, ResultExt};
use std::{path::Path, sync::Arc, time::Duration};
use url::Url;

/// Carries load runs out.
pub(crate) fn runs() -> RunFn {
    Arc::new(|order| Box::pin(run(order)))
}

async fn run(order: RunOrder) -> Result<Finding, Failure> {
    let settings = Settings {
        scenario_file: Some(order.scenario.clone()),
        url: order.url.clone().map(String::from),
        ..Settings::default()
    };
    let plan = Plan::build(&settings, Path::new(""))
        .with_context(|| format!("the scenario {} cannot be run", order.scenario.display()))
        .exit(Exit::Usage)?;
    if let Some(url) = &order.url {
        only(&plan, url)?;
    }
    let order_of_measure = Order {
        samples: None,
        wait_ready: Duration::ZERO,
        plan: Arc::new(plan),
    };
    let doc = measure(order_of_measure, &order.stop, |_| {}).await?;
    let details = serde_json::to_value(Brief::of(&doc))
        .context("cannot write the result down")
        .exit(Exit::Dependency)?;
    Ok(Finding {
        verdict: doc.judgement.verdict,
        reasons: doc.judgement.reasons.clone(),
        details,
        document: Some(doc.to_json().exit(Exit::Dependency)?),
    })
}

/// A request of the scenario that names its own address would not go where the caller asked, and the verdict would be about
/// something else.
fn only(plan: &Plan, url: &Url) -> Result<(), Failure> {
    match plan
        .requests
        .iter()
        .find(|request| request.origin.origin() != url.origin())
    {
        None => Ok(()),
        Some(request) => Err(Failure::usage(format!(
            "the request {:?} of this scenario has an address of its own, {}, so it cannot be aimed at {}: write its url as a \
             path, or leave url out",
            request.name,
            request.origin.origin().ascii_serialization(),
            url.origin().ascii_serialization()
        ))),
    }
}
