//! Owns what a status means at MC's endpoints, and what may be quoted from an error's body. No I/O.

use http::StatusCode;
use url::Url;

/// MC's words when there is no pack yet.
const NOT_BUILT: &str = "pack not built yet";
/// MC's words when there is no attestation yet.
const NO_ATTESTATION: &str = "attestation not available";
/// No message of MC is longer; what is, is cut.
const LONGEST_DETAIL: usize = 200;

/// What a status says before the body is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Content,
    NotModified,
    /// 304 to a request that named nothing to compare with.
    SenselessNotModified,
    Redirect,
    Unauthorized,
    UnknownPack,
    Unavailable,
    Other,
}

pub(crate) fn outcome(status: StatusCode, conditional: bool) -> Outcome {
    match status.as_u16() {
        200 => Outcome::Content,
        304 if conditional => Outcome::NotModified,
        304 => Outcome::SenselessNotModified,
        300..=399 => Outcome::Redirect,
        401 | 403 => Outcome::Unauthorized,
        404 => Outcome::UnknownPack,
        503 => Outcome::Unavailable,
        _ => Outcome::Other,
    }
}

/// What a 503 is about: by MC's own words, because a load balancer answers 503 as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unavailable {
    NotBuilt,
    NoAttestation,
    Unknown,
}

pub(crate) fn unavailable(detail: Option<&str>) -> Unavailable {
    match detail {
        Some(NOT_BUILT) => Unavailable::NotBuilt,
        Some(NO_ATTESTATION) => Unavailable::NoAttestation,
        _ => Unavailable::Unknown,
    }
}

/// The message of an error body `{"error": "..."}`, fit to be quoted: one line, without control and direction characters.
/// A body that is something else (a proxy's HTML page) is not quoted.
pub(crate) fn detail(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct ErrorBody {
        error: String,
    }
    let ErrorBody { error } = serde_json::from_slice(body).ok()?;
    let text = fit_to_print(&error, LONGEST_DETAIL);
    (!text.is_empty()).then_some(text)
}

/// A text of MC's, fit to be printed: one line, at most `limit` characters, without control and direction characters.
pub(crate) fn fit_to_print(text: &str, limit: usize) -> String {
    let text: String = text.chars().filter(|c| !is_deceptive(*c)).take(limit).collect();
    text.trim().to_owned()
}

/// Characters that would let the other side write its own lines into a log, or turn the reading direction.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// Kinds of content that are certainly no pack and no bundle. Everything else is left to those who look at the bytes,
/// because packs are also served as `application/octet-stream` or without a type.
pub(crate) fn is_page(content_type: &str) -> bool {
    let media_type = media_type(content_type);
    media_type.starts_with("text/") || media_type == "application/xhtml+xml" || media_type == "application/xml"
}

/// JSON is no pack, but may be a bundle.
pub(crate) fn is_json(content_type: &str) -> bool {
    media_type(content_type) == "application/json"
}

/// The media type without its parameters, in lower case.
pub(crate) fn media_type(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Where a redirect points: host and path, for a person to read.
pub(crate) fn location(base: &Url, value: Option<&str>) -> String {
    let Some(value) = value else {
        return "nowhere (no Location)".to_owned();
    };
    let Ok(target) = base.join(value) else {
        return "a location that is no URL".to_owned();
    };
    let host = target.host_str().unwrap_or("no host");
    let port = target.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{host}{port}{}", target.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (status, conditional, expected) in [
            (200, false, Outcome::Content),
            (204, false, Outcome::Other),
            (206, false, Outcome::Other),
            (304, true, Outcome::NotModified),
            (304, false, Outcome::SenselessNotModified),
            (302, true, Outcome::Redirect),
            (308, true, Outcome::Redirect),
            (401, true, Outcome::Unauthorized),
            (403, true, Outcome::Unauthorized),
            (404, true, Outcome::UnknownPack),
            (503, true, Outcome::Unavailable),
            (429, true, Outcome::Other),
            (500, true, Outcome::Other),
        ] {
            assert_eq!(
                outcome(StatusCode::from_u16(status).unwrap(), conditional),
                expected,
                "{status}"
            );
        }
    }

    #[test]
    fn only_a_json_error_is_quoted_and_only_what_is_harmless_in_it() {
        assert_eq!(detail(br#"{"error":"unknown pack"}"#).as_deref(), Some("unknown pack"));
        assert_eq!(detail(b"<html>no</html>"), None);
        assert_eq!(detail(br#"{"error":"  "}"#), None);
        assert_eq!(detail(br#"{"error":{"code":1}}"#), None);
        let hostile = "{\"error\":\"a\\u001b[31m\\nINFO all is well\\u202e\"}";
        assert_eq!(detail(hostile.as_bytes()).as_deref(), Some("a[31mINFO all is well"));
        let long = format!("{{\"error\":\"{}\"}}", "x".repeat(5_000));
        assert_eq!(detail(long.as_bytes()).map(|text| text.len()), Some(LONGEST_DETAIL));
    }

    #[test]
    fn a_503_is_told_by_its_words() {
        assert_eq!(unavailable(Some("pack not built yet")), Unavailable::NotBuilt);
        assert_eq!(
            unavailable(Some("attestation not available")),
            Unavailable::NoAttestation
        );
        assert_eq!(unavailable(Some("upstream connect error")), Unavailable::Unknown);
        assert_eq!(unavailable(None), Unavailable::Unknown);
    }

    #[test]
    fn pages_are_no_packs() {
        for (content_type, page) in [
            ("text/html; charset=utf-8", true),
            ("TEXT/HTML", true),
            ("text/plain", true),
            ("application/xhtml+xml", true),
            ("application/vnd.intelgraph.policy+tar", false),
            ("application/x-tar", false),
            ("application/gzip", false),
            ("application/octet-stream", false),
            ("application/vnd.sigstore.bundle+json", false),
            ("", false),
        ] {
            assert_eq!(is_page(content_type), page, "{content_type}");
        }
        assert!(is_json("application/json;charset=utf-8") && !is_json("application/vnd.sigstore.bundle+json"));
    }

    #[test]
    fn a_location_is_told_without_secrets() {
        let base = Url::parse("https://mc.example.com/v1/policy/packs/p").unwrap();
        for (value, expected) in [
            (Some("/login?next=secret#x"), "mc.example.com/login"),
            (
                Some("https://user:pw@other.example.com:8443/a?token=s"),
                "other.example.com:8443/a",
            ),
            (Some("https://["), "a location that is no URL"),
            (None, "nowhere (no Location)"),
        ] {
            assert_eq!(location(&base, value), expected);
        }
    }
}
