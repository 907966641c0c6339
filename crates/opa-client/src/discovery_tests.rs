//! Configurations as `GET /v1/config` of OPA 1.22.2 shows them.

use serde_json::json;

use super::*;

fn server(listen: &str) -> BundleServer<'static> {
    BundleServer {
        listen: listen.parse().unwrap(),
        advertised: &[],
        path: "/bundles/policy",
    }
}

fn config(url: &str) -> Value {
    json!({
        "bundles": {"policy": {"persist": false, "resource": "bundles/policy", "service": "reloader",
            "polling": {"long_polling_timeout_seconds": 5, "max_delay_seconds": 2, "min_delay_seconds": 1}}},
        "default_authorization_decision": "/system/authz/allow",
        "labels": {"id": "3db6ba62", "version": "1.22.2"},
        "services": {"reloader": {"url": url}},
        "status": {"service": "reloader"}
    })
}

#[test]
fn the_configuration_we_print_is_found() {
    let found = polls_us(&config("http://127.0.0.1:8282"), &server("127.0.0.1:8282")).unwrap();
    let expected = BundleSource {
        service: "reloader".to_owned(),
        bundle: "policy".to_owned(),
        path: "/bundles/policy".to_owned(),
        path_is_ours: true,
        status_to_us: true,
        long_polling_seconds: Some(5),
        max_delay_seconds: Some(2),
    };
    assert_eq!(found, expected);
}

#[test]
fn addresses_are_compared_by_what_they_lead_to() {
    let cases = [
        ("http://localhost:8282", "127.0.0.1:8282", true),
        ("http://[::1]:8282/", "127.0.0.1:8282", true),
        ("http://127.0.0.1:8282", "0.0.0.0:8282", true),
        ("http://127.0.0.1:8283", "127.0.0.1:8282", false),
        ("http://127.0.0.1:8282", "10.0.0.7:8282", false),
        ("http://10.0.0.7:8282", "10.0.0.7:8282", true),
        ("http://policy-reloader.prod.svc:8282", "0.0.0.0:8282", true),
        ("https://bundles.example.com", "0.0.0.0:8282", false),
        ("http://localhost", "127.0.0.1:80", true),
        ("unix:///run/x.sock", "127.0.0.1:8282", false),
        ("not a url", "127.0.0.1:8282", false),
    ];
    for (url, listen, expected) in cases {
        let mut config = config(url);
        if !expected {
            // Another path as well, so that port and path alone do not speak for it.
            config["bundles"]["policy"]["resource"] = json!("other/bundle.tar.gz");
        }
        assert_eq!(polls_us(&config, &server(listen)).is_some(), expected, "{url} {listen}");
    }
}

#[test]
fn an_advertised_address_is_ours_whatever_its_port() {
    let advertised = ["https://bundles.example.com/reloader".parse().unwrap()];
    let server = BundleServer {
        advertised: &advertised,
        ..server("0.0.0.0:8282")
    };
    assert!(polls_us(&config("https://bundles.example.com"), &server).is_some());
    assert!(polls_us(&config("https://else.example.com"), &server).is_none());
}

#[test]
fn a_wrong_path_on_our_port_is_reported_as_such() {
    let mut config = config("http://127.0.0.1:8282/v1");
    config["bundles"]["policy"]["polling"] = Value::Null;
    config["status"] = Value::Null;
    let found = polls_us(&config, &server("127.0.0.1:8282")).unwrap();
    assert_eq!((found.path.as_str(), found.path_is_ours), ("/v1/bundles/policy", false));
    assert_eq!(
        (found.status_to_us, found.long_polling_seconds, found.max_delay_seconds),
        (false, None, None)
    );
}

#[test]
fn our_bundle_goes_before_others_of_our_service() {
    let mut config = config("http://127.0.0.1:8282");
    config["bundles"]["another"] = json!({"service": "reloader"});
    assert_eq!(polls_us(&config, &server("127.0.0.1:8282")).unwrap().bundle, "policy");
}

#[test]
fn what_opa_fills_in_itself_is_filled_in_here() {
    let list = json!({
        "bundles": {"policy": {}}, "status": {},
        "services": [{"name": "reloader", "url": "http://localhost:8282", "headers": {"X": "h1"}}]
    });
    let found = polls_us(&list, &server("127.0.0.1:8282")).unwrap();
    assert_eq!(
        (found.service.as_str(), found.path_is_ours, found.status_to_us),
        ("reloader", true, true)
    );

    let old = json!({
        "bundle": {"name": "policy", "service": "reloader"}, "status": {"console": true},
        "services": {"other": {"url": "http://127.0.0.1:1"}, "reloader": {"url": "http://127.0.0.1:8282"}}
    });
    let found = polls_us(&old, &server("127.0.0.1:8282")).unwrap();
    assert_eq!((found.path.as_str(), found.status_to_us), ("/bundles/policy", false));
}

#[test]
fn other_configurations_do_not_poll_us() {
    let server = server("127.0.0.1:8282");
    for other in [
        json!({"labels": {"id": "x"}}),
        json!(null),
        json!({"services": {"a": {"url": "http://127.0.0.1:8282"}}}),
        json!({"bundles": {"policy": {"service": "gone"}}, "services": {"a": {"url": "http://127.0.0.1:8282"}}}),
        json!({"bundles": {"policy": {}}, "services": {"a": {"url": "http://127.0.0.1:8282"}, "b": {"url": "http://127.0.0.1:1"}}}),
        json!({"bundles": {"policy": {"resource": "file:///tmp/x.tar.gz"}}, "services": {"b": {"url": "http://127.0.0.1:1"}}}),
        json!({"bundles": [], "services": "x", "status": 3}),
    ] {
        assert_eq!(polls_us(&other, &server), None, "{other}");
    }
}
