//! One file a command that is not `run` or `once`.

pub(crate) mod inspect;
pub(crate) mod opa_config;
pub(crate) mod pack;
pub(crate) mod verify;
pub(crate) mod verify_bundle;

use std::path::Path;

use anyhow::Context as _;
use runtime::exit::{Exit, Failure, ResultExt as _};

/// Reads a file that the user named.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .exit(Exit::Usage)
}

/// Reads a file that the user named, with a cap: a pack of any size must not fill the memory.
fn read_capped(path: &Path, limit: usize) -> Result<pack_verify::PackBytes, Failure> {
    use std::io::Read as _;
    let mut file = std::fs::File::open(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .exit(Exit::Usage)?;
    let mut buffer = pack_verify::HashingBuffer::new(limit);
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = file
            .read(&mut chunk)
            .with_context(|| format!("cannot read {}", path.display()))
            .exit(Exit::Usage)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(buffer.finish());
        };
        buffer.push(bytes).exit(Exit::Negative)?;
    }
}

/// Writes a file that the user named.
fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, content)
        .with_context(|| format!("cannot write {}", path.display()))
        .exit(Exit::Usage)
}

/// Prints the result: one JSON line, or words.
fn print<T: serde::Serialize>(
    output: runtime::args::OutputArgs,
    value: &T,
    words: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    runtime::output::either(output.output.resolve(), value, words)
        .context("writing the result")
        .exit(Exit::Dependency)
}
