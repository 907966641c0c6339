//! `retention-job`: see `retention-job --help`.

fn main() {}
