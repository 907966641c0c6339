//! A table of archives that must be refused, each with its reason and with words that help.

use pack_verify::Reason;
use pack_verify::limits::Limits;

use crate::archive_raw::{POLICY, Raw, gzip, record, unpack, unpack_within};

struct Case {
    name: &'static str,
    archive: Vec<u8>,
    reason: Reason,
    says: &'static str,
}

fn refused(cases: Vec<Case>) {
    unpack(Raw::with_policy().finish()).expect("the archive that every case starts from is fine");
    for Case {
        name,
        archive,
        reason,
        says,
    } in cases
    {
        let error = unpack(archive).expect_err(name);
        assert_eq!(error.reason(), reason, "{name}: {error}");
        assert!(error.to_string().contains(says), "{name}: expected {says:?} in {error}");
    }
}

fn unsafe_case(name: &'static str, raw: Raw, says: &'static str) -> Case {
    Case {
        name,
        archive: raw.finish(),
        reason: Reason::ArchiveUnsafe,
        says,
    }
}

fn malformed(name: &'static str, archive: Vec<u8>, says: &'static str) -> Case {
    Case {
        name,
        archive,
        reason: Reason::ArchiveMalformed,
        says,
    }
}

fn good() -> Raw {
    Raw::with_policy()
}

#[test]
fn names() {
    let long = "a".repeat(80);
    let many = (0..5).map(|_| long.as_str()).collect::<Vec<_>>().join("/");
    let deep = vec!["d"; 17].join("/");
    let named = |name: &str| good().file(name, b"x");
    let mut cases = vec![
        unsafe_case("absolute", named("/etc/passwd"), "absolute"),
        unsafe_case(
            "absolute by pax",
            good().pax(b'x', &[("path", "/x")]).file("x", b""),
            "absolute",
        ),
        unsafe_case(
            "absolute by long name",
            good().long_name(b"/x").file("x", b""),
            "absolute",
        ),
        unsafe_case("climbs", named("../x"), ".."),
        unsafe_case("climbs inside", named("opa/../../x"), ".."),
        unsafe_case("climbs at the end", named("opa/.."), ".."),
        unsafe_case(
            "climbs by pax",
            good().pax(b'x', &[("path", "a/../b")]).file("x", b""),
            "..",
        ),
        unsafe_case("directory climbs", good().entry(b"../d/", b'5', b""), ".."),
        unsafe_case("not UTF-8", good().entry(b"opa/\xff.rego", b'0', b""), "UTF-8"),
        unsafe_case("new line", named("opa/a\nb"), "control"),
        unsafe_case("delete character", named("opa/a\u{7f}"), "control"),
        unsafe_case("C1 control", named("opa/a\u{85}b"), "control"),
        unsafe_case(
            "NUL by pax",
            good().pax(b'x', &[("path", "a\0b")]).file("x", b""),
            "control",
        ),
        unsafe_case("NUL by long name", good().long_name(b"a\0b").file("x", b""), "control"),
        unsafe_case("backslash", named("opa\\a.rego"), "backslash"),
        unsafe_case("right to left", named("opa/a\u{202e}oger.b"), "invisible"),
        unsafe_case("zero width", named("opa/a\u{200b}.txt"), "invisible"),
        unsafe_case("empty name", named(""), "empty"),
        unsafe_case("a file called ./", named("./"), "slash"),
        unsafe_case("a file called .", named("."), "no name"),
        unsafe_case("a file with a slash", named("opa/x/"), "slash"),
        unsafe_case("full-width slash", named("opa\u{ff0f}x"), "separator"),
        malformed(
            "bytes hide behind the name",
            good()
                .with(b"opa/x", b'0', b"", |header| header.as_mut_bytes()[20] = b'y')
                .finish(),
            "after its end",
        ),
        malformed(
            "bytes hide behind the prefix",
            good()
                .with(b"opa/x", b'0', b"", |header| header.as_mut_bytes()[400] = b'y')
                .finish(),
            "after its end",
        ),
    ];
    for (name, path) in [("too long", &many), ("too deep", &deep)] {
        let archive = good().pax(b'x', &[("path", path)]).file("x", b"").finish();
        cases.push(Case {
            name,
            archive,
            reason: Reason::LimitExceeded,
            says: "max_path",
        });
    }
    refused(cases);
}

