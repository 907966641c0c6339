//! What a person reads, from real answers.

use mc_client::Validators;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{PATH, for_mock};

async fn message(response: ResponseTemplate) -> String {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(response).mount(&server).await;
    let error = for_mock(&server).pack(&Validators::none()).await.unwrap_err();
    error
        .to_string()
        .replace(&server.uri(), "http://mc")
        .replace(PATH, "/pack")
}

#[tokio::test]
async fn errors_name_the_request_and_quote_what_mc_says_without_its_control_characters() {
    let json = |status, body: &str| ResponseTemplate::new(status).set_body_raw(body, "application/json");
    for (response, expected) in [
        (
            json(401, r#"{"error":"unauthorized"}"#),
            "MC refused the token: status 401 Unauthorized, saying \"unauthorized\"; none was sent, set MC_TOKEN or \
             MC_TOKEN_FILE (GET http://mc/pack)",
        ),
        (
            json(404, r#"{"error":"unknown pack"}"#),
            "MC does not know this pack, saying \"unknown pack\"; check the pack URL (GET http://mc/pack)",
        ),
        (
            json(503, r#"{"error":"pack not built yet"}"#),
            "MC has not built the pack yet (GET http://mc/pack)",
        ),
        (
            json(500, "{\"error\":\"disk\\u001b[2J\\r\\nERROR full\"}"),
            "MC answered with status 500 Internal Server Error, saying \"disk[2JERROR full\" (GET http://mc/pack)",
        ),
        (
            ResponseTemplate::new(200).set_body_raw("<html>", "text/html; charset=utf-8"),
            "expected a pack or its attestation, found text/html; charset=utf-8; is this the URL of MC? \
             (GET http://mc/pack)",
        ),
        (
            ResponseTemplate::new(302).insert_header("location", "https://sso.example.com/login?ticket=1"),
            "MC redirects to sso.example.com/login, which is not followed; give the URL of MC itself \
             (GET http://mc/pack)",
        ),
    ] {
        assert_eq!(message(response).await, expected);
    }
}
