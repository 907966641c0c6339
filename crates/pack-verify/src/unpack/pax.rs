//! PAX extended headers (POSIX.1-2017, pax interchange format): which records are fine, and which change what a
//! file is.
//!
//! The `tar` crate's own reader of these records stops quietly at an empty line and so can miss records that another
//! program sees; this one accounts for every byte.

/// Records that only describe a file: times, owners, comments.
const HARMLESS: &[&str] = &["atime", "ctime", "mtime", "uid", "gid", "uname", "gname", "comment"];

/// Vendor records that only describe a file: attributes, access lists, inode facts.
const HARMLESS_PREFIXES: &[&str] = &["SCHILY.xattr.", "SCHILY.acl.", "LIBARCHIVE.", "RHT.security."];
const HARMLESS_VENDOR: &[&str] = &[
    "SCHILY.dev",
    "SCHILY.ino",
    "SCHILY.nlink",
    "SCHILY.fflags",
    "SCHILY.filetype",
    "SCHILY.devminor",
];

/// What a header for one file may override.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Overrides {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
}

/// What is wrong with a PAX header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PaxProblem {
    /// The records cannot be read.
    Malformed(String),
    /// A record that a pack may not have.
    Forbidden(String),
}

/// Reads the header of one file (`x`).
pub(super) fn local(body: &[u8]) -> Result<Overrides, PaxProblem> {
    let mut overrides = Overrides::default();
    for (key, value) in records(body)? {
        match key {
            "path" if overrides.path.is_some() => return Err(twice(key)),
            "path" if value.is_empty() => return Err(malformed("the path record is empty")),
            "path" => overrides.path = Some(value.to_vec()),
            "size" if overrides.size.is_some() => return Err(twice(key)),
            "size" => overrides.size = Some(number(value)?),
            _ => harmless(key)?,
        }
    }
    Ok(overrides)
}

/// Reads a header for all files that follow (`g`): `git archive` writes one with its commit as a comment.
pub(super) fn global(body: &[u8]) -> Result<(), PaxProblem> {
    records(body)?.into_iter().try_for_each(|(key, _)| harmless(key))
}

fn harmless(key: &str) -> Result<(), PaxProblem> {
    let known = HARMLESS.contains(&key)
        || HARMLESS_VENDOR.contains(&key)
        || HARMLESS_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    if known {
        return Ok(());
    }
    Err(PaxProblem::Forbidden(format!(
        "the PAX record {key:?} is not allowed here"
    )))
}

/// Splits `length key=value\n` records; the lengths must add up to the whole body.
fn records(body: &[u8]) -> Result<Vec<(&str, &[u8])>, PaxProblem> {
    let mut rest = body;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (record, after) = split(rest).ok_or_else(|| malformed("a record's length is wrong"))?;
        rest = after;
        let equals = record
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or_else(|| malformed("a record has no ="))?;
        let (key, value) = record.split_at(equals);
        let key = std::str::from_utf8(key).map_err(|_| malformed("a record's key is not UTF-8"))?;
        found.push((key, value.get(1..).unwrap_or_default()));
    }
    Ok(found)
}

/// One record without its length and newline, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(number(bytes.get(..space)?).ok()?).ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let content = record.get(space + 1..)?.strip_suffix(b"\n")?;
    Some((content, rest))
}

fn number(digits: &[u8]) -> Result<u64, PaxProblem> {
    let bad = || malformed("a number is not decimal");
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(bad());
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(bad)
}

fn malformed(why: &str) -> PaxProblem {
    PaxProblem::Malformed(why.to_owned())
}

fn twice(key: &str) -> PaxProblem {
    PaxProblem::Forbidden(format!("the PAX record {key:?} is there twice"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One record with the right length, which counts its own digits.
    fn record(key: &str, value: &str) -> String {
        let rest = format!(" {key}={value}\n");
        let length = (1..4)
            .map(|digits| digits + rest.len())
            .find(|n| n.to_string().len() + rest.len() == *n);
        format!("{}{rest}", length.unwrap())
    }

    #[test]
    fn reads_what_tar_writes() {
        let body = [
            record("mtime", "1700000000.123456789"),
            record("comment", "two\nlines = one"),
            record("path", "opa/ä.rego"),
            record("SCHILY.xattr.user.a", "\0\n"),
            record("size", "50"),
        ]
        .concat();
        let expected = Overrides {
            path: Some("opa/ä.rego".as_bytes().to_vec()),
            size: Some(50),
        };
        assert_eq!(local(body.as_bytes()), Ok(expected));
        assert_eq!(local(b""), Ok(Overrides::default()));
        assert_eq!(global(record("comment", "0123abcd").as_bytes()), Ok(()));
    }

    #[test]
    fn accounts_for_every_byte() {
        let hidden = format!("{}\n{}", record("uid", "0"), record("linkpath", "/etc"));
        let cut = record("uid", "0").trim_end().to_owned();
        let bodies = [
            &hidden,
            &cut,
            "7 uid=0\n",
            "10 uid=0\n",
            "99 uid=0\n",
            "0 uid=0\n",
            "+9 uid=00\n",
            "6 uid\n",
            " uid=0\n",
        ];
        let empty = [
            record("path", ""),
            record("size", ""),
            record("size", "0x5"),
            record("size", "-1"),
        ];
        let huge = record("size", "18446744073709551616");
        for body in bodies
            .into_iter()
            .chain(empty.iter().map(String::as_str))
            .chain([huge.as_str(), "\0\0\0\0"])
        {
            assert!(
                matches!(local(body.as_bytes()), Err(PaxProblem::Malformed(_))),
                "{body:?}"
            );
        }
    }

    #[test]
    fn refuses_what_changes_a_file() {
        let twice = [record("path", "a"), record("path", "a")].concat();
        let sizes = [record("size", "1"), record("size", "1")].concat();
        for body in [
            record("linkpath", "a"),
            record("hdrcharset", "BINARY"),
            record("charset", "ISO-IR 8859 1 1998"),
            record("GNU.sparse.major", "1"),
            record("GNU.sparse.name", "a"),
            record("SCHILY.realsize", "1"),
            record("made.up", "1"),
            twice,
            sizes,
        ] {
            assert!(
                matches!(local(body.as_bytes()), Err(PaxProblem::Forbidden(_))),
                "{body:?}"
            );
        }
        for body in [record("path", "a"), record("size", "1")] {
            assert!(
                matches!(global(body.as_bytes()), Err(PaxProblem::Forbidden(_))),
                "{body:?}"
            );
        }
    }
}