#[test]
fn duplicates() {
    let pair = |first: &str, second: &str| good().file(first, b"1").file(second, b"2");
    refused(vec![
        unsafe_case("same", good().file("./opa/cos.abac.rego", POLICY), "twice"),
        unsafe_case("without ./", good().file("opa/cos.abac.rego", POLICY), "twice"),
        unsafe_case("with //", good().file("opa//cos.abac.rego", POLICY), "twice"),
        unsafe_case("with /./", good().file("./opa/./cos.abac.rego", POLICY), "twice"),
        unsafe_case("case", good().file("opa/COS.abac.rego", POLICY), "letter case"),
        unsafe_case("case of a directory", pair("docs/a", "Docs/b"), "letter case"),
        unsafe_case("NFC and NFD", pair("\u{e9}", "e\u{301}"), "Unicode form"),
        unsafe_case("NFKC", pair("\u{fb01}x", "fix"), "Unicode form"),
        unsafe_case(
            "by pax",
            good().pax(b'x', &[("path", "opa/cos.abac.rego")]).file("y", POLICY),
            "twice",
        ),
        unsafe_case("file then directory", pair("docs", "docs/b"), "directory at once"),
        unsafe_case("directory then file", pair("docs/b", "docs"), "directory at once"),
        unsafe_case(
            "file and directory entry",
            good().file("docs", b"").entry(b"docs/", b'5', b""),
            "at once",
        ),
    ]);
}

#[test]
fn kinds() {
    let kind = |kind: u8| good().with(b"opa/x.rego", kind, b"", |h| h.set_link_name("/etc/passwd").unwrap());
    refused(vec![
        unsafe_case("hard link", kind(b'1'), "link"),
        unsafe_case("symbolic link", kind(b'2'), "link"),
        unsafe_case("character device", kind(b'3'), "device"),
        unsafe_case("block device", kind(b'4'), "device"),
        unsafe_case("FIFO", kind(b'6'), "FIFO"),
        unsafe_case("contiguous file", kind(b'7'), "type '7'"),
        unsafe_case("GNU sparse", kind(b'S'), "sparse"),
        unsafe_case("GNU long link", kind(b'K'), "link"),
        unsafe_case("GNU dump directory", kind(b'D'), "type 'D'"),
        unsafe_case("GNU continued file", kind(b'M'), "type 'M'"),
        unsafe_case("GNU volume label", kind(b'V'), "type 'V'"),
        unsafe_case("Solaris header", kind(b'X'), "type 'X'"),
        unsafe_case("unknown", kind(b'?'), "type '?'"),
        unsafe_case("directory with content", good().entry(b"d/", b'5', b"x"), "content"),
        unsafe_case(
            "long link before a link",
            good().entry(b"././@LongLink", b'K', b"/etc/passwd\0"),
            "link",
        ),
    ]);
}

