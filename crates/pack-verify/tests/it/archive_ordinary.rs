//! What ordinary programs write is read: GNU and POSIX format, long names, directories, `tar` itself.

use std::path::Path;
use std::process::Command;

use crate::archive_raw::{POLICY, Raw, gzip, listing, unpack};

#[test]
fn formats_by_hand() {
    let long = format!("docs/{}.md", "long".repeat(30));
    let archive = Raw::default()
        .pax(b'g', &[("comment", "0123456789abcdef")])
        .entry(b"./", b'5', b"")
        .entry(b"opa", b'5', b"")
        .entry(b"opa/", b'5', b"")
        .entry(b"old/", 0, b"")
        .entry(b"old/file", 0, b"x")
        .pax(
            b'x',
            &[
                ("mtime", "1.5"),
                ("atime", "2.5"),
                ("size", "40"),
                ("path", "opa/\u{e4}.rego"),
            ],
        )
        .with(b"opa/_.rego", b'0', &[POLICY, b"#"].concat()[..40], |_| {})
        .pax(
            b'x',
            &[("SCHILY.xattr.user.note", "a\nb"), ("LIBARCHIVE.creationtime", "1")],
        )
        .file("README.md", b"# hi")
        .long_name(long.as_bytes())
        .file("docs/cut", b"long")
        .with(b"file.md", b'0', b"p", |header| {
            header.as_ustar_mut().unwrap().prefix[..4].copy_from_slice(b"docs");
        })
        .with(b"binary.md", b'0', b"12345", |header| {
            header.as_mut_bytes()[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\0\0\0\0\x05");
        })
        .with(b"v7", b'0', b"v7", |header| header.as_mut_bytes()[257..265].fill(0));
    let whole = archive.finish();
    for bytes in [whole.clone(), gzip(&whole)] {
        let names: Vec<String> = listing(&unpack(bytes).unwrap())
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        assert_eq!(
            names,
            [
                "opa/ä.rego",
                "README.md",
                "binary.md",
                "docs/file.md",
                &long,
                "old/file",
                "v7"
            ]
        );
    }
}

fn tar(folder: &Path, arguments: &[&str]) -> bool {
    match Command::new("tar").current_dir(folder).args(arguments).output() {
        Ok(output) => {
            assert!(
                output.status.success(),
                "tar {arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            true
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "the tests need tar under CI: {error}");
            // The runner of libtest has no word for a skip at run time.
            #[allow(clippy::print_stderr)]
            {
                eprintln!("SKIPPED: there is no tar on this machine ({error})");
            }
            false
        }
    }
}

fn fill(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let long = format!("docs/{}/{}.md", "d".repeat(90), "n".repeat(120));
    let files: Vec<(String, Vec<u8>)> = vec![
        ("opa/cos.abac.rego".into(), POLICY.to_vec()),
        ("opa/gr\u{f6}\u{df}e.rego".into(), b"package cos.size\n".to_vec()),
        ("data/purpose-tags.json".into(), b"{\"a\": 1}\n".to_vec()),
        ("data/retention.json".into(), b"[]".to_vec()),
        ("README.md".into(), vec![0; 3000]),
        ("empty".into(), Vec::new()),
        (long, vec![0; 5]),
    ];
    for (path, content) in &files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    files
}

#[test]
fn archives_by_tar() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("pack");
    let mut expected = fill(&source);
    expected.sort();
    let variants: &[&[&str]] = &[
        &["cf", "../out", "."],
        &["czf", "../out", "."],
        &["cf", "../out", "opa", "data", "README.md", "empty", "docs"],
        &["--format=gnu", "-cf", "../out", "."],
        &["--format=posix", "-cf", "../out", "."],
        &["--format=posix", "-czf", "../out", "."],
        &[
            "--format=pax",
            "--sort=name",
            "--owner=0",
            "--group=0",
            "-cf",
            "../out",
            "./opa",
            "./data",
            "./README.md",
            "./empty",
            "./docs",
        ],
        &["--format=ustar", "--exclude=docs", "-cf", "../out", "."],
        &["--format=v7", "--exclude=docs", "-cf", "../out", "."],
        &["--format=oldgnu", "-b1", "-cf", "../out", "."],
    ];
    for arguments in variants {
        if !tar(&source, arguments) {
            return;
        }
        let pack = unpack(std::fs::read(folder.path().join("out")).unwrap())
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        let mut found = listing(&pack);
        found.sort();
        let without_docs = arguments.contains(&"--exclude=docs");
        let expected: Vec<_> = expected
            .iter()
            .filter(|(path, _)| !(without_docs && path.starts_with("docs")))
            .cloned()
            .collect();
        assert_eq!(found, expected, "{arguments:?}");
    }
}

#[test]
fn tar_reads_what_we_build() {
    let folder = tempfile::tempdir().unwrap();
    let files = fill(&folder.path().join("pack"));
    let archive = pack_verify::build::build_tar(files.clone()).unwrap();
    std::fs::write(folder.path().join("built.tar"), archive).unwrap();
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    if !tar(&out, &["xf", "../built.tar"]) {
        return;
    }
    for (path, content) in files {
        assert_eq!(std::fs::read(out.join(&path)).unwrap(), content, "{path}");
    }
}

#[cfg(unix)]
#[test]
fn links_by_tar_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for hard in [false, true] {
        let source = folder.path().join(format!("pack-{hard}"));
        fill(&source);
        let (from, to) = (source.join("README.md"), source.join("link"));
        if hard {
            std::fs::hard_link(from, to).unwrap();
        } else {
            std::os::unix::fs::symlink(from, to).unwrap();
        }
        if !tar(&source, &["cf", "../out", "."]) {
            return;
        }
        let error = unpack(std::fs::read(folder.path().join("out")).unwrap()).unwrap_err();
        assert!(error.to_string().contains("a link"), "{error}");
    }
}
