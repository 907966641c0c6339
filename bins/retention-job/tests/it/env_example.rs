//! `env.example` lists exactly the variables that the command line knows, each with its default.

use clap::CommandFactory as _;
use retention_job::args::Cli;

#[test]
fn env_example_and_the_command_line_agree() {
    program::env_example::check(Cli::command(), "retention-job");
}