#[test]
fn pax_tricks() {
    let local = |records: &[(&str, &str)]| good().pax(b'x', records).file("x", b"12345");
    let global = |records: &[(&str, &str)]| good().pax(b'g', records).file("x", b"12345");
    let raw = |body: &str| {
        good()
            .entry(b"./PaxHeaders/x", b'x', body.as_bytes())
            .file("x", b"")
            .finish()
    };
    let hidden = format!("{}\n{}", record("uid", "0"), record("path", "../x"));
    refused(vec![
        unsafe_case("path twice", local(&[("path", "a"), ("path", "b")]), "twice"),
        unsafe_case("size twice", local(&[("size", "5"), ("size", "5")]), "twice"),
        unsafe_case("larger size", local(&[("size", "6")]), "disagree"),
        unsafe_case("smaller size", local(&[("size", "0")]), "disagree"),
        unsafe_case("link path", local(&[("linkpath", "/etc/passwd")]), "linkpath"),
        unsafe_case("sparse 0.0", local(&[("GNU.sparse.numblocks", "1")]), "GNU.sparse"),
        unsafe_case("sparse 0.1", local(&[("GNU.sparse.map", "0,1")]), "GNU.sparse"),
        unsafe_case(
            "sparse 1.0",
            local(&[("GNU.sparse.major", "1"), ("GNU.sparse.name", "y")]),
            "GNU.sparse",
        ),
        unsafe_case("star's sparse", local(&[("SCHILY.realsize", "9")]), "SCHILY.realsize"),
        unsafe_case("hdrcharset", local(&[("hdrcharset", "BINARY")]), "hdrcharset"),
        unsafe_case("unknown record", local(&[("my.path", "y")]), "my.path"),
        unsafe_case("global path", global(&[("path", "y")]), "\"path\""),
        unsafe_case("global size", global(&[("size", "5")]), "\"size\""),
        unsafe_case("global link path", global(&[("linkpath", "y")]), "linkpath"),
        malformed("empty path", local(&[("path", "")]).finish(), "empty"),
        malformed("size is not a number", local(&[("size", "0x5")]).finish(), "decimal"),
        malformed("hidden behind an empty line", raw(&hidden), "length"),
        malformed("wrong length", raw("11 path=abc\n"), "length"),
        malformed("no equals sign", raw("6 abc\n"), "no ="),
        malformed(
            "two pax headers",
            good().pax(b'x', &[("uid", "0")]).pax(b'x', &[]).file("x", b"").finish(),
            "two",
        ),
        malformed(
            "two long names",
            good().long_name(b"a").long_name(b"b").file("x", b"").finish(),
            "two",
        ),
        malformed(
            "long name and pax path",
            good()
                .long_name(b"a")
                .pax(b'x', &[("path", "b")])
                .file("x", b"")
                .finish(),
            "two extended headers",
        ),
        malformed(
            "global in between",
            good().pax(b'x', &[("path", "b")]).pax(b'g', &[]).finish(),
            "between",
        ),
        malformed(
            "pax at the end",
            good().pax(b'x', &[("path", "b")]).finish(),
            "ends after",
        ),
        malformed("long name at the end", good().long_name(b"b").finish(), "ends after"),
        malformed(
            "empty long name",
            good().long_name(b"").file("x", b"").finish(),
            "long name is empty",
        ),
    ]);
    let long = "y".repeat(70_000);
    for archive in [
        good().long_name(long.as_bytes()),
        good().pax(b'x', &[("comment", &long)]),
    ] {
        let error = unpack(archive.file("x", b"").finish()).unwrap_err();
        assert_eq!(error.reason(), Reason::LimitExceeded, "{error}");
    }
}

