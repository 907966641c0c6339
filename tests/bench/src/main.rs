//! What `make bench` runs: measures the release binaries, the policy reloader against a real OPA, load-gate against a
//! target that keeps its own log, retention-job against a real PostgreSQL, each beside its peers.
//!
//! Figures are printed with the target they belong to and whether it is met; they never fail the run. The exit code
//! is not zero only when something did not work. What the figures mean is in docs/benchmarks.md.

mod args;
mod http;
mod idle_poll;
mod load;
mod load_gate;
mod memory;
mod opa;
mod packs;
mod plot;
mod process;
mod publish;
mod reloader;
mod report;
mod retention;
mod size;
mod stats;
mod swaps;
mod ways;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use crate::{
    args::{Args, Bench},
    report::Report,
};

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The only line of this program on stderr besides progress.
            report::progress(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let setup = args.setup()?;
    let mut report = Report::new(&setup)?;
    for bench in args.chosen() {
        report::progress(&format!("{}: {}", bench.name(), bench.about()));
        let outcome = match bench {
            Bench::Size => size::run(&setup),
            Bench::Poll => idle_poll::run(&setup),
            Bench::Memory => memory::run(&setup),
            Bench::Publish => publish::run(&setup),
            Bench::Swaps => swaps::run(&setup, &swaps::SMALL),
            Bench::SwapsLarge => swaps::run(&setup, &swaps::LARGE),
            Bench::LoadStart => load_gate::start::run(&setup),
            Bench::LoadCost => load_gate::cost::run(&setup),
            Bench::LoadCeiling => load_gate::ceiling::run(&setup),
            Bench::LoadTruth => load_gate::truth::run(&setup),
            Bench::RetentionDelete => retention::delete::run(&setup),
            Bench::RetentionAnonymise => retention::anonymise::run(&setup),
        };
        report.add(
            bench.name(),
            outcome.with_context(|| format!("bench {}", bench.name()))?,
        )?;
    }
    report.finish(args.json)
}
