//! `Authorization: Bearer <token>` in front of endpoints that change something (RFC 6750).

use crate::secret::SecretSource;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

/// Lets only requests with the right token reach `router`: 401 otherwise, and 503 when the token file cannot be read
/// (closed, never open, in doubt). The comparison takes constant time.
pub fn require_bearer(router: Router, token: SecretSource) -> Router {
    router.layer(middleware::from_fn(move |request, next| {
        check(token.clone(), request, next)
    }))
}

async fn check(token: SecretSource, request: Request, next: Next) -> Response {
    // Read before looking at the request, so that both kinds of refusal take the same way.
    let expected = match token.get().await {
        Ok(expected) => expected,
        Err(error) => {
            tracing::error!(error = %error, "cannot check a request's token");
            return (StatusCode::SERVICE_UNAVAILABLE, "the token cannot be checked now\n").into_response();
        }
    };
    match bearer(request.headers()) {
        Some(given) if expected.matches(given) => next.run(request).await,
        given => refuse(given.is_some()),
    }
}

/// The token of exactly one `Authorization` header; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?.as_bytes(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

fn refuse(token_given: bool) -> Response {
    let challenge = if token_given {
        "Bearer realm=\"admin\", error=\"invalid_token\""
    } else {
        "Bearer realm=\"admin\""
    };
    (
        StatusCode::UNAUTHORIZED,
        [(header::WWW_AUTHENTICATE, challenge)],
        "a bearer token is needed\n",
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<Vec<u8>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().expect("header"));
        }
        bearer(&headers).map(<[u8]>::to_vec)
    }

    #[test]
    fn reads_exactly_one_bearer_token() {
        assert_eq!(read(&["Bearer abc"]), Some(b"abc".to_vec()));
        assert_eq!(read(&["bearer  abc"]), Some(b"abc".to_vec()));
        assert_eq!(read(&["Basic abc"]), None);
        assert_eq!(read(&["Bearer"]), None);
        assert_eq!(read(&["Bearer abc", "Bearer abc"]), None);
        assert_eq!(read(&[]), None);
    }
}
