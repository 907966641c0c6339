//! Owns what every command needs before it can begin: logs, an async runtime, the database, keys.

use crate::args::database::DatabaseArgs;
use crate::failure;
use anyhow::Context as _;
use pg_session::{Session, Target, target::SessionOptions};
use runtime::args::LogArgs;
use runtime::exit::{Exit, Failure, ResultExt as _};
use runtime::{Secret, SecretSource, Shutdown};
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

/// After SIGTERM: the batch ends and the receipt is written.
const DRAIN: Duration = Duration::from_secs(50);
/// How long holds and the beginning of a run wait for batches to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `work` on one thread, with logs and signals.
pub(crate) fn block_on<W>(log: &LogArgs, work: impl FnOnce(Shutdown) -> W) -> Result<Exit, Failure>
where
    W: Future<Output = Result<Exit, Failure>>,
{
    runtime::log::init(log).exit(Exit::Usage)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")
        .exit(Exit::Dependency)?
        .block_on(async {
            let shutdown = Shutdown::listen(DRAIN).exit(Exit::Dependency)?;
            let result = work(shutdown.clone()).await;
            shutdown.finish();
            result
        })
}

/// The database of the options.
pub(crate) async fn target(args: &DatabaseArgs) -> Result<Target, Failure> {
    let source = secret("DATABASE_URL", args.database_url.as_ref(), args.database_url_file.as_ref())?.ok_or_else(|| {
        Failure::usage(
            "no database is named: set DATABASE_URL (or DATABASE_URL_FILE) to postgres://user:password@host:5432/database",
        )
    })?;
    let url = source.get().await.exit(Exit::Usage)?;
    Target::parse(url.expose()).map_err(failure::target)
}

/// A session for a command that is not a run: it may wait a little longer for locks.
pub(crate) async fn session(args: &DatabaseArgs, name: &str) -> Result<Session, Failure> {
    connect(&target(args).await?, args, name, Duration::from_secs(10)).await
}

/// A session.
pub(crate) async fn connect(
    target: &Target,
    args: &DatabaseArgs,
    name: &str,
    lock_timeout: Duration,
) -> Result<Session, Failure> {
    let options = session_options(name, lock_timeout, args.connect_retry);
    target.connect(&options).await.map_err(failure::target)
}

/// How sessions are opened.
pub(crate) fn session_options(name: &str, lock_timeout: Duration, connect_retry: Duration) -> SessionOptions {
    SessionOptions {
        lock_timeout,
        connect_retry,
        ..SessionOptions::new(name)
    }
}

/// A secret of two options; an empty variable means "not set".
pub(crate) fn secret(
    name: &'static str,
    value: Option<&Secret>,
    file: Option<&PathBuf>,
) -> Result<Option<SecretSource>, Failure> {
    let value = value.filter(|value| !value.is_empty()).cloned();
    let file = file.filter(|file| !file.as_os_str().is_empty()).cloned();
    SecretSource::from_args(name, value, file).exit(Exit::Usage)
}

/// A path; an empty variable means "not set".
pub(crate) fn path(path: Option<&PathBuf>) -> Option<PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty()).cloned()
}
