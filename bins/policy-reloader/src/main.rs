//! `policy-reloader`: see `policy-reloader --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match runtime::exit::parse() {
        Ok(cli) => runtime::exit::report(policy_reloader::main(cli)),
        Err(code) => code,
    }
}
