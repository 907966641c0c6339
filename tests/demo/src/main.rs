//! `make demo`: shows, with real processes and real sockets, what the tools of this house do, and fails if any of it
//! does not happen. Nothing but Rust is needed; with a real OPA on the machine there is one act more.

mod acts;
mod asker;
mod child;
mod gate;
mod job;
mod ledger;
mod narrator;
mod opa;
mod ports;
mod reloader;
mod stage;
mod text;
mod timeline;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use runtime::exit::{Exit, Failure, ResultExt as _};
use tokio::signal::unix::{SignalKind, signal};

use crate::narrator::Narrator;
use crate::stage::Stage;

/// Shows what the tools do, and proves it: forged packs refused, decisions changing, releases let through and stopped.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 everything happened, 1 something did not, 2 not set up."
)]
struct Args {
    /// What goes to stdout: the story, or one final JSON line (the story then goes to stderr)
    #[arg(long, value_enum, default_value_t = Output::Human)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Human,
    Json,
}

fn main() -> ExitCode {
    match runtime::exit::parse::<Args>() {
        Ok(args) => match perform(args.output) {
            Ok(code) => code,
            Err(failure) => runtime::exit::report(Err(failure)),
        },
        Err(code) => code,
    }
}

fn perform(output: Output) -> Result<ExitCode, Failure> {
    let executor = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the async runtime")
        .exit(Exit::Dependency)?;
    executor.block_on(async {
        let mut stage = Stage::set(match output {
            Output::Human => Narrator::on_stdout(),
            Output::Json => Narrator::on_stderr(),
        })?;
        let signalled = interrupted().context("listening to signals").exit(Exit::Dependency)?;
        // Whichever ends first: the other is dropped, and with it every process that was started.
        let signal = tokio::select! {
            () = acts::play(&mut stage) => None,
            number = signalled => Some(number),
        };
        if let Some(number) = signal {
            stage.tell.gap();
            stage.tell.aside("Interrupted. All processes of the demo were ended.");
            return Ok(ExitCode::from(128 + number));
        }
        let report = stage.close();
        if output == Output::Json {
            runtime::output::final_line(&report)
                .context("writing the result")
                .exit(Exit::Dependency)?;
        }
        Ok(if report.ok { Exit::Done } else { Exit::Negative }.into())
    })
}

/// Resolves with the number of the first signal that asks for an end. The handlers are in place when this returns.
fn interrupted() -> std::io::Result<impl Future<Output = u8>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => 2,
            _ = terminate.recv() => 15,
            _ = hangup.recv() => 1,
        }
    })
}
