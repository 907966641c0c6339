//! Property tests: what is built comes back, and no input makes the reader panic or leave its limits.

use std::collections::BTreeMap;

use pack_verify::build::build_tar;
use pack_verify::limits::Limits;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::archive_raw::{POLICY, Raw, gzip, unpack, unpack_within};

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9][a-z0-9._-]{0,12}",
        1 => "[a-zäöé字]{1,8}",
        1 => "[a-z]{60,90}",
    ]
}

fn files() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let folder = proptest::collection::vec(part(), 0..3).prop_map(|parts| parts.join("/"));
    let file = (folder, part(), 0..3_u8, proptest::collection::vec(any::<u8>(), 0..1500)).prop_map(
        |(folder, name, kind, noise)| {
            let text: String = noise.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
            let (top, extension, content) = match kind {
                0 => ("opa", ".rego", format!("package p\n# {text}\n").into_bytes()),
                1 => ("data", ".json", format!("{{\"text\": \"{text}\"}}").into_bytes()),
                _ => ("docs", ".md", noise),
            };
            let slash = if folder.is_empty() { "" } else { "/" };
            (format!("{top}/{folder}{slash}{name}{extension}"), content)
        },
    );
    proptest::collection::vec(file, 0..12).prop_map(|files| files.into_iter().collect())
}

proptest! {
    #[test]
    fn what_is_built_comes_back(mut files in files(), packed: bool) {
        files.insert("opa/first.rego".to_owned(), POLICY.to_vec());
        // Names that collide are the builder's to refuse; what it writes must be readable.
        let Ok(archive) = build_tar(files.clone()) else { return Ok(()); };
        let pack = match unpack(if packed { gzip(&archive) } else { archive }) {
            Ok(pack) => pack,
            // `a-b.json` and `a_b.json`, `a.json` and `a/b.json`: one document, though not one file.
            Err(error) if error.to_string().contains("document") => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(format!("{files:?}: {error}"))),
        };
        let mut found = BTreeMap::new();
        found.extend(pack.policies().iter().map(|file| (file.path.clone(), file.text.to_vec())));
        found.extend(pack.data().iter().map(|file| (file.path.clone(), file.json.to_vec())));
        let sizes: BTreeMap<_, _> = pack.others().iter().map(|file| (file.path.clone(), file.size)).collect();
        let (others, deciding): (BTreeMap<_, _>, BTreeMap<_, _>) =
            files.into_iter().partition(|(path, _)| path.starts_with("docs/") || path.ends_with("_test.rego"));
        prop_assert_eq!(found, deciding);
        prop_assert_eq!(sizes, others.into_iter().map(|(path, content)| (path, content.len())).collect::<BTreeMap<_, _>>());
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048), magic in 0..3_u8) {
        let start: &[u8] = [&b""[..], b"\x1f\x8b\x08\0\0\0\0\0\0\xff", POLICY][usize::from(magic)];
        prop_assert!(unpack([start, &bytes].concat()).is_err());
    }

    #[test]
    fn mutations_never_panic_or_escape(edits in proptest::collection::vec(edit(), 1..8), repair: bool, packed: bool) {
        let mut archive = sample();
        for edit in edits {
            edit.apply(&mut archive);
        }
        if repair {
            repair_checksums(&mut archive);
        }
        let limits = Limits { max_unpacked_bytes: 64 << 10, max_entries: 12, ..Limits::default() };
        let length = archive.len();
        if let Ok(pack) = unpack_within(if packed { gzip(&archive) } else { archive }, &limits) {
            let paths = pack.policies().iter().map(|file| (&file.path, file.text.len()))
                .chain(pack.data().iter().map(|file| (&file.path, file.json.len())))
                .chain(pack.others().iter().map(|file| (&file.path, file.size)));
            let mut total = 0;
            for (path, size) in paths {
                total += size;
                prop_assert!(!path.is_empty() && path.len() <= limits.max_path_bytes, "{path:?}");
                prop_assert!(!path.contains(['\\', '\0', '\n']) && !path.starts_with('/'), "{path:?}");
                prop_assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path:?}");
            }
            prop_assert!(total <= length, "{} bytes of files in {} bytes", total, length);
        }
    }
}

#[derive(Debug, Clone)]
enum Edit {
    Set(Index, u8),
    Flip(Index, u8),
    Cut(Index),
    Repeat(Index, Index),
    Remove(Index),
    Insert(Index, Vec<u8>),
    Word(Index, &'static [u8]),
}

fn edit() -> impl Strategy<Value = Edit> {
    let words: Vec<&'static [u8]> = vec![
        b"../",
        b"/",
        b"\0",
        b"linkpath=",
        b"GNU.sparse.",
        b"77777777777",
        b"\x80",
        b"ustar",
        b"path=",
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        any::<Index>().prop_map(Edit::Cut),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Edit::Repeat(from, to)),
        any::<Index>().prop_map(Edit::Remove),
        (any::<Index>(), proptest::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (any::<Index>(), proptest::sample::select(words)).prop_map(|(at, word)| Edit::Word(at, word)),
    ]
}

impl Edit {
    fn apply(self, archive: &mut Vec<u8>) {
        if archive.len() < 1024 {
            return;
        }
        let block = |index: Index, archive: &[u8]| index.index(archive.len() / 512) * 512;
        match self {
            Self::Set(at, byte) => *at.get_mut(archive) = byte,
            Self::Flip(at, bit) => *at.get_mut(archive) ^= 1 << bit,
            Self::Cut(at) => archive.truncate(at.index(archive.len())),
            Self::Repeat(from, to) => {
                let (from, to) = (block(from, archive), block(to, archive));
                let copy = archive[from..from + 512].to_vec();
                archive.splice(to..to, copy);
            }
            Self::Remove(at) => {
                let at = block(at, archive);
                archive.drain(at..at + 512);
            }
            Self::Insert(at, bytes) => {
                let at = at.index(archive.len());
                archive.splice(at..at, bytes);
            }
            Self::Word(at, word) => {
                let at = at.index(archive.len());
                let end = (at + word.len()).min(archive.len());
                archive[at..end].copy_from_slice(&word[..end - at]);
            }
        }
    }
}

/// One of everything that a good archive has, so that mutations start close to every branch.
fn sample() -> Vec<u8> {
    Raw::default()
        .pax(b'g', &[("comment", "x")])
        .entry(b"./opa/", b'5', b"")
        .file("./opa/a.rego", POLICY)
        .pax(b'x', &[("path", "./opa/ä.rego"), ("mtime", "1.5"), ("size", "40")])
        .file("./opa/_.rego", POLICY)
        .long_name(b"./docs/long")
        .file("./docs/l", &[b'x'; 600])
        .file("./data/x.json", b"{\"a\":[1,2,{\"b\":null}]}")
        .file("./pack.json", b"{\"revision\":1}")
        .finish()
}

fn repair_checksums(archive: &mut [u8]) {
    for block in archive.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            let mut header = tar::Header::from_byte_slice(block).clone();
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
    }
}

#[test]
fn the_sample_is_good() {
    let pack = unpack(sample()).unwrap();
    assert_eq!(
        (pack.policies().len(), pack.data().len(), pack.others().len()),
        (2, 1, 1)
    );
}
