//! `load-target`: a target as a process of its own, for benchmarks and for trying things out. Prints where it is as one
//! line of JSON and runs until it is killed.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use load_target::{Target, TargetConfig};

/// A seeded server whose own log is the truth that load tests are held to.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    flags: TargetConfig,
    /// All of the above as JSON, instead
    #[arg(long, value_name = "JSON", value_parser = from_json)]
    config: Option<TargetConfig>,
    /// Where to write the authority's certificate (TLS)
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

fn from_json(text: &str) -> Result<TargetConfig, serde_json::Error> {
    serde_json::from_str(text)
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell when stderr is closed.
            let _ = writeln!(io::stderr().lock(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> io::Result<()> {
    let target = Target::start(args.config.unwrap_or(args.flags))?;
    if let (Some(file), Some(pem)) = (&args.ca_file, target.ca_pem()) {
        std::fs::write(file, pem)?;
    }
    let addresses = serde_json::json!({ "url": target.url(), "truth_url": target.truth_url() });
    writeln!(io::stdout().lock(), "{addresses}")?;
    loop {
        std::thread::park();
    }
}
