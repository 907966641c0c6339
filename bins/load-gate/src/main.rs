//! `load-gate`: see `load-gate --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match runtime::exit::parse() {
        Ok(cli) => load_gate::main(cli),
        Err(code) => code,
    }
}
