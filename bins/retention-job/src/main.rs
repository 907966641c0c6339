//! `retention-job`: see `retention-job --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match runtime::exit::parse() {
        Ok(cli) => retention_job::main(cli),
        Err(code) => code,
    }
}
