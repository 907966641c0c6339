//! Nothing is left behind, however a test ends.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pg_cluster::{Cluster, Major, Options};

use crate::number;

/// With this variable the test program is a helper: a process that can be killed, or that is another user's.
pub(crate) const HELPER: &str = "PG_CLUSTER_TEST_HELPER";

/// `initdb` wants a user that has a name.
const NOBODY: u32 = 65534;

pub(crate) fn help(what: &str) {
    let options = match what {
        "disk" => Options::default().small_disk(4),
        _ => Options::default(),
    };
    let cluster = Cluster::start(Major::any(), &options).unwrap();
    if what == "once" {
        crate::run(async { assert_eq!(number(&cluster, "SELECT 7::bigint").await, 7) });
        match pg_cluster::small_disk_possible() {
            Ok(()) => crate::run(crate::faults::a_small_disk_runs_full_and_recovers()),
            Err(unavailable) => println_now(&format!("no small disk: {unavailable}")),
        }
    }
    println_now(&format!("{} {}", cluster.pid().unwrap(), cluster.folder().display()));
    if what != "once" {
        thread::park();
    }
}

fn println_now(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

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
fn gone(pid: u32, folder: &Path) {
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

/// Root's tests run servers as somebody else; here everything is somebody else's.
pub(crate) fn an_ordinary_user_can_do_it_too() {
    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o777)).unwrap();
    // The target folder may be closed to others.
    let program = open.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = Command::new(&program)
        .env(HELPER, "once")
        .env("TMPDIR", open.path())
        .env("HOME", open.path())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let told = String::from_utf8(output.stdout).unwrap();
    let (pid, folder) = told.lines().last().unwrap().split_once(' ').unwrap();
    gone(pid.parse().unwrap(), Path::new(folder));
}
