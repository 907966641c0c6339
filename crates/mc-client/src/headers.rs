//! Owns the headers of a pack: what MC says about the bytes, as it says it, and which of it belongs together.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

use crate::client::Attestation;

const DIGEST: HeaderName = HeaderName::from_static("digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const COSIGN_BUNDLE: HeaderName = HeaderName::from_static("x-cosign-bundle");

/// What is known of the pack that the caller has, to be compared by MC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The `ETag` as it was received, with `W/` and quotes.
    pub etag: Option<String>,
    /// `Last-Modified` as it was received. Sent only when there is no `ETag`: it knows only whole seconds, so two packs
    /// of one second look the same by it.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Nothing is known: MC sends the pack.
    pub fn none() -> Self {
        Self::default()
    }

    /// The one header to send. A validator that cannot be a header value is as good as none: the pack is sent whole.
    pub(crate) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let usable = |value: &Option<String>| value.as_deref().and_then(|value| HeaderValue::from_str(value).ok());
        usable(&self.etag)
            .map(|value| (header::IF_NONE_MATCH, value))
            .or_else(|| usable(&self.last_modified).map(|value| (header::IF_MODIFIED_SINCE, value)))
    }
}

/// The headers of a pack. Digest headers are passed on as they came; a header that came several times is there several
/// times, so that a contradiction is seen by the one who checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackHeaders {
    /// `ETag`, with `W/` and quotes.
    pub etag: Option<String>,
    /// `Last-Modified`, an HTTP date.
    pub last_modified: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Length` in bytes.
    pub content_length: Option<u64>,
    /// `Digest` (RFC 3230; MC sends hex).
    pub digest: Vec<String>,
    /// `Content-Digest` (RFC 9530).
    pub content_digest: Vec<String>,
    /// `Repr-Digest` (RFC 9530).
    pub repr_digest: Vec<String>,
    /// `X-Cosign-Bundle`: the attestation, sent along.
    pub inline_bundle: Option<Bytes>,
}

impl PackHeaders {
    /// Reads the headers; the error says which of them is unusable.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, String> {
        Ok(Self {
            etag: one(headers, &header::ETAG)?,
            last_modified: one(headers, &header::LAST_MODIFIED)?,
            content_type: one(headers, &header::CONTENT_TYPE)?,
            content_length: one(headers, &header::CONTENT_LENGTH)?
                .map(|text| {
                    text.trim()
                        .parse()
                        .map_err(|_| "Content-Length is no number".to_owned())
                })
                .transpose()?,
            digest: all(headers, &DIGEST)?,
            content_digest: all(headers, &CONTENT_DIGEST)?,
            repr_digest: all(headers, &REPR_DIGEST)?,
            inline_bundle: headers
                .get(&COSIGN_BUNDLE)
                .map(HeaderValue::as_bytes)
                .filter(|bundle| !bundle.trim_ascii().is_empty())
                .map(Bytes::copy_from_slice),
        })
    }

    /// What to send with the next request, if this pack is kept.
    pub fn validators(&self) -> Validators {
        Validators {
            etag: self.etag.clone(),
            last_modified: self.last_modified.clone(),
        }
    }
}

pub(crate) fn one(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, String> {
    headers.get(name).map(|value| text(name, value)).transpose()
}

fn all(headers: &HeaderMap, name: &HeaderName) -> Result<Vec<String>, String> {
    headers.get_all(name).iter().map(|value| text(name, value)).collect()
}

fn text(name: &HeaderName, value: &HeaderValue) -> Result<String, String> {
    value
        .to_str()
        .map(str::to_owned)
        .map_err(|_| format!("the header {name} is not visible ASCII"))
}

/// Whether an attestation was served for the pack that was served before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// The same `ETag`.
    Matches,
    /// One of them has none.
    Unknown,
    /// Different: MC published in between. Fetch both again, once.
    Raced,
}

/// Compares the `ETag`s of a pack and of an attestation, weakly (RFC 9110, 8.8.3.2).
///
/// It saves a signature check that must fail; it proves nothing. Whether the bundle is for the bytes says the signature.
pub fn pairing(pack: &PackHeaders, attestation: &Attestation) -> Pairing {
    match (&pack.etag, &attestation.etag) {
        (Some(pack), Some(attestation)) if opaque(pack) == opaque(attestation) => Pairing::Matches,
        (Some(_), Some(_)) => Pairing::Raced,
        _ => Pairing::Unknown,
    }
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digest_header_is_kept() {
        let mut headers = HeaderMap::new();
        headers.append(DIGEST, HeaderValue::from_static("sha-256=aa"));
        headers.append(DIGEST, HeaderValue::from_static("sha-256=bb"));
        headers.append(CONTENT_DIGEST, HeaderValue::from_static("sha-256=:YQ==:"));
        headers.append(COSIGN_BUNDLE, HeaderValue::from_static(" "));
        let read = PackHeaders::read(&headers).unwrap();
        assert_eq!(read.digest, ["sha-256=aa", "sha-256=bb"]);
        assert_eq!(read.content_digest, ["sha-256=:YQ==:"]);
        assert_eq!(read.inline_bundle, None, "an empty header is no bundle");
    }

    #[test]
    fn an_unreadable_digest_is_not_passed_over() {
        let headers = HeaderMap::from_iter([(DIGEST, HeaderValue::from_bytes(b"sha-256=\xff").unwrap())]);
        assert!(PackHeaders::read(&headers).unwrap_err().contains("digest"));
    }

    #[test]
    fn the_tag_goes_before_the_date_and_garbage_is_not_sent() {
        let validators = |etag: Option<&str>, date: Option<&str>| Validators {
            etag: etag.map(str::to_owned),
            last_modified: date.map(str::to_owned),
        };
        let name = |validators: Validators| validators.header().map(|(name, _)| name);
        assert_eq!(
            name(validators(Some("W/\"a\""), Some("date"))),
            Some(header::IF_NONE_MATCH)
        );
        assert_eq!(name(validators(None, Some("date"))), Some(header::IF_MODIFIED_SINCE));
        assert_eq!(name(validators(Some("a\nb"), None)), None);
        assert_eq!(name(Validators::none()), None);
    }

    #[test]
    fn pairs_are_told_by_their_tags() {
        let pack = |etag: Option<&str>| PackHeaders {
            etag: etag.map(str::to_owned),
            ..PackHeaders::default()
        };
        let attestation = |etag: Option<&str>| Attestation {
            etag: etag.map(str::to_owned),
            body: Bytes::new(),
        };
        for (left, right, expected) in [
            (Some("W/\"a\""), Some("W/\"a\""), Pairing::Matches),
            (Some("W/\"a\""), Some("\"a\""), Pairing::Matches),
            (Some("W/\"a\""), Some("W/\"b\""), Pairing::Raced),
            (None, Some("W/\"b\""), Pairing::Unknown),
            (Some("W/\"a\""), None, Pairing::Unknown),
        ] {
            assert_eq!(pairing(&pack(left), &attestation(right)), expected);
        }
    }
}
