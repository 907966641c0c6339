use super::*;
use http::HeaderValue;

fn passes(check: &str, status: u16, body: &str) -> bool {
    let mut headers = HeaderMap::new();
    headers.append(
        "content-type",
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.append("x-many", HeaderValue::from_static("one"));
    headers.append("x-many", HeaderValue::from_static("two"));
    Check::parse(check).unwrap().passes(status, &headers, body.as_bytes())
}

#[test]
fn statuses() {
    for (check, good, bad) in [
        ("status==200", [200, 200], [201, 500]),
        ("status === 200", [200, 200], [199, 404]),
        ("status!=500", [200, 501], [500, 500]),
        ("status<400", [399, 100], [400, 500]),
        ("status <= 400", [400, 100], [401, 500]),
        ("status>399", [400, 599], [399, 200]),
        ("status>=400", [400, 599], [399, 200]),
        ("status in 200..299", [200, 299], [199, 300]),
        ("status in 200..=204, 304", [204, 304], [205, 303]),
    ] {
        assert!(good.iter().all(|status| passes(check, *status, "")), "{check}");
        assert!(!bad.iter().any(|status| passes(check, *status, "")), "{check}");
    }
}

#[test]
fn only_a_graphql_answer_without_errors_passes() {
    for good in [
        r#"{"data":{"__typename":"Query"}}"#,
        r#" {"data":{"a":null},"errors":[],"extensions":{"x":[1]}}"#,
        r#"{"data":{},"errors":null}"#,
    ] {
        assert!(passes("no_graphql_errors", 200, good), "{good}");
    }
    for bad in [
        "",
        "<html>log in</html>",
        "null",
        "[]",
        r#"[{"a":1}]"#,
        r#"[{"data":1},[]]"#,
        "{}",
        r#"{"data":null}"#,
        r#"{"data":{"a":1},"errors":[{"message":"no"}]}"#,
        r#"{"data":{"a":1},"errors":"no"}"#,
        r#"{"data":{"a":1},"errors":{"message":"no"}}"#,
        r#"{"data":{"a":1}}trailing"#,
        r#"{"data":{"a":1}"#,
        r#"{"data":{"a":1},"data":null}"#,
        r#"{"data":{"a":1},"errors":[],"errors":[1]}"#,
        r#"{"errors":[{"message":"no"}]}"#,
        r#"{"Data":{"a":1}}"#,
    ] {
        assert!(!passes("no_graphql_errors", 200, bad), "{bad}");
    }
    let check = Check::parse("no_graphql_errors").unwrap();
    assert!(
        !check.passes(200, &HeaderMap::new(), b"{\"data\":\"\xff\"}"),
        "not UTF-8"
    );
}

#[test]
fn bodies_headers_and_json() {
    assert!(passes("body contains ok", 200, "all ok here"));
    assert!(passes("body contains \"a \\\"b\"", 200, "x a \"b x"));
    assert!(!passes("body contains ok", 200, "o k"));
    assert!(passes("header Content-Type contains json", 200, ""));
    assert!(passes("header x-many == two", 200, ""));
    assert!(passes("header x-many==two", 200, ""));
    assert!(!passes("header x-many != two", 200, ""));
    assert!(passes("header x-many exists", 200, ""));
    assert!(!passes("header x-none exists", 200, ""));
    assert!(!passes("header x-none != a", 200, ""));
    let body = r#"{"data":{"n":1.0,"s":"up","list":[1,{"a":2}],"none":null}}"#;
    for good in [
        "json /data/n == 1",
        "json /data/s == up",
        "json /data/s == \"up\"",
        "json /data/s contains u",
        "json /data/list contains {\"a\":2}",
        "json /data/list/1/a == 2",
        "json /data/none exists",
        "json /data/none == null",
        "json /data/s != down",
    ] {
        assert!(passes(good, 200, body), "{good}");
    }
    for bad in [
        "json /data/x exists",
        "json /data/x != 1",
        "json /data/n == 2",
        "json /data/s == null",
    ] {
        assert!(!passes(bad, 200, body), "{bad}");
        assert!(!passes(bad, 200, "<html>"), "{bad}");
    }
}

#[test]
fn what_needs_the_body_says_so() {
    let needs = |check: &str| Check::parse(check).unwrap().needs_body();
    assert!(!needs("status==200") && !needs("status in 200..299") && !needs("header a exists"));
    assert!(needs("no_graphql_errors") && needs("body contains a") && needs("json /a exists"));
    assert_eq!(Check::parse("  status == 200 ").unwrap().name(), "status == 200");
}

#[test]
fn errors_point_at_the_place() {
    let refused = |check: &str| Check::parse(check).unwrap_err().to_string();
    insta::assert_snapshot!(
        [
            refused(""),
            refused("statsu==200"),
            refused("status=200"),
            refused("status==OK"),
            refused("status in 200..2000"),
            refused("no_graphql_errors please"),
            refused("body has x"),
            refused("body contains "),
            refused("header a b c"),
            refused("header ünicode exists"),
            refused("json data.ok == true"),
            refused("json /data == {\"a\""),
            refused("json /data > 5"),
        ]
        .join("\n\n")
    );
}
