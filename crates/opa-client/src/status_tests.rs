//! Posts as recorded from OPA 1.22.2 (histograms shortened).

use super::*;

fn post(bundle: &str) -> String {
    format!(
        r#"{{"labels":{{"id":"3db6ba62-8a38-4002-aac1-0c66d054965b","region":"eu","version":"1.22.2"}},
            "bundles":{{"policy":{bundle}}},
            "plugins":{{"bundle":{{"state":"OK"}},"discovery":{{"state":"OK"}},"status":{{"state":"OK"}}}},
            "metrics":{{"prometheus":{{"go_gc_duration_seconds":{{"metric":[{{"summary":{{"quantile":[{{"quantile":0,"value":1.9e-05}}]}}}}]}}}}}}}}"#
    )
}

const ACTIVE: &str = r#"{"name":"policy","active_revision":"r1","last_successful_activation":"2026-11-22T15:32:39.67888Z",
    "type":"snapshot","size":347,"last_successful_download":"2026-11-22T15:32:39.678201337Z",
    "last_successful_request":"2026-11-22T15:32:39.678201337Z","last_request":"2026-11-22T15:32:39.678201337Z",
    "metrics":{"timer_bundle_request_ns":1777585761,"timer_rego_module_parse_ns":233459}}"#;

fn bundle(text: &str) -> BundleStatus {
    let update = StatusUpdate::parse(post(text).as_bytes()).unwrap();
    update.bundles["policy"].clone()
}

#[test]
fn an_activation_names_its_revision_and_time() {
    let update = StatusUpdate::parse(post(ACTIVE).as_bytes()).unwrap();
    assert_eq!(update.opa_id(), Some("3db6ba62-8a38-4002-aac1-0c66d054965b"));
    assert_eq!(update.plugins["bundle"].state, "OK");
    let status = &update.bundles["policy"];
    assert_eq!(status.outcome(), BundleOutcome::Active { revision: "r1" });
    assert_eq!(
        status.last_successful_activation,
        Some("2026-11-22T15:32:39.67888Z".parse().unwrap())
    );
    assert_eq!((status.size, status.kind.as_deref()), (347, Some("snapshot")));
}

#[test]
fn a_refused_bundle_keeps_the_old_revision_and_says_where_the_fault_is() {
    let status = bundle(
        r#"{"name":"policy","active_revision":"r1","last_successful_activation":"2026-11-22T15:32:39.67888Z",
            "last_successful_download":"2026-11-22T15:32:54.23950364Z","last_request":"2026-11-22T15:32:54.23950364Z",
            "code":"bundle_error","message":"error(s) occurred while compiling module(s)",
            "errors":[{"code":"rego_compile_error","message":"conflicting rule for data path cos/abac/allow found",
                       "location":{"file":"opa/cos.abac.rego","row":5,"col":1}}]}"#,
    );
    let BundleOutcome::Refused { errors, .. } = status.outcome() else {
        panic!("{status:?}")
    };
    assert_eq!(
        errors[0].to_string(),
        "opa/cos.abac.rego:5:1: conflicting rule for data path cos/abac/allow found (rego_compile_error)"
    );
    assert_eq!(status.active_revision.as_deref(), Some("r1"));
    let outside = bundle(
        r#"{"name":"policy","code":"bundle_error","message":"manifest roots [cos] do not permit data at path '/other/ok'"}"#,
    );
    assert!(
        matches!(outside.outcome(), BundleOutcome::Refused { errors: [], .. }),
        "{outside:?}"
    );
}

#[test]
fn a_poll_that_got_nothing_is_no_refusal() {
    let unavailable = bundle(
        r#"{"name":"policy","active_revision":"r1","code":"bundle_error","message":"server replied with Service Unavailable","http_code":503}"#,
    );
    assert!(matches!(
        unavailable.outcome(),
        BundleOutcome::NotFetched {
            http_code: Some(503),
            ..
        }
    ));
    let as_text = bundle(r#"{"code":"bundle_error","message":"server replied with Not Found","http_code":"404"}"#);
    assert_eq!(as_text.http_code, Some(404));
    let stopping = bundle(
        r#"{"name":"policy","active_revision":"r1","code":"bundle_error",
            "message":"request failed: Get \"http://127.0.0.1:18282/bundles/policy\": context canceled"}"#,
    );
    assert!(matches!(
        stopping.outcome(),
        BundleOutcome::NotFetched { http_code: None, .. }
    ));
    let cut_off = bundle(r#"{"code":"bundle_error","message":"bundle read failed: unexpected EOF"}"#);
    assert!(matches!(cut_off.outcome(), BundleOutcome::NotFetched { .. }));
    let garbage =
        bundle(r#"{"code":"bundle_error","message":"bundle read failed: archive read failed: gzip: invalid header"}"#);
    assert!(matches!(garbage.outcome(), BundleOutcome::Refused { .. }));
}

#[test]
fn never_is_not_the_year_one() {
    let pending = bundle(
        r#"{"name":"policy","last_successful_activation":"0001-01-01T00:00:00Z","last_request":"2026-11-22T15:32:32.690461571Z"}"#,
    );
    assert_eq!(pending.last_successful_activation, None);
    assert!(pending.last_request.is_some());
    assert_eq!(pending.outcome(), BundleOutcome::Pending);
    let unnamed = bundle(r#"{"last_successful_activation":"2026-11-22T15:32:39Z"}"#);
    assert_eq!(unnamed.outcome(), BundleOutcome::Active { revision: "" });
}

#[test]
fn unknown_and_missing_fields_are_no_fault_but_other_bodies_are() {
    let early =
        r#"{"labels":{"id":"x"},"plugins":{"bundle":{"state":"NOT_READY","message":null,"new":1}},"bundles":null}"#;
    let update = StatusUpdate::parse(early.as_bytes()).unwrap();
    assert!(update.bundles.is_empty());
    assert_eq!(update.plugins["bundle"].state, "NOT_READY");
    let odd = bundle(r#"{"errors":[{"message":"plain"},{}],"last_request":"yesterday","active_revision":null}"#);
    assert_eq!(odd.errors[0].message, "plain");
    assert_eq!(odd.last_request, None);
    for other in [
        "",
        "[]",
        "[{\"id\":\"x\"}]",
        "{}",
        "{\"labels\":",
        "{\"labels\":{\"id\":1}}",
        "<html>",
    ] {
        assert!(StatusUpdate::parse(other.as_bytes()).is_err(), "{other}");
    }
}

#[test]
fn our_own_json_of_a_status_can_be_read_again() {
    let update = StatusUpdate::parse(post(ACTIVE).as_bytes()).unwrap();
    let text = serde_json::to_vec(&update).unwrap();
    assert_eq!(StatusUpdate::parse(&text).unwrap(), update);
}
