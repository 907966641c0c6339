//! Nothing secret is in what is shown: the document of a plan, debug output, errors.

use crate::support::{attempt, built, folder, simple};
use load_plan::Settings;
use std::path::Path;

const SECRET: &str = "hunter2";

#[test]
fn the_document_of_a_plan_holds_no_secret() {
    let folder = folder(&[("token", "hunter2\n"), ("users.csv", "id,password\n1,hunter2\n")]);
    let settings = Settings {
        url: Some("https://me:hunter2@x.example/a/{{id}}?token=hunter2&page=hunter2#hunter2".to_owned()),
        headers: vec![
            "Cookie: session=hunter2".into(),
            "X-Auth-Token: hunter2".into(),
            "X-Plain: shown".into(),
        ],
        headers_from_env: vec!["X-From-Env=Bearer VARIABLE".to_owned()],
        headers_from_file: vec!["X-From-File=token".to_owned()],
        body: Some("{\"password\":\"hunter2\",\"row\":\"{{json password}}\"}".into()),
        data: Some("users.csv".into()),
        ..simple()
    };
    let plan = attempt(&settings, folder.path(), &[("VARIABLE", SECRET)]).unwrap();
    let sent = |name: &str| {
        let found = plan.requests[0].headers.iter().find(|(known, _)| known == name);
        found.unwrap().1.fixed().unwrap().to_owned()
    };
    assert_eq!(sent("x-from-env"), "Bearer hunter2");
    assert_eq!(sent("x-from-file"), "hunter2");
    let shown = serde_json::to_string_pretty(&plan.redacted()).unwrap();
    let everything = format!("{shown} {} {plan:?} {settings:?}", plan.subject());
    // Settings hold the URL as it was given; only what goes into results must be clean of it.
    let everything = everything.replace(settings.url.as_deref().unwrap(), "");
    let rows = format!("{:?}", plan.data.as_ref().unwrap().rows);
    let everything = everything.replace(&rows, "");
    assert!(!everything.contains(SECRET), "{everything}");
    let version = concat!("load-gate/", env!("CARGO_PKG_VERSION"));
    insta::assert_snapshot!(shown.replace(version, "load-gate/VERSION"));
}

#[test]
fn the_document_says_what_was_run() {
    let plan = built(&Settings {
        graphql: Some("{ __typename }".to_owned()),
        ..simple()
    });
    let document = plan.redacted();
    assert_eq!(document["requests"][0]["graphql"], "{ __typename }");
    assert_eq!(document["schedule"]["duration"], "5m");
    assert_eq!(document["thresholds"][0]["threshold"], "http_req_duration=p(95)<350");
    assert_eq!(document["connections"]["protocol"], "auto");
}

#[test]
fn errors_do_not_show_values_of_headers() {
    for header in [
        "hunter2",
        "a b: hunter2",
        "X: hunter2\u{7f}",
        "Authorization: {{hunter2}}",
        "TE: hunter2",
    ] {
        let settings = Settings {
            headers: vec![header.into()],
            ..simple()
        };
        let error = attempt(&settings, Path::new("."), &[]).unwrap_err();
        assert!(!crate::support::chain(&error).contains(SECRET), "{header}");
    }
}
