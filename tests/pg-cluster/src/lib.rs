//! Real, temporary PostgreSQL servers for tests, demo and benchmarks.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pg_cluster::{Cluster, Major, Options, Stop, Tls};
//!
//! let mut cluster = Cluster::start(Major::any(), &Options::default().set("work_mem", "1MB"))?;
//! cluster.create_database("app").await?;
//! let client = cluster.connect("app").await?; // by socket, as `postgres`
//! client.batch_execute("CREATE TABLE t (id int PRIMARY KEY)").await?;
//! println!("{}", cluster.url("app")); // over TCP, for the program under test
//!
//! let standby = cluster.standby(&Options::default()).await?;
//! cluster.wait_for_standby(&standby).await?;
//!
//! let yesterday = cluster.snapshot()?;
//! client.batch_execute("DELETE FROM t").await?;
//! let restored = Cluster::from_snapshot(&yesterday, &Options::default())?;
//!
//! cluster.pause()?; // hangs
//! cluster.resume()?;
//! cluster.stop(Stop::Immediate)?; // a power cut
//! cluster.start_again()?;
//!
//! let secured = Options::default()
//!     .password("geheim")
//!     .tls(Tls::default())
//!     .hba("hostnossl all all all reject");
//! let secured = Cluster::start(Major::V18, &secured)?;
//! println!("{}?sslmode=verify-full&sslrootcert={}", secured.url("postgres"), secured.ca().unwrap().display());
//! # drop(restored);
//! # Ok(()) }
//! ```
//!
//! * Each server has its own folder, port on 127.0.0.1 and Unix socket. A start takes a fraction of a second: `initdb`
//!   runs once for each release and its result is kept in `.tools/postgresql/data`. `fsync` is off unless asked for.
//! * Dropping a [`Cluster`] stops the server and removes its folder. So does the end of this process, however it ends.
//! * As root, servers run as `nobody` (`PG_CLUSTER_UID` names another), in a folder below `TMPDIR` that must be open.
//! * What a machine lacks is [`Unavailable`]; [`or_skip`] makes that a skipped test, and a failure under `CI=true`. Tests
//!   that want a certain release use `libtest-mimic`, because libtest cannot skip at run time:
//!
//! ```no_run
//! # use pg_cluster::{Cluster, Major, Options};
//! # use libtest_mimic::Trial;
//! # fn trials(list: bool) -> Vec<Trial> {
//! Major::ALL
//!     .into_iter()
//!     .map(|major| {
//!         // Listing must not fetch anything.
//!         let found = if list { major.find().ok() } else { pg_cluster::or_skip(major.ensure()) };
//!         Trial::test(format!("starts_{}", major.name()), move || {
//!             Cluster::start(major, &Options::default())?;
//!             Ok(())
//!         })
//!         .with_ignored_flag(found.is_none())
//!     })
//!     .collect()
//! # }
//! ```
//!
//! | module | owns |
//! |---|---|
//! | `install` | which PostgreSQLs there are |
//! | `options`, `tls` | how a server is set up |
//! | `cluster`, `session`, `faults`, `replica`, `disk` | one server, and what is done with it |
//! | `home`, `user`, `template`, `copy`, `processes`, `ports` | folders, users, processes |

mod cluster;
mod copy;
mod disk;
mod error;
mod faults;
mod home;
mod install;
mod options;
mod ports;
mod processes;
mod replica;
mod session;
mod template;
mod tls;
mod user;

pub use cluster::{Cluster, Stop};
pub use disk::small_disk_possible;
pub use error::Error;
pub use install::{Install, Major, Unavailable};
pub use options::Options;
pub use replica::Snapshot;
pub use tls::{Keys, Tls};

/// What a test needs, or nothing and a line on stderr that says why.
///
/// # Panics
/// Under `CI=true`: there, what is missing is a failure.
pub fn or_skip<T>(answer: Result<T, Unavailable>) -> Option<T> {
    judge(answer, tools::in_ci())
}

fn judge<T>(answer: Result<T, Unavailable>, ci: bool) -> Option<T> {
    use std::io::Write as _;
    answer
        .map_err(|unavailable| {
            assert!(!ci, "{unavailable}; under CI=true this is a failure");
            // A closed stderr is no reason to fail.
            let _ = writeln!(std::io::stderr().lock(), "SKIPPING a test: {unavailable}");
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> Result<(), Unavailable> {
        Err(Unavailable {
            wanted: "PostgreSQL 99".to_owned(),
            why: "not yet".to_owned(),
        })
    }

    #[test]
    fn what_is_missing_is_a_skip_outside_ci() {
        assert_eq!(judge(missing(), false), None);
        assert_eq!(judge(Ok(()), true), Some(()));
    }

    #[test]
    #[should_panic(expected = "no PostgreSQL 99: not yet; under CI=true this is a failure")]
    fn what_is_missing_is_a_failure_in_ci() {
        judge(missing(), true);
    }
}