#[test]
fn broken_headers() {
    let sized = |field: &[u8; 12]| {
        good()
            .with(b"x", b'0', b"12345", |header| {
                header.as_mut_bytes()[124..136].copy_from_slice(field);
            })
            .finish()
    };
    let mut flipped = good().file("x", b"").finish();
    flipped[1024 + 10] ^= 1;
    let magic = |magic: &[u8; 8]| {
        good()
            .with(b"x", b'0', b"", |header| {
                header.as_mut_bytes()[257..265].copy_from_slice(magic);
            })
            .finish()
    };
    refused(vec![
        malformed("wrong checksum", flipped, "checksum"),
        malformed("size with a sign", sized(b"+0000000005\0"), "not a number"),
        malformed("negative size", sized(b"-0000000005\0"), "not a number"),
        malformed("size with a nine", sized(b"00000000009\0"), "not a number"),
        malformed("size with more behind", sized(b"00000 000005"), "not a number"),
        malformed("no size", sized(&[0; 12]), "not a number"),
        malformed("negative binary size", sized(&[0xff; 12]), "not a number"),
        malformed(
            "binary size beyond 64 bits",
            sized(b"\x80\0\0\x01\0\0\0\0\0\0\0\x05"),
            "not a number",
        ),
        malformed(
            "largest binary size",
            sized(b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
            "cut off",
        ),
        malformed("largest octal size", sized(b"777777777777"), "cut off"),
        malformed("unknown format", magic(b"ustar\x0099"), "unknown tar format"),
        malformed("made up format", magic(b"trust me"), "unknown tar format"),
    ]);
}

#[test]
fn cut_and_extended() {
    let whole = good().file("README.md", &[b'x'; 700]).finish();
    let end = whole.len() - 1024;
    let mut noise = whole.clone();
    noise.extend_from_slice(&good().0);
    let mut one_byte = whole.clone();
    one_byte.push(1);
    refused(vec![
        malformed("no end mark", whole[..end].to_vec(), "cut off"),
        malformed("inside the last padding", whole[..end - 1].to_vec(), "cut off"),
        malformed("inside a file", whole[..end - 600].to_vec(), "inside a file"),
        malformed("inside a header", whole[..1024 + 100].to_vec(), "cut off"),
        malformed("half an end mark", whole[..end + 511].to_vec(), "cut off"),
        malformed("a second archive", noise, "after the end mark"),
        malformed("one byte more", one_byte, "after the end mark"),
    ]);
    for length in [end + 512, end + 600, whole.len()] {
        unpack(whole[..length].to_vec()).expect("a short end mark is fine");
    }
}

#[test]
fn gzip_tricks() {
    let packed = gzip(&good().finish());
    let mut crc = packed.clone();
    let at = crc.len() - 8;
    crc[at] ^= 1;
    let cut = |n: usize| packed[..packed.len() - n].to_vec();
    refused(vec![
        malformed("cut trailer", cut(1), "cut off"),
        malformed("cut data", cut(20), "cut off"),
        malformed("header only", vec![0x1f, 0x8b], "cut off"),
        malformed("wrong checksum", crc, "corrupt"),
        malformed("more behind", [packed.as_slice(), b"x"].concat(), "other bytes"),
        malformed("zeros behind", [packed.as_slice(), &[0; 512]].concat(), "other bytes"),
        malformed(
            "two members",
            [packed.as_slice(), &packed].concat(),
            "second gzip member",
        ),
        Case {
            name: "gzip in gzip",
            archive: gzip(&packed),
            reason: Reason::NotAPack,
            says: "gzip data",
        },
        Case {
            name: "bomb",
            archive: gzip(&good().file("zeros", &vec![0; 8 << 20]).finish()),
            reason: Reason::LimitExceeded,
            says: "max_ratio",
        },
    ]);
    let limits = Limits {
        max_unpacked_bytes: 2047,
        ..Limits::default()
    };
    let error = unpack_within(packed, &limits).unwrap_err();
    assert!(error.to_string().contains("max_unpacked_bytes"), "{error}");
}

#[test]
fn limits() {
    let limits = |edit: fn(&mut Limits)| {
        let mut limits = Limits::default();
        edit(&mut limits);
        limits
    };
    let two = good().file("README.md", b"x").finish();
    for (name, limits) in [
        ("max_pack_bytes", limits(|l| l.max_pack_bytes = 3071)),
        ("max_unpacked_bytes", limits(|l| l.max_unpacked_bytes = 3071)),
        ("max_entries", limits(|l| l.max_entries = 1)),
        ("max_path_bytes", limits(|l| l.max_path_bytes = 16)),
        ("max_path_depth", limits(|l| l.max_path_depth = 1)),
    ] {
        let error = unpack_within(two.clone(), &limits).expect_err(name);
        assert_eq!(error.reason(), Reason::LimitExceeded, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    unpack(two).unwrap();
    let mut many = good();
    for index in 0..4096 {
        many = many.entry(format!("d{index}/").as_bytes(), b'5', b"");
    }
    assert!(unpack(many.finish()).unwrap_err().to_string().contains("max_entries"));
}

#[test]
fn not_a_pack() {
    let html = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>".repeat(20);
    for (bytes, says) in [
        (&b""[..], "the body is empty"),
        (&html, "an HTML page"),
        (b"{\"error\":\"pack not built yet\"}", "a JSON document"),
        (b"upstream request timeout", "plain text"),
        (b"PK\x03\x04", "a zip archive"),
        (POLICY, "a single policy file"),
        (&[0; 100], "zero bytes"),
    ] {
        for body in [bytes.to_vec(), gzip(bytes)] {
            let error = unpack(body).unwrap_err();
            assert_eq!(error.reason(), Reason::NotAPack, "{error}");
            assert!(error.to_string().contains(says), "{says}: {error}");
        }
    }
}
