//! Makes Open Policy Agent decide by the signed policy pack that MC publishes.
//!
//! The way of a pack, one file a step: [`fetch`] -> [`examine`] (signature, archive, manifest in `pack-verify`,
//! then [`preflight`]) -> [`activate`] -> [`store`]. [`machine`] decides what follows from what happened,
//! [`reconciler`] carries it out, [`board`] shows it. `docs/architecture.md` has the picture.

pub mod activate;
pub mod args;
pub mod board;
mod bundle_server;
mod choose;
mod commands;
mod decision_api;
pub mod examine;
pub mod feed;
pub mod fetch;
mod follow;
pub mod machine;
pub mod metrics;
pub mod preflight;
pub mod reconciler;
mod run;
mod setup;
mod status_api;
pub mod store;

use args::{Cli, Command};
use runtime::exit::{Exit, Failure};

pub use run::run;

/// An error with all its causes, on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    runtime::exit::chain_of(error)
}

/// Stack of every thread that may parse or evaluate Rego: its interpreter recurses. Only what is touched costs memory;
/// `preflight::shape` bounds how much that can be.
pub(crate) const STACK: usize = 64 << 20;

/// The time of day, the only place where it is read.
pub(crate) fn clock() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Does what the command line says.
pub fn main(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        None => run::start(cli.run, false),
        Some(Command::Run(args)) => run::start(*args, false),
        Some(Command::Once(args)) => run::start(*args, true),
        Some(Command::Verify(args)) => on_a_large_stack(|| commands::verify::verify(&args)),
        Some(Command::Inspect(args)) => commands::inspect::inspect(&args),
        Some(Command::Pack(command)) => commands::pack::pack(command),
        Some(Command::OpaConfig(args)) => commands::opa_config::opa_config(&args),
        Some(Command::VerifyBundle(args)) => commands::verify_bundle::verify_bundle(&args),
    }
}

/// The main thread's stack is what the system gives; a command that looks at a pack as `run` does needs `run`'s stack.
fn on_a_large_stack(work: impl FnOnce() -> Result<Exit, Failure> + Send) -> Result<Exit, Failure> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => Err(Failure::new(
                Exit::Dependency,
                anyhow::Error::new(error).context("cannot start a thread"),
            )),
        }
    })
}
