//! Nothing is left behind, however a test ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pg_cluster::{Cluster, Major, Options};

use crate::helper::HELPER;
use crate::number;

/// The helper, with the process and folder of its server.
fn helper(what: &str) -> (Child, u32, PathBuf) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(HELPER, what)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let (pid, folder) = line.trim().split_once(' ').expect("a process and a folder");
    (child, pid.parse().unwrap(), PathBuf::from(folder))
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Waits until server, folder and mount are gone.
pub(crate) fn gone(pid: u32, folder: &Path) {
    let end = Instant::now() + Duration::from_secs(30);
    while runs(pid) || folder.exists() || mounted(folder) {
        assert!(Instant::now() < end, "{pid} or {} is still there", folder.display());
        thread::sleep(Duration::from_millis(20));
    }
}

fn mounted(folder: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.contains(&folder.display().to_string())
}

pub(crate) async fn a_server_outlives_the_thread_that_started_it() {
    let starting = thread::spawn(|| Cluster::start(Major::any(), &Options::default()).unwrap());
    let cluster = starting.join().unwrap();
    assert_eq!(number(&cluster, "SELECT 7::bigint").await, 7);
}

pub(crate) fn drop_leaves_nothing() {
    let cluster = Cluster::start(Major::any(), &Options::default()).unwrap();
    let (pid, folder) = (cluster.pid().unwrap(), cluster.folder().to_owned());
    assert!(runs(pid) && folder.join("data/PG_VERSION").exists());
    drop(cluster);
    assert!(!runs(pid));
    assert!(!folder.exists());
}

pub(crate) fn a_paused_server_is_dropped_as_well() {
    let cluster = Cluster::start(Major::any(), &Options::default()).unwrap();
    let (pid, folder) = (cluster.pid().unwrap(), cluster.folder().to_owned());
    cluster.pause().unwrap();
    drop(cluster);
    assert!(!runs(pid));
    assert!(!folder.exists());
}

pub(crate) fn a_killed_test_leaves_nothing() {
    let (mut child, pid, folder) = helper("plain");
    assert!(runs(pid) && folder.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    gone(pid, &folder);
}

pub(crate) fn a_killed_test_leaves_no_mount() {
    let (mut child, pid, folder) = helper("disk");
    assert!(folder.join("small").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    gone(pid, &folder);
}
