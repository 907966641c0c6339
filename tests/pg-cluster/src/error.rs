//! Owns what can go wrong.

use std::io;
use std::path::Path;

use crate::install::Unavailable;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine lacks something: tests count as skipped (see [`Unavailable`]).
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A file or process.
    #[error("cannot {doing}")]
    Io {
        /// What was done, and to which file.
        doing: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A program failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// Its output, or the server's log.
        said: String,
    },
    /// It was asked for something that it cannot do.
    #[error("{0}")]
    Unsupported(String),
    /// Certificates could not be made.
    #[error("cannot make certificates")]
    Certificate(#[from] rcgen::Error),
    /// The server said no.
    #[error("the server said no")]
    Sql(#[from] tokio_postgres::Error),
}

/// For `map_err`: what was done.
pub(crate) fn io_error(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let doing = doing.into();
    move |source| Error::Io { doing, source }
}

/// For `map_err`: what was done, and to which file.
pub(crate) fn file_error(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    io_error(format!("{doing} {}", path.display()))
}
