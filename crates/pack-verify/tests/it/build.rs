//! The deterministic builder.

use pack_verify::Sha256Digest;
use pack_verify::build::{BuildError, build_tar};

use crate::archive_raw::{POLICY, listing, unpack};

fn files() -> Vec<(String, Vec<u8>)> {
    vec![
        ("opa/cos.abac.rego".to_owned(), POLICY.to_vec()),
        ("./data/retention.json".to_owned(), b"{}".to_vec()),
        ("README.md".to_owned(), b"#".to_vec()),
        (format!("docs/{}.md", "long".repeat(30)), vec![0; 513]),
        ("docs/\u{e4}.md".to_owned(), Vec::new()),
    ]
}

#[test]
fn the_same_bytes_everywhere() {
    let built = build_tar(files()).unwrap();
    let mut reversed = files();
    reversed.reverse();
    assert_eq!(built, build_tar(reversed).unwrap());
    // Pinned: a change of this digest changes every pack that users build, and with it their signatures.
    assert_eq!(
        Sha256Digest::of(&built).hex(),
        "5f370b26c893b718c6373083bef3a7ce72467d13deec2709f0aa7d8d7d721876"
    );
}

#[test]
fn what_is_built_unpacks() {
    let mut expected: Vec<_> = files()
        .into_iter()
        .map(|(path, content)| (path.trim_start_matches("./").to_owned(), content))
        .collect();
    expected[2].1 = vec![0];
    expected.sort();
    let mut found = listing(&unpack(build_tar(files()).unwrap()).unwrap());
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn entries_are_plain_and_sorted() {
    let built = build_tar(files()).unwrap();
    let mut archive = tar::Archive::new(built.as_slice());
    let mut names = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        let numbers = (
            header.mtime().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mode().unwrap(),
        );
        assert_eq!(numbers, (0, 0, 0, 0o644));
        names.push(String::from_utf8(entry.path_bytes().into_owned()).unwrap());
    }
    let long = format!("./docs/{}.md", "long".repeat(30));
    assert_eq!(
        names,
        [
            "./README.md",
            "./data/retention.json",
            &long,
            "./docs/ä.md",
            "./opa/cos.abac.rego"
        ]
    );
}

#[test]
fn names_that_no_verifier_accepts() {
    let build = |names: &[&str]| build_tar(names.iter().map(|name| ((*name).to_owned(), Vec::new())));
    for name in ["/a", "../a", "a\\b", "a\nb", "", &"x".repeat(256)] {
        assert!(matches!(build(&[name]), Err(BuildError::Name { .. })), "{name:?}");
    }
    for names in [&["a", "./a"][..], &["a", "A"], &["a", "a/b"], &["."], &["a/"]] {
        assert!(matches!(build(names), Err(BuildError::Collision { .. })), "{names:?}");
    }
    assert_eq!(build(&[]).unwrap(), [0; 1024]);
}
