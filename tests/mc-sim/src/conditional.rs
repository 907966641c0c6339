//! Owns the decision "304 or 200" (RFC 9110, sections 13.1.2 and 13.1.3). No I/O.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, header};

/// Whether the request's validators say that the client has the current content already.
///
/// `tags` are all tags under which the current content has been served. `If-Modified-Since` counts only without
/// `If-None-Match`, and only to the second, as HTTP dates do.
pub(crate) fn not_modified(headers: &HeaderMap, tags: &[&str], last_modified: SystemTime) -> bool {
    let mut sent = headers.get_all(header::IF_NONE_MATCH).iter().peekable();
    if sent.peek().is_some() {
        return sent
            .filter_map(|value| value.to_str().ok())
            .any(|list| list_matches(list, tags));
    }
    headers
        .get(header::IF_MODIFIED_SINCE)
        .and_then(|value| value.to_str().ok())
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .is_some_and(|since| whole_seconds(last_modified) <= since)
}

/// HTTP dates know no fractions.
pub(crate) fn whole_seconds(time: SystemTime) -> SystemTime {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn list_matches(list: &str, tags: &[&str]) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tags.iter().any(|known| opaque(known) == opaque(tag)))
}

/// The weak comparison of RFC 9110: the `W/` does not count.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn ask(name: header::HeaderName, value: &'static str, modified: SystemTime) -> bool {
        let headers = HeaderMap::from_iter([(name, http::HeaderValue::from_static(value))]);
        not_modified(&headers, &[r#"W/"a""#, r#"W/"b""#], modified)
    }

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        for (value, expected) in [
            (r#"W/"a""#, true),
            (r#""a""#, true),
            (r#""x", W/"b""#, true),
            ("*", true),
            (r#"W/"x""#, false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(ask(header::IF_NONE_MATCH, value, UNIX_EPOCH), expected, "{value}");
        }
    }

    #[test]
    fn dates_are_compared_to_the_second() {
        let date = httpdate::parse_http_date(DATE).unwrap();
        assert!(ask(header::IF_MODIFIED_SINCE, DATE, date + Duration::from_millis(999)));
        assert!(!ask(header::IF_MODIFIED_SINCE, DATE, date + Duration::from_secs(1)));
        assert!(!ask(header::IF_MODIFIED_SINCE, "yesterday", date));
    }

    #[test]
    fn a_tag_outweighs_a_date() {
        let date = httpdate::parse_http_date(DATE).unwrap();
        let headers = HeaderMap::from_iter([
            (header::IF_NONE_MATCH, http::HeaderValue::from_static(r#"W/"x""#)),
            (header::IF_MODIFIED_SINCE, http::HeaderValue::from_static(DATE)),
        ]);
        assert!(!not_modified(&headers, &[r#"W/"a""#], date));
    }
}
