//! The digest that a server announces: every form in the field, every disagreement, and garbage.

use bytes::Bytes;
use pack_verify::digest::{announced, from_etag};
use pack_verify::{DigestError, DigestHeaders, HashingBuffer, PackBytes, Reason, Sha256Digest};
use proptest::prelude::*;

const HEX: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const BASE64: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

fn hello() -> Sha256Digest {
    Sha256Digest::of(b"hello")
}

fn other() -> Sha256Digest {
    Sha256Digest::of(b"other")
}

#[derive(Clone, Copy)]
enum Header {
    Digest,
    Content,
    Repr,
}

fn one(header: Header, values: &[&str]) -> Result<Option<(Sha256Digest, &'static str)>, DigestError> {
    let values = values.to_vec();
    let headers = match header {
        Header::Digest => DigestHeaders {
            digest: values,
            ..DigestHeaders::default()
        },
        Header::Content => DigestHeaders {
            content_digest: values,
            ..DigestHeaders::default()
        },
        Header::Repr => DigestHeaders {
            repr_digest: values,
            ..DigestHeaders::default()
        },
    };
    announced(&headers).map(|found| found.map(|found| (found.sha256, found.from)))
}

#[test]
fn every_form_in_the_field_is_read() {
    let upper = HEX.to_uppercase();
    for value in [
        format!("sha-256={HEX}"),
        format!("SHA-256={HEX}"),
        format!("sha-256={upper}"),
        format!("sha-256={BASE64}"),
        format!("SHA-256={BASE64}"),
        format!("sha256={HEX}"),
        format!("  sha-256={HEX} "),
        format!("md5=1B2M2Y8AsgTpgAmY7PhCfg==,sha-256={BASE64}"),
        format!("sha-512=AAAA, sha-256={BASE64},"),
        format!("sha-256={BASE64}, sha-256={HEX}"),
    ] {
        assert_eq!(one(Header::Digest, &[&value]), Ok(Some((hello(), "Digest"))), "{value}");
    }
    for value in [
        format!("sha-256=:{BASE64}:"),
        format!("SHA-256=:{BASE64}:"),
        format!("sha-512=:AAAA:, sha-256=:{BASE64}:"),
    ] {
        assert_eq!(
            one(Header::Content, &[&value]),
            Ok(Some((hello(), "Content-Digest"))),
            "{value}"
        );
        assert_eq!(
            one(Header::Repr, &[&value]),
            Ok(Some((hello(), "Repr-Digest"))),
            "{value}"
        );
    }
}

