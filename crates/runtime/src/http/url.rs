//! URLs of services: what is accepted, and how one is shown without its secrets.

use url::Url;

/// Why a text is not the URL of a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Nothing there.
    #[error("expected a URL that starts with http:// or https://, found nothing")]
    Empty,
    /// No scheme, or a wrong one.
    #[error("expected a URL that starts with http:// or https://, found {found:?}{hint}")]
    Scheme {
        /// What was given, without user info and query.
        found: String,
        /// A suggestion, or nothing.
        hint: String,
    },
    /// Not a URL at all.
    #[error("cannot read the URL {found:?}")]
    Malformed {
        /// What was given, without user info and query.
        found: String,
        /// What the parser said.
        #[source]
        source: url::ParseError,
    },
}

/// The URL of a service: http or https, with a host. A fragment is dropped.
///
/// # Errors
/// It is no URL, or has another scheme; the error shows what was found, without secrets.
pub fn parse_base_url(text: &str) -> Result<Url, UrlError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UrlError::Empty);
    }
    let found = || redact_text(text);
    match Url::parse(text) {
        Ok(mut url) if matches!(url.scheme(), "http" | "https") => {
            url.set_fragment(None);
            Ok(url)
        }
        // `opa:8181` parses as the scheme "opa"; `ftp://host` is meant as it is written.
        Ok(_) if text.contains("://") => Err(UrlError::Scheme {
            found: found(),
            hint: String::new(),
        }),
        Ok(_) | Err(url::ParseError::RelativeUrlWithoutBase) => Err(UrlError::Scheme {
            hint: format!("; did you mean http://{}?", found()),
            found: found(),
        }),
        Err(source) => Err(UrlError::Malformed { found: found(), source }),
    }
}

/// The URL for logs and errors: no user info, no query values, no fragment.
pub fn redact(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only for URLs without a host, which have no user info.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    let mut text = shown.to_string();
    if let Some(query) = url.query() {
        text.push('?');
        text.push_str(&redact_query(query));
    }
    text
}

/// Names stay, they help; values go. A part without `=` may be a secret as a whole.
fn redact_query(query: &str) -> String {
    let parts = query.split('&').map(|part| match part.split_once('=') {
        Some((name, _)) => format!("{name}=[redacted]"),
        None => "[redacted]".to_owned(),
    });
    parts.collect::<Vec<_>>().join("&")
}

/// The same for a text that does not parse.
fn redact_text(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = text
        .split_once("://")
        .map_or(("", text), |(scheme, rest)| (scheme, rest));
    let end_of_authority = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end_of_authority);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if scheme.is_empty() {
        format!("{host}{path}")
    } else {
        format!("{scheme}://{host}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_and_https_are_urls_of_services() {
        for (text, expected) in [
            ("http://127.0.0.1:8181", "http://127.0.0.1:8181/"),
            ("  https://mc.example.com/v1#part ", "https://mc.example.com/v1"),
            ("HTTP://[::1]:80/x", "http://[::1]/x"),
        ] {
            assert_eq!(parse_base_url(text).expect(text).as_str(), expected);
        }
    }

    #[test]
    fn everything_else_is_explained() {
        let message = |text: &str| parse_base_url(text).expect_err(text).to_string();
        assert_eq!(
            message(" "),
            "expected a URL that starts with http:// or https://, found nothing"
        );
        assert_eq!(
            message("opa:8181"),
            "expected a URL that starts with http:// or https://, found \"opa:8181\"; did you mean http://opa:8181?"
        );
        assert_eq!(
            message("localhost/v1"),
            "expected a URL that starts with http:// or https://, found \"localhost/v1\"; did you mean http://localhost/v1?"
        );
        assert_eq!(
            message("ftp://host/x"),
            "expected a URL that starts with http:// or https://, found \"ftp://host/x\""
        );
        assert_eq!(message("http://"), "cannot read the URL \"http://\"");
        assert_eq!(
            message("http://host:99999/"),
            "cannot read the URL \"http://host:99999/\""
        );
    }

    #[test]
    fn secrets_are_never_shown() {
        for text in [
            "ftp://user:hunter2@host/x?t=hunter2",
            "user:hunter2@host:1?hunter2",
            "http://u:hunter2@ho st/",
        ] {
            let error = parse_base_url(text).expect_err(text);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        let url = Url::parse("https://user:hunter2@mc.example.com:8443/a/b?token=hunter2&x&y=#hunter2").expect("URL");
        assert_eq!(
            redact(&url),
            "https://mc.example.com:8443/a/b?token=[redacted]&[redacted]&y=[redacted]"
        );
        assert_eq!(redact(&Url::parse("http://opa:8181").expect("URL")), "http://opa:8181/");
    }
}
