//! Each endpoint: what is sent, and what OPA's recorded answers mean.

use opa_client::{HealthScope, OpaError, PatchOp, QueryOptions};
use serde_json::json;
use wiremock::matchers::{body_string, header, method, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{TOKEN, client_at, path, raw};

fn json_text(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body.to_owned(), "application/json")
}

async fn answering(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(response)
        .mount(&server)
        .await;
    server
}

async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

fn target(request: &Request) -> String {
    let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{} {}{query}", request.method, request.url.path())
}

#[tokio::test]
async fn a_policy_is_put_as_it_is_under_an_encoded_id() {
    let server = answering(json_text(200, "{}")).await;
    let rego = "package a\n# größer ✓\n";
    client_at(&server.uri(), Some(TOKEN))
        .put_policy("pack/a b?#%2F.rego", rego)
        .await
        .unwrap();
    let request = only_request(&server).await;
    assert_eq!(target(&request), "PUT /v1/policies/pack%2Fa%20b%3F%23%252F.rego");
    assert_eq!(request.body, rego.as_bytes());
    assert_eq!(request.headers["content-type"], "text/plain");
    assert_eq!(request.headers["content-length"], rego.len().to_string());
    assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"));
}

#[tokio::test]
async fn a_base_with_a_path_keeps_it_and_its_query_is_dropped() {
    let server = answering(json_text(200, "{}")).await;
    for base in ["/opa", "/opa/", "/opa?x=1#y"] {
        client_at(&format!("{}{base}", server.uri()), None)
            .health(HealthScope::Live)
            .await
            .unwrap();
    }
    for request in server.received_requests().await.unwrap() {
        assert_eq!(target(&request), "GET /opa/health");
        assert!(!request.headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn ids_that_a_url_would_lose_are_refused_before_a_request() {
    let server = answering(json_text(200, "{}")).await;
    let opa = client_at(&server.uri(), None);
    for id in ["", ".", ".."] {
        assert!(
            matches!(opa.put_policy(id, "package a").await, Err(OpaError::BadPolicyId { .. })),
            "{id}"
        );
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn policies_are_listed_without_their_trees() {
    let server = answering(json_text(
        200,
        r#"{"result":[{"id":"a/b.rego","raw":"package a\n","ast":{"package":{"path":[{"type":"var","value":"data"}]}}}]}"#,
    ))
    .await;
    let policies = client_at(&server.uri(), None).list_policies().await.unwrap();
    assert_eq!(policies.len(), 1);
    assert_eq!(
        (policies[0].id.as_str(), policies[0].raw.as_str()),
        ("a/b.rego", "package a\n")
    );
}

#[tokio::test]
async fn nothing_there_is_an_answer_for_get_and_delete() {
    let server = answering(json_text(
        404,
        r#"{"code":"resource_not_found","message":"storage_not_found_error: policy id \"nope\""}"#,
    ))
    .await;
    let opa = client_at(&server.uri(), None);
    assert_eq!(opa.get_policy("nope").await.unwrap(), None);
    assert!(!opa.delete_policy("nope").await.unwrap());
    assert!(!opa.delete_data(&path("nope")).await.unwrap());
    let missing_parent = opa
        .patch_data(&[PatchOp::add(&path("a/b"), raw("1"))])
        .await
        .unwrap_err();
    assert!(
        matches!(missing_parent, OpaError::NotFound { .. }),
        "{missing_parent:?}"
    );
}

#[tokio::test]
async fn deleting_what_others_need_names_them() {
    let server = answering(json_text(
        400,
        r#"{"code":"invalid_operation","message":"error(s) occurred while compiling module(s)","errors":[
            {"code":"rego_type_error","message":"undefined function data.a.f","location":{"file":"c.rego","row":2,"col":6}}]}"#,
    ))
    .await;
    let error = client_at(&server.uri(), None)
        .delete_policy("a/b.rego")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "still_needed");
    assert_eq!(
        error.to_string(),
        "OPA cannot delete policy `a/b.rego` because others need it: c.rego:2:6: undefined function data.a.f (rego_type_error)"
    );
}

#[tokio::test]
async fn a_patch_is_one_request_with_the_values_untouched() {
    let server = answering(ResponseTemplate::new(204)).await;
    let operations = [
        PatchOp::add(&path("cos"), raw("{\"retention\": {\"days\": 1.50e2}}")),
        PatchOp::remove(&path("cos/old")),
    ];
    client_at(&server.uri(), None).patch_data(&operations).await.unwrap();
    let request = only_request(&server).await;
    let body =
        r#"[{"op":"add","path":"/cos","value":{"retention": {"days": 1.50e2}}},{"op":"remove","path":"/cos/old"}]"#;
    assert_eq!(target(&request), "PATCH /v1/data");
    assert_eq!(String::from_utf8(request.body.clone()).unwrap(), body);
    assert_eq!(request.headers["content-length"], body.len().to_string());
    assert_eq!(request.headers["content-type"], "application/json");
}

#[tokio::test]
async fn creating_leaves_alone_what_is_there() {
    let server = MockServer::start().await;
    Mock::given(method("PUT"))
        .and(header("if-none-match", "*"))
        .respond_with(ResponseTemplate::new(204))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(method("PUT"))
        .and(header("if-none-match", "*"))
        .respond_with(ResponseTemplate::new(304))
        .mount(&server)
        .await;
    let opa = client_at(&server.uri(), None);
    assert!(opa.create_data(&path("n/m"), raw("{}")).await.unwrap());
    assert!(!opa.create_data(&path("n/m"), raw("{}")).await.unwrap());
}

#[tokio::test]
async fn data_is_read_and_written_at_encoded_paths() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(json_text(200, r#"{"result":{"a":1}}"#))
        .mount(&server)
        .await;
    Mock::given(method("PUT"))
        .and(body_string("[1]"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    Mock::given(method("DELETE"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let opa = client_at(&server.uri(), None);
    let odd = opa_client::DataPath::new(["cos", "ret/x y", "ä%"]).unwrap();
    assert_eq!(opa.get_data(&odd).await.unwrap(), Some(json!({"a": 1})));
    opa.put_data(&odd, raw("[1]")).await.unwrap();
    assert!(opa.delete_data(&odd).await.unwrap());
    for request in server.received_requests().await.unwrap() {
        assert_eq!(request.url.path(), "/v1/data/cos/ret%2Fx%20y/%C3%A4%25");
    }
}

#[tokio::test]
async fn a_document_that_is_not_there_is_none_but_null_is_a_value() {
    let server = answering(json_text(200, "{}")).await;
    let opa = client_at(&server.uri(), None);
    assert_eq!(opa.get_data(&path("none")).await.unwrap(), None);
    assert_eq!(
        opa.query(&path("none"), None, QueryOptions::default())
            .await
            .unwrap()
            .result,
        None
    );
    let server = answering(json_text(200, r#"{"result":null}"#)).await;
    let decision = client_at(&server.uri(), None)
        .query(&path("none"), None, QueryOptions::default())
        .await
        .unwrap();
    assert_eq!(decision.result, Some(json!(null)));
}

#[tokio::test]
async fn a_decision_carries_what_it_was_made_by() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(query_param("provenance", "true"))
        .and(query_param("metrics", "true"))
        .and(body_string(r#"{"input":{"subject":{"tenant":"a"}}}"#))
        .and(header("content-type", "application/json"))
        .respond_with(json_text(
            200,
            r#"{"decision_id":"19fd3050","provenance":{"version":"1.22.2","build_commit":"","bundles":{"policy":{"revision":"r1"}}},
                "metrics":{"timer_rego_query_eval_ns":98798},"result":true}"#,
        ))
        .mount(&server)
        .await;
    let options = QueryOptions {
        provenance: true,
        metrics: true,
        instrument: false,
    };
    let input = json!({"subject": {"tenant": "a"}});
    let decision = client_at(&server.uri(), None)
        .query(&path("cos/abac/allow"), Some(&input), options)
        .await
        .unwrap();
    assert_eq!(decision.result, Some(json!(true)));
    assert_eq!(decision.decision_id.as_deref(), Some("19fd3050"));
    let provenance = decision.provenance.unwrap();
    assert_eq!(
        (
            provenance.version.as_str(),
            provenance.bundles["policy"].revision.as_str()
        ),
        ("1.22.2", "r1")
    );
    assert_eq!(decision.metrics.unwrap()["timer_rego_query_eval_ns"], 98798);
}

#[tokio::test]
async fn health_asks_for_its_scope() {
    let server = answering(json_text(500, r#"{"error":"one or more plugins are not up"}"#)).await;
    let opa = client_at(&server.uri(), None);
    for scope in [HealthScope::Live, HealthScope::Bundles, HealthScope::Plugins] {
        let error = opa.health(scope).await.unwrap_err();
        assert!(matches!(&error, OpaError::Unhealthy { message } if message == "one or more plugins are not up"));
    }
    let targets: Vec<String> = server.received_requests().await.unwrap().iter().map(target).collect();
    assert_eq!(targets, ["GET /health", "GET /health?bundles", "GET /health?plugins"]);
}

#[tokio::test]
async fn the_configuration_is_the_result_itself() {
    let server = answering(json_text(200, r#"{"result":{"labels":{"id":"x"}}}"#)).await;
    assert_eq!(
        client_at(&server.uri(), None).config().await.unwrap(),
        json!({"labels": {"id": "x"}})
    );
}
