//! Evidence, as a plain GraphQL client meets it.

use mc_sim::{Endpoint, Evidence, Fault, Sim, SimConfig, Target};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{client, get, header};

const ASK: &str = "query($s: String!, $r: ID!) { evidenceOk(service: $s, releaseId: $r) { ok reasons \
                   snapshot { service p95Ms p99Ms errorRate window } cost { graphqlPerMillionUsd } } }";
const PUBLISH: &str = "mutation($input: EvidenceInput!) { publishEvidence(input: $input) { id releaseId createdAt \
                       slo { p95Ms } artifacts { type sha256 } cost __typename } }";

fn sim() -> Sim {
    let sim = Sim::start(SimConfig::default()).unwrap();
    sim.publish_evidence(Evidence::good("cos", "r1"));
    sim.publish_evidence(Evidence::bad("cos", "r2"));
    sim
}

async fn post(sim: &Sim, body: &Value) -> Response {
    let request = client()
        .post(sim.graphql_url())
        .header("content-type", "application/json");
    request.body(body.to_string()).send().await.unwrap()
}

async fn asked(sim: &Sim, query: &str, variables: Value) -> Value {
    let response = post(sim, &json!({ "query": query, "variables": variables })).await;
    assert_eq!(response.status(), 200);
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

async fn ok(sim: &Sim, release: &str) -> Value {
    asked(sim, ASK, json!({ "s": "cos", "r": release })).await
}

#[tokio::test]
async fn evidence_is_judged_by_mcs_budgets() {
    let sim = sim();
    assert_eq!(
        ok(&sim, "r1").await,
        json!({ "data": { "evidenceOk": {
            "ok": true,
            "reasons": [],
            "snapshot": { "service": "cos", "p95Ms": 210, "p99Ms": 320, "errorRate": 0.001, "window": "15m" },
            "cost": { "graphqlPerMillionUsd": 1.4 },
        } } })
    );
    let bad = ok(&sim, "r2").await;
    assert_eq!(bad["data"]["evidenceOk"]["ok"], false);
    assert_eq!(
        bad["data"]["evidenceOk"]["reasons"],
        json!([
            "p95 900 ms is over the budget of 350 ms",
            "error rate 0.05 is over the budget of 0.02"
        ])
    );
    let none = ok(&sim, "r3").await;
    assert_eq!(none["data"], Value::Null);
    assert_eq!(
        none["errors"][0]["message"],
        "no evidence for release r3 of service cos"
    );
    let records = sim.requests();
    assert_eq!(
        (records[0].endpoint, records[0].operations.as_slice()),
        (Endpoint::Graphql, &["evidenceOk".to_owned()][..])
    );
}

#[tokio::test]
async fn evidence_is_published_and_types_are_held_to() {
    let sim = sim();
    let mut input = json!({
        "releaseId": 7, "service": "cos", "artifacts": [{ "type": "image", "sha256": "ab" }],
        "slo": { "service": "cos", "p95Ms": 321, "errorRate": 0, "window": "15m" },
        "cost": { "graphqlPerMillionUsd": 1.5, "team": "kept" },
    });
    let told = asked(&sim, PUBLISH, json!({ "input": input })).await;
    let bundle = &told["data"]["publishEvidence"];
    assert_eq!(
        (&bundle["releaseId"], &bundle["slo"]),
        (&json!("7"), &json!({ "p95Ms": 321 })),
        "{told}"
    );
    assert_eq!(
        (&bundle["cost"]["team"], &bundle["__typename"]),
        (&json!("kept"), &json!("EvidenceBundle"))
    );
    assert!(bundle["createdAt"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!(sim.evidence().len(), 3);

    input["slo"]["p95Ms"] = json!(320.5);
    let refused = asked(&sim, PUBLISH, json!({ "input": input })).await;
    assert_eq!(
        refused["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
        "{refused}"
    );
    assert_eq!(sim.evidence().len(), 3, "nothing was stored");
}

#[tokio::test]
async fn what_is_no_question_of_the_schema_is_refused() {
    let sim = sim();
    let arguments = "(service: \"cos\", releaseId: \"r1\")";
    for (query, code) in [
        ("{".to_owned(), "GRAPHQL_PARSE_FAILED"),
        (
            format!("{{ evidenceOk{arguments} {{ createdAt }} }}"),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (format!("{{ evidenceOk{arguments} }}"), "GRAPHQL_VALIDATION_FAILED"),
        (
            format!("{{ evidenceOk{arguments} {{ ok {{ a }} }} }}"),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("{ evidenceOk { ok } }".to_owned(), "BAD_USER_INPUT"),
        (
            "query A { __typename } query B { __typename }".to_owned(),
            "OPERATION_RESOLUTION_FAILURE",
        ),
    ] {
        let told = asked(&sim, &query, json!({})).await;
        assert_eq!(told["errors"][0]["extensions"]["code"], code, "{query}: {told}");
    }
    let modern = client()
        .post(sim.graphql_url())
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json");
    let modern = modern.body(json!({ "query": "{" }).to_string()).send().await.unwrap();
    assert_eq!(modern.status(), 400);
    assert_eq!(
        header(&modern, "content-type"),
        Some("application/graphql-response+json")
    );
    assert_eq!(get(&sim, "/graphql").await.status(), 405);
    let form = client().post(sim.graphql_url()).body("query=x").send().await.unwrap();
    assert_eq!(form.status(), 415);
}

#[tokio::test]
async fn the_token_is_asked_for_here_too() {
    let sim = sim();
    sim.set_bearer(Some("t"));
    let body = json!({ "query": "{ __typename }" });
    assert_eq!(post(&sim, &body).await.status(), 401);
    let request = client()
        .post(sim.graphql_url())
        .bearer_auth("t")
        .header("content-type", "application/json");
    assert_eq!(request.body(body.to_string()).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn faults_meet_graphql_alone_and_as_often_as_they_are_told() {
    let sim = sim();
    sim.set_fault(Fault::NotYet.times(2));
    for expected in [Value::Null, Value::Null, json!(true)] {
        assert_eq!(
            ok(&sim, "r1")
                .await
                .pointer("/data/evidenceOk/ok")
                .cloned()
                .unwrap_or_default(),
            expected
        );
    }
    sim.set_fault(
        Fault::Status {
            code: 503,
            retry_after: Some(1),
        }
        .on(Target::Graphql),
    );
    assert_eq!(get(&sim, "/v1/policy/packs/none").await.status(), 404);
    assert_eq!(post(&sim, &json!({})).await.status(), 503);
    sim.clear_faults();
    sim.set_fault(Fault::EmptyBody { code: 204 }.times(1));
    assert_eq!(post(&sim, &json!({ "query": "{ __typename }" })).await.status(), 204);
    sim.set_fault(Fault::Cached { seconds: 31 }.times(1));
    assert_eq!(
        header(&post(&sim, &json!({ "query": "{ __typename }" })).await, "age"),
        Some("31")
    );
}

#[tokio::test]
async fn evidence_is_published_and_forgotten_from_outside() {
    let sim = Sim::start(SimConfig::default()).unwrap();
    let url = format!("{}/control/evidence", sim.url());
    let control = |method: Method, body: String| client().request(method, &url).body(body).send();
    let evidence = serde_json::to_string(&Evidence::good("cos", "r1")).unwrap();
    assert_eq!(control(Method::POST, evidence).await.unwrap().status(), 200);
    assert_eq!(ok(&sim, "r1").await["data"]["evidenceOk"]["ok"], true);
    assert_eq!(control(Method::POST, "{}".to_owned()).await.unwrap().status(), 400);
    assert_eq!(control(Method::DELETE, String::new()).await.unwrap().status(), 200);
    assert_eq!(ok(&sim, "r1").await["data"], Value::Null);
}
