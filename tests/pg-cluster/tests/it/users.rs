//! Root's tests run servers as somebody else, who must be able to read the programs; other users' run them as themselves.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pg_cluster::{Major, Unavailable};

use crate::helper::HELPER;
use crate::leftovers::gone;

/// `initdb` wants a user that has a name.
const NOBODY: u32 = 65534;

/// Whether the folder of the programs is open to others.
pub(crate) fn others_can_run(major: Major) -> Result<(), Unavailable> {
    let server = major.find()?.bin.join("postgres");
    let status = Command::new(&server)
        .arg("--version")
        .uid(NOBODY)
        .gid(NOBODY)
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Unavailable {
            wanted: "PostgreSQL that other users can run".to_owned(),
            why: format!("{} is closed to them", server.display()),
        }),
    }
}

pub(crate) fn an_ordinary_user_can_do_it_too() {
    let open = open_folder();
    // The target folder may be closed to others.
    let program = open.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new(&program);
    command.env(HELPER, "ordinary").env("TMPDIR", open.path());
    succeeds(command.uid(NOBODY).gid(NOBODY));
}

pub(crate) fn programs_in_a_closed_folder_are_copied() {
    let closed = tempfile::tempdir().unwrap();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let open = open_folder();
    let home = Major::V18.find().unwrap().bin.parent().unwrap().to_owned();
    let copy = closed.path().join("postgresql");
    fs::create_dir(&copy).unwrap();
    let copied = Command::new("cp").arg("-a").arg(&home).arg(&copy).status().unwrap();
    assert!(copied.success());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env(HELPER, "newest")
        .env("TOOLS_DIR", closed.path())
        .env("TMPDIR", open.path());
    succeeds(&mut command);
    let version = home
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .trim_end_matches(".0")
        .to_owned();
    assert!(
        open.path()
            .join("pg-cluster-0")
            .join(version)
            .join("bin/postgres")
            .exists()
    );
}

fn open_folder() -> tempfile::TempDir {
    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o777)).unwrap();
    open
}

/// The helper does its work, and its server is gone afterwards.
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let told = String::from_utf8(output.stdout).unwrap();
    let (pid, folder) = told.lines().next().unwrap().split_once(' ').unwrap();
    gone(pid.parse().unwrap(), Path::new(folder));
}
