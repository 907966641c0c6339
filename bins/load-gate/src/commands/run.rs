//! `load-gate run`.

use crate::{
    args::{
        RunArgs,
        run::{ProgressArg, RunReportArgs},
    },
    exit_code,
    measure::{Order, measure},
    outputs,
    show::{Show, Style, width},
    termination,
};
use anyhow::Context;
use load_plan::Plan;
use load_report::{Brief, ResultDoc, render};
use pushgateway::{Group, PushTarget, Replace};
use runtime::{
    HttpOptions, Output, Palette, SecretSource, Shutdown,
    exit::{Exit, Failure, ResultExt},
    log,
};
use std::{process::ExitCode, sync::Arc, time::Duration};

/// After SIGTERM: requests on their way get a second, then the result is written.
const DRAIN: Duration = Duration::from_secs(20);

/// Does it. The exit code is the verdict's, in the numbers that the user asked for.
pub(crate) fn run(args: &RunArgs) -> ExitCode {
    let k6 = args.k6_exit_codes();
    let failed = |exit: Exit| {
        if k6 { exit_code::k6_failure(exit) } else { exit.code() }
    };
    match carry_out(args) {
        // A verdict that nobody can read lets nothing pass.
        Ok((doc, false)) if doc.exit_code == 0 => failed(Exit::Dependency).into(),
        Ok((doc, _)) => doc.exit_code.into(),
        Err(failure) => {
            let code = failed(failure.exit);
            runtime::exit::report(Err(failure));
            code.into()
        }
    }
}

/// The result, and whether everything that was asked for is written.
fn carry_out(args: &RunArgs) -> Result<(ResultDoc, bool), Failure> {
    log::init(&args.log).exit(Exit::Usage)?;
    let plan = args.plan()?;
    for note in &plan.notes {
        tracing::info!("{note}");
    }
    let push = push_target(&args.report)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")
        .exit(Exit::Dependency)?;
    runtime.block_on(async {
        let shutdown = Shutdown::listen(DRAIN).exit(Exit::Dependency)?;
        let result = measured(args, Arc::new(plan), push, &shutdown).await;
        shutdown.finish();
        result
    })
}

async fn measured(
    args: &RunArgs,
    plan: Arc<Plan>,
    push: Option<PushTarget>,
    shutdown: &Shutdown,
) -> Result<(ResultDoc, bool), Failure> {
    let mut show = Show::new(style(&args.report));
    let order = Order {
        samples: args.report.samples.clone(),
        wait_ready: args.load.wait_ready,
        plan,
    };
    let doc = measure(order, shutdown, |progress| show.tell(progress)).await;
    show.clear();
    let mut doc = doc?;
    if args.k6_exit_codes() {
        doc.exit_code = exit_code::k6(&doc.judgement);
    }
    let mut complete = true;
    for problem in outputs::write(args, &doc) {
        complete = false;
        tracing::error!("{}", runtime::exit::chain(&problem.error));
    }
    termination::write(&args.report.termination_log, &render::termination(&doc));
    if let Some(target) = push
        // What an earlier run said about thresholds that are no longer asked for must not stay.
        && let Err(error) = pushgateway::push(&target, Replace::Group, render::prometheus(&doc)).await
    {
        // Monitoring that is down must neither pass nor block a release.
        tracing::warn!("{}", runtime::exit::chain_of(&error));
    }
    let said = match args.output.output.resolve() {
        Output::Json => runtime::output::final_line(&Brief::of(&doc)),
        Output::Human => runtime::output::human(&render::table(&doc, Palette::stdout().is_on(), width())),
    };
    if let Err(error) = said {
        complete = false;
        tracing::error!("cannot write the result to stdout: {error}");
    }
    Ok((doc, complete))
}

fn style(args: &RunReportArgs) -> Style {
    match args.progress {
        ProgressArg::Auto => Style::automatic(args.progress_interval),
        ProgressArg::Always => Style::Live {
            colours: Palette::stderr().is_on(),
        },
        ProgressArg::Never => Style::Silent,
    }
}

/// Where metrics go, checked before the run: a typing error must not show up after five minutes.
fn push_target(args: &RunReportArgs) -> Result<Option<PushTarget>, Failure> {
    let Some(url) = args.push_url.as_ref().filter(|url| !url.trim().is_empty()) else {
        return Ok(None);
    };
    let url = runtime::http::parse_base_url(url)
        .context("--push-url (PUSHGATEWAY_URL)")
        .exit(Exit::Usage)?;
    let token = SecretSource::from_args(
        "PUSHGATEWAY_TOKEN",
        args.push_token.clone(),
        args.push_token_file.clone(),
    )
    .exit(Exit::Usage)?;
    let client = runtime::http::client(&HttpOptions::new(runtime::build_info!().user_agent())).exit(Exit::Usage)?;
    let given = |label: &Option<String>| label.clone().filter(|text| !text.trim().is_empty());
    Ok(Some(PushTarget {
        client,
        url,
        token,
        group: Group::new(&args.push_job)
            .with("service", given(&args.push_service))
            .with("environment", given(&args.push_environment)),
    }))
}
