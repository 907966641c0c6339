//! Owns the control endpoint: publishing packs and evidence and switching faults on and off from outside, for demos and by hand.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post, put};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::fault::FaultSpec;
use crate::graphql::evidence::Evidence;
use crate::reply::{error, json as reply};
use crate::requests::RequestRecord;
use crate::state::{Shared, sign};
use crate::store::Published;

/// Packs of the benchmarks are tens of MiB.
const LARGEST_PACK: usize = 256 << 20;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/control/packs", get(list))
        .route("/control/packs/{id}", post(publish).delete(withdraw))
        .route("/control/packs/{id}/staged", post(stage))
        .route("/control/packs/{id}/announce", put(announce))
        .route("/control/reload", post(reload))
        .route(
            "/control/evidence",
            get(evidence).post(publish_evidence).delete(clear_evidence),
        )
        .route("/control/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/control/requests", get(requests).delete(clear_requests))
        .layer(DefaultBodyLimit::max(LARGEST_PACK))
}

#[derive(Deserialize)]
struct PublishQuery {
    /// Whether the pack is signed; none: if there is a key.
    sign: Option<bool>,
}

async fn publish(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Query(query): Query<PublishQuery>,
    tar: Bytes,
) -> Response {
    match signed(&shared, &query, &tar) {
        Ok(published) => done(&json!({ "id": id, "digest": shared.publish(&id, published).to_string() })),
        Err(response) => response,
    }
}

async fn stage(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Query(query): Query<PublishQuery>,
    tar: Bytes,
) -> Response {
    match signed(&shared, &query, &tar) {
        Ok(published) => done(&json!({ "id": id, "digest": shared.stage(&id, published).to_string() })),
        Err(response) => response,
    }
}

#[expect(clippy::result_large_err, reason = "the error is the answer, made once and sent")]
fn signed(shared: &Shared, query: &PublishQuery, tar: &Bytes) -> Result<Published, Response> {
    let signer = shared.signer.as_ref();
    if query.sign == Some(true) && signer.is_none() {
        return Err(error(
            StatusCode::CONFLICT,
            "sign=true needs a key: start with --sign-key",
        ));
    }
    let signer = if query.sign == Some(false) { None } else { signer };
    sign(tar.to_vec(), signer).map_err(|cause| error(StatusCode::INTERNAL_SERVER_ERROR, &format!("{cause:#}")))
}

async fn withdraw(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    if shared.lock().store.withdraw(&id) {
        done(&json!({ "id": id }))
    } else {
        error(StatusCode::NOT_FOUND, "unknown pack")
    }
}

async fn announce(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    shared.lock().store.announce(&id);
    done(&json!({ "id": id }))
}

async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let state = shared.lock();
    let packs: Vec<Value> = state
        .store
        .ids()
        .into_iter()
        .map(|id| {
            let current = state.store.get(&id).and_then(|entry| entry.current);
            let signed = current.as_ref().is_some_and(|served| served.attestation.is_some());
            json!({ "id": id, "digest": current.map(|served| served.digest.to_string()), "signed": signed })
        })
        .collect();
    done(&json!({ "packs": packs }))
}

async fn reload(State(shared): State<Arc<Shared>>) -> Response {
    match shared.load_folder() {
        Ok(ids) => done(&json!({ "published": ids })),
        Err(cause) => error(StatusCode::INTERNAL_SERVER_ERROR, &format!("{cause:#}")),
    }
}

async fn evidence(State(shared): State<Arc<Shared>>) -> Response {
    done(&json!({ "evidence": shared.lock().evidence.list() }))
}

/// The body is the `EvidenceInput` of the contract.
async fn publish_evidence(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match serde_json::from_slice::<Evidence>(&body) {
        Ok(evidence) => {
            let bundle = shared.lock().evidence.publish(evidence, jiff::Timestamp::now());
            done(&json!(bundle))
        }
        Err(cause) => error(StatusCode::BAD_REQUEST, &format!("not evidence: {cause}")),
    }
}

async fn clear_evidence(State(shared): State<Arc<Shared>>) -> Response {
    shared.lock().evidence.clear();
    done(&json!({ "evidence": [] }))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    More(Vec<FaultSpec>),
    One(FaultSpec),
}

async fn add_faults(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let specs = match parse_faults(&body) {
        Ok(specs) => specs,
        Err(cause) => return error(StatusCode::BAD_REQUEST, &cause),
    };
    let mut state = shared.lock();
    for spec in specs {
        state.faults.add(spec);
    }
    done(&json!({ "faults": state.faults.list() }))
}

fn parse_faults(body: &[u8]) -> Result<Vec<FaultSpec>, String> {
    match serde_json::from_slice(body) {
        Ok(OneOrMore::More(specs)) => Ok(specs),
        Ok(OneOrMore::One(spec)) => Ok(vec![spec]),
        // The untagged enum says only that nothing fitted; asking for one fault says what is wrong with it.
        Err(_) => serde_json::from_slice::<FaultSpec>(body)
            .map(|spec| vec![spec])
            .map_err(|cause| {
                format!("not a fault: {cause}; expected for example {{\"fault\":\"latency\",\"ms\":200,\"count\":1}}")
            }),
    }
}

async fn faults(State(shared): State<Arc<Shared>>) -> Response {
    done(&json!({ "faults": shared.lock().faults.list() }))
}

async fn clear_faults(State(shared): State<Arc<Shared>>) -> Response {
    shared.lock().faults.clear();
    done(&json!({ "faults": [] }))
}

async fn requests(State(shared): State<Arc<Shared>>) -> Response {
    let state = shared.lock();
    let counts: Vec<Value> = state
        .requests
        .counts()
        .iter()
        .map(|((endpoint, status), count)| json!({ "endpoint": endpoint, "status": status, "count": count }))
        .collect();
    let records: Vec<Value> = state.requests.iter().map(|record| describe(record, &shared)).collect();
    done(&json!({ "counts": counts, "requests": records }))
}

fn describe(record: &RequestRecord, shared: &Shared) -> Value {
    let after = record.at.saturating_duration_since(shared.started);
    json!({
        "seq": record.seq,
        "after_ms": u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
        "method": record.method,
        "path": record.path,
        "endpoint": record.endpoint,
        "if_none_match": record.if_none_match,
        "if_modified_since": record.if_modified_since,
        "with_token": record.with_token,
        "operations": record.operations,
        "status": record.status,
        "faults": record.faults,
    })
}

async fn clear_requests(State(shared): State<Arc<Shared>>) -> Response {
    shared.record(crate::requests::Requests::clear);
    done(&json!({ "counts": [], "requests": [] }))
}

fn done(value: &Value) -> Response {
    reply(StatusCode::OK, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    #[test]
    fn one_fault_or_a_list_and_a_clear_word_about_anything_else() {
        assert_eq!(
            parse_faults(br#"{"fault":"html"}"#).unwrap(),
            [FaultSpec::from(Fault::Html)]
        );
        assert_eq!(
            parse_faults(br#"[{"fault":"html"},{"fault":"endless"}]"#)
                .unwrap()
                .len(),
            2
        );
        let error = parse_faults(br#"{"fault":"flood"}"#).unwrap_err();
        assert!(
            error.contains("unknown variant `flood`") && error.contains("latency"),
            "{error}"
        );
    }
}