#[test]
fn what_says_nothing_is_not_an_error() {
    assert_eq!(announced(&DigestHeaders::default()), Ok(None));
    assert_eq!(one(Header::Digest, &["md5=1B2M2Y8AsgTpgAmY7PhCfg=="]), Ok(None));
    assert_eq!(one(Header::Content, &["sha-512=:AAAA:"]), Ok(None));
    let etag = DigestHeaders {
        etag: Some(r#""v1""#),
        ..DigestHeaders::default()
    };
    assert_eq!(announced(&etag), Ok(None));
}

#[test]
fn malformed_headers_are_errors_that_name_the_header() {
    let short = &HEX[..62];
    for value in [
        String::new(),
        " , ".to_owned(),
        "sha-256".to_owned(),
        "sha-256=".to_owned(),
        format!("sha-256={short}"),
        format!("sha-256={HEX}00"),
        format!("sha-256=:{BASE64}:"),
        format!("sha-256={}", BASE64.trim_end_matches('=')),
        "sha-256=zz".to_owned(),
        format!("={HEX}"),
        format!("sha 256={HEX}"),
        format!("sha-256={HEX}; q=1"),
        HEX.to_owned(),
        "\u{7f}\u{0}".to_owned(),
    ] {
        match one(Header::Digest, &[&value]) {
            Err(DigestError::Malformed { header, .. }) => assert_eq!(header, "Digest"),
            other => panic!("{value:?} gave {other:?}"),
        }
    }
    for value in [
        format!("sha-256={BASE64}"),
        format!("sha-256={HEX}"),
        "sha-256=::".to_owned(),
        "sha-256=:".to_owned(),
    ] {
        assert!(
            matches!(one(Header::Content, &[&value]), Err(DigestError::Malformed { .. })),
            "{value}"
        );
        assert!(
            matches!(one(Header::Repr, &[&value]), Err(DigestError::Malformed { .. })),
            "{value}"
        );
    }
    let long = "x".repeat(100_000);
    let error = one(Header::Digest, &[&long]).unwrap_err();
    assert!(error.to_string().len() < 300, "a long header is not quoted whole");
}

#[test]
fn headers_that_disagree_are_a_conflict_wherever_they_stand() {
    let good = format!("sha-256={HEX}");
    let bad = format!("sha-256={}", other().hex());
    let both = format!("{good},{bad}");
    assert!(matches!(
        one(Header::Digest, &[&both]),
        Err(DigestError::Conflict { .. })
    ));
    assert!(matches!(
        one(Header::Digest, &[&good, &bad]),
        Err(DigestError::Conflict { .. })
    ));
    assert_eq!(one(Header::Digest, &[&good, &good]), Ok(Some((hello(), "Digest"))));

    let content = format!("sha-256=:{BASE64}:");
    let etag = format!(r#"W/"sha-256:{}""#, other().hex());
    let headers = DigestHeaders {
        digest: vec![&bad],
        content_digest: vec![&content],
        ..DigestHeaders::default()
    };
    match announced(&headers).unwrap_err() {
        DigestError::Conflict {
            first,
            first_from,
            second,
            second_from,
        } => {
            assert_eq!((first, first_from), (other(), "Digest"));
            assert_eq!((second, second_from), (hello(), "Content-Digest"));
        }
        unexpected @ DigestError::Malformed { .. } => panic!("{unexpected}"),
    }
    let headers = DigestHeaders {
        repr_digest: vec![&content],
        etag: Some(&etag),
        ..DigestHeaders::default()
    };
    assert!(matches!(
        announced(&headers),
        Err(DigestError::Conflict {
            second_from: "ETag",
            ..
        })
    ));
}

#[test]
fn the_digest_inside_an_etag() {
    for etag in [
        format!(r#"W/"sha-256:{HEX}""#),
        format!(r#""sha-256:{HEX}""#),
        format!(r#""sha256:{HEX}""#),
        format!(r#"w/"SHA-256:{}""#, HEX.to_uppercase()),
        format!(r#" W/"sha-256:{HEX}" "#),
    ] {
        assert_eq!(from_etag(&etag), Some(hello()), "{etag}");
    }
    for etag in ["", "\"", "W/", r#""abc""#, r#"W/"sha-256:""#, r#""md5:00""#, HEX] {
        assert_eq!(from_etag(etag), None, "{etag}");
    }
    let bare = format!("sha-256:{HEX}");
    assert_eq!(from_etag(&bare), None, "an ETag has quotes");
}

#[test]
fn the_value_type_reads_both_texts_and_writes_one() {
    for text in [HEX.to_owned(), format!("sha256:{HEX}"), HEX.to_uppercase()] {
        assert_eq!(text.parse::<Sha256Digest>().unwrap(), hello(), "{text}");
    }
    assert_eq!(hello().to_string(), format!("sha256:{HEX}"));
    assert_eq!(hello().short(), &HEX[..12]);
    assert_eq!(serde_json::to_string(&hello()).unwrap(), format!("\"sha256:{HEX}\""));
    assert_eq!(
        serde_json::from_str::<Sha256Digest>(&format!("\"{HEX}\"")).unwrap(),
        hello()
    );
    for text in [
        "",
        "sha256:",
        "sha512:00",
        &HEX[1..],
        &format!("sha256:sha256:{HEX}"),
        &format!("{HEX}0"),
    ] {
        assert!(text.parse::<Sha256Digest>().is_err(), "{text}");
    }
}

#[test]
fn the_buffer_stops_at_its_limit_and_keeps_what_it_has() {
    let mut buffer = HashingBuffer::new(5);
    buffer.push(b"hel").unwrap();
    let error = buffer.push(b"low").unwrap_err();
    assert_eq!(error.limit, 5);
    assert_eq!(buffer.len(), 3);
    buffer.push(b"lo").unwrap();
    assert!(buffer.push(b"!").is_err());
    buffer.push(b"").unwrap();
    let pack = buffer.finish();
    assert_eq!((pack.digest(), pack.bytes().as_ref()), (hello(), b"hello".as_slice()));
    // An announced length is a hint: neither more nor less than that is trusted or reserved.
    let mut hinted = HashingBuffer::with_expected(5, Some(u64::MAX));
    hinted.push(b"hello").unwrap();
    assert_eq!(hinted.finish(), pack);
}

#[test]
fn bytes_are_held_to_what_was_announced() {
    let pack = PackBytes::new(Bytes::from_static(b"hello"));
    let value = format!("sha-256={HEX}");
    let stated = announced(&DigestHeaders {
        digest: vec![&value],
        ..DigestHeaders::default()
    })
    .unwrap();
    pack.check_announced(stated.as_ref()).unwrap();
    pack.check_announced(None).unwrap();
    let cut = PackBytes::new(Bytes::from_static(b"hell"));
    let refused = cut.check_announced(stated.as_ref()).unwrap_err();
    assert_eq!(refused.reason(), Reason::DigestMismatch);
    assert!(
        refused.to_string().contains("over 4 bytes") && refused.to_string().contains("Digest"),
        "{refused}"
    );
}

#[test]
fn reasons_are_closed_unique_and_spelled_alike() {
    let mut names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    for reason in Reason::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        assert!(
            reason
                .as_str()
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        );
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_do_not_matter(data in proptest::collection::vec(any::<u8>(), 0..500), size in 1_usize..50) {
        let mut buffer = HashingBuffer::new(data.len());
        for chunk in data.chunks(size) {
            buffer.push(chunk).unwrap();
        }
        prop_assert_eq!(buffer.finish(), PackBytes::new(data.into()));
    }

    #[test]
    fn no_header_text_panics_or_lies(text in ".{0,120}") {
        for header in [Header::Digest, Header::Content, Header::Repr] {
            if let Ok(Some((found, _))) = one(header, &[&text]) {
                use base64::Engine as _;
                let base64 = base64::engine::general_purpose::STANDARD.encode(found.as_bytes());
                prop_assert!(text.to_lowercase().contains(&found.hex()) || text.contains(&base64));
            }
        }
        let _ = from_etag(&text);
    }
}
