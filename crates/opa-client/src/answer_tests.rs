//! Error bodies as recorded from OPA 1.22.2, and answers of others.

use super::*;

fn answer(status: u16, content_type: &str, body: &str) -> Answer {
    Answer {
        opa: "http://127.0.0.1:8181/".to_owned(),
        endpoint: "PUT /v1/policies/{id}",
        status: StatusCode::from_u16(status).unwrap(),
        content_type: (!content_type.is_empty()).then(|| content_type.to_owned()),
        location: None,
        body: body.as_bytes().to_vec(),
    }
}

fn json(status: u16, body: &str) -> OpaError {
    answer(status, "application/json", body).done().unwrap_err()
}

#[test]
fn faults_in_a_policy_have_their_place() {
    let error = json(
        400,
        r#"{"code":"invalid_parameter","message":"error(s) occurred while compiling module(s)","errors":[
            {"code":"rego_type_error","message":"undefined function foo","location":{"file":"a/b.rego","row":3,"col":2}},
            {"code":"rego_parse_error","message":"unexpected eof token","location":{"file":"a/b.rego","row":3,"col":0},
             "details":{"line":"x {","idx":2}}]}"#,
    );
    let [first, second] = error.compile_errors() else {
        panic!("{error:?}")
    };
    assert_eq!((first.file.as_str(), first.row, first.col), ("a/b.rego", 3, 2));
    assert_eq!(first.code, "rego_type_error");
    assert_eq!(second.message, "unexpected eof token");
    assert_eq!(error.kind(), "compile");
    assert!(!error.is_transient());
    assert!(error.is_refusal());
}

#[test]
fn faults_told_only_in_words_are_read_too() {
    let conflict = json(
        400,
        r#"{"code":"invalid_parameter","message":"1 error occurred: conf.rego:2: rego_compile_error: conflicting rule for data path cos/k found"}"#,
    );
    let expected = CompileError {
        code: "rego_compile_error".to_owned(),
        message: "conflicting rule for data path cos/k found".to_owned(),
        file: "conf.rego".to_owned(),
        row: 2,
        col: 0,
    };
    assert_eq!(conflict.compile_errors(), [expected]);
    let empty = json(
        400,
        r#"{"code":"invalid_parameter","message":"empty:0: rego_parse_error: empty module"}"#,
    );
    assert_eq!(
        empty.compile_errors()[0].to_string(),
        "empty: empty module (rego_parse_error)"
    );
    let two = json(
        400,
        "{\"code\":\"invalid_parameter\",\"message\":\"2 errors occurred:\\na.rego:1: rego_x_error: one\\nb.rego:2: rego_y_error: two\"}",
    );
    assert_eq!(two.compile_errors().len(), 2);
}

#[test]
fn a_bundle_owns_its_roots() {
    let error = json(
        400,
        r#"{"code":"invalid_parameter","message":"path cos/retention is owned by bundle \"policy\""}"#,
    );
    assert!(
        matches!(&error, OpaError::OwnedByBundle { path, bundle } if path == "cos/retention" && bundle == "policy"),
        "{error:?}"
    );
    assert!(!error.is_refusal() && !error.is_transient());
}

#[test]
fn authorization_has_three_faces() {
    let denied = json(
        401,
        r#"{"code":"unauthorized","message":"request rejected by administrative policy"}"#,
    );
    assert!(
        matches!(
            denied,
            OpaError::Unauthorized {
                status: StatusCode::UNAUTHORIZED,
                ..
            }
        ),
        "{denied:?}"
    );
    let proxy = answer(403, "text/html", "<html>no</html>").done().unwrap_err();
    assert!(
        matches!(
            proxy,
            OpaError::Unauthorized {
                status: StatusCode::FORBIDDEN,
                ..
            }
        ),
        "{proxy:?}"
    );
    let undefined = json(
        500,
        r#"{"code":"internal_error","message":"authorization policy missing or undefined"}"#,
    );
    assert!(matches!(undefined, OpaError::AuthorizationUndefined), "{undefined:?}");
    assert!(undefined.is_transient());
}

#[test]
fn what_is_not_there_is_not_found() {
    let error = json(
        404,
        r#"{"code":"resource_not_found","message":"storage_not_found_error: document does not exist"}"#,
    );
    assert!(matches!(error, OpaError::NotFound { .. }), "{error:?}");
}

#[test]
fn a_failed_evaluation_is_not_a_compile_error() {
    let error = json(
        500,
        r#"{"code":"internal_error","message":"error(s) occurred while evaluating query","errors":[
            {"code":"eval_conflict_error","message":"rule data.ev.p produced conflicting values","location":{"file":"ev.rego","row":3,"col":1}}]}"#,
    );
    assert!(matches!(error, OpaError::Evaluation { .. }), "{error:?}");
}

#[test]
fn health_says_why() {
    let error = json(500, r#"{"error":"one or more bundles are not activated: policy"}"#);
    assert_eq!(
        error.to_string(),
        "OPA is not healthy: one or more bundles are not activated: policy"
    );
}

#[test]
fn other_servers_are_not_taken_for_opa() {
    for (status, kind, body) in [
        (200, "text/html; charset=utf-8", "<!doctype html>"),
        (502, "text/html", "<html>bad gateway</html>"),
        (404, "text/plain; charset=utf-8", "404 page not found\n"),
        (301, "", ""),
        (500, "application/json", "{\"detail\":\"other\"}"),
        (400, "application/json", "[]"),
    ] {
        let error = answer(status, kind, body).done().unwrap_err();
        assert!(matches!(error, OpaError::NotOpa { .. }), "{status} {kind}: {error:?}");
        assert_eq!(error.is_transient(), status >= 500);
    }
    let redirect = Answer {
        location: Some("https://login".to_owned()),
        ..answer(302, "text/html", "")
    };
    assert!(
        redirect
            .done()
            .unwrap_err()
            .to_string()
            .contains("a redirect to https://login")
    );
}

#[test]
fn half_an_answer_is_told_from_a_wrong_one() {
    let cut = answer(200, "application/json", "{\"result\": [1, 2")
        .json::<serde_json::Value>()
        .unwrap_err();
    assert!(matches!(cut, OpaError::Truncated { .. }), "{cut:?}");
    let wrong = answer(200, "application/json", "{\"result\": 1}")
        .json::<Vec<u8>>()
        .unwrap_err();
    assert!(matches!(wrong, OpaError::Malformed { .. }), "{wrong:?}");
    let empty = answer(200, "", "").done().unwrap_err();
    assert!(matches!(empty, OpaError::NotOpa { .. }), "{empty:?}");
    assert!(answer(204, "", "").done().is_ok());
}

#[test]
fn messages_say_what_to_do() {
    let errors = [
        json(401, r#"{"code":"unauthorized","message":"go away"}"#),
        json(
            400,
            r#"{"code":"invalid_parameter","message":"path cos is owned by bundle \"policy\""}"#,
        ),
        json(
            500,
            r#"{"code":"internal_error","message":"authorization policy missing or undefined"}"#,
        ),
        json(
            400,
            r#"{"code":"invalid_parameter","message":"bad patch operation: move"}"#,
        ),
        json(
            400,
            r#"{"code":"invalid_parameter","message":"m","errors":[{"code":"rego_type_error","message":"undefined function foo","location":{"file":"a.rego","row":3,"col":2}}]}"#,
        ),
        answer(200, "text/html", "<html>").done().unwrap_err(),
    ];
    insta::assert_snapshot!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}
