//! Real, temporary PostgreSQL servers for tests, demo and benchmarks.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pg_cluster::{Cluster, Major, Options};
//! let cluster = Cluster::start(Major::any(), &Options::default())?;
//! cluster.create_database("app").await?;
//! let client = cluster.connect("app").await?;
//! client.batch_execute("CREATE TABLE t (id int PRIMARY KEY)").await?;
//! println!("{}", cluster.url("app"));
//! # Ok(()) }
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`install`] | where the programs are |
//! | [`cluster`] | one server: its folder, its process, its settings |

pub mod cluster;
pub mod install;

pub use cluster::{Cluster, Options, Stop};
pub use install::{Install, Major, Unavailable};
