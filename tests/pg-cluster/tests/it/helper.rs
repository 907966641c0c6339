//! The test program as a helper: a process that can be killed, or that is another user's.

use std::io::Write as _;
use std::thread;

use pg_cluster::{Cluster, Major, Options};

use crate::{faults, number, run};

/// With this variable it is one; the value says which.
pub(crate) const HELPER: &str = "PG_CLUSTER_TEST_HELPER";

/// Starts a server and tells its process and folder.
pub(crate) fn help(what: &str) {
    let (major, options) = match what {
        "disk" => (Major::any(), Options::default().small_disk(4)),
        "newest" => (Major::V18, Options::default()),
        _ => (Major::any(), Options::default()),
    };
    let cluster = Cluster::start(major, &options).unwrap();
    run(async { assert_eq!(number(&cluster, "SELECT 7::bigint").await, 7) });
    tell(&format!("{} {}", cluster.pid().unwrap(), cluster.folder().display()));
    match what {
        "ordinary" => match pg_cluster::small_disk_possible() {
            Ok(()) => run(faults::a_small_disk_runs_full_and_recovers()),
            // In a container, say; it says so, and is asked no more.
            Err(unavailable) => tell(&unavailable.to_string()),
        },
        "newest" => {}
        // Until it is killed.
        _ => thread::park(),
    }
}

fn tell(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}
