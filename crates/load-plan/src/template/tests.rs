use super::*;
use proptest::prelude::*;

fn columns() -> Vec<String> {
    ["id", "user name", "json", ROW].map(str::to_owned).to_vec()
}

fn row() -> Vec<String> {
    ["7", "Ann \"the\" B/C\n", "{}", "1"].map(str::to_owned).to_vec()
}

fn rendered(text: &str) -> String {
    let mut out = String::new();
    Template::parse(text, &columns())
        .unwrap()
        .render(Some(&row()), 41, &mut out);
    out
}

fn refused(text: &str) -> String {
    Template::parse(text, &columns()).unwrap_err().to_string()
}

#[test]
fn places_are_filled() {
    assert_eq!(rendered("{{id}}-{{ id }}-{{$seq}}-{{$row}}"), "7-7-41-1");
    assert_eq!(
        rendered("{\"a\":\"{{json user name}}\"}"),
        "{\"a\":\"Ann \\\"the\\\" B/C\\n\"}"
    );
    assert_eq!(
        rendered("/u/{{url user name}}?x={{json}}"),
        "/u/Ann%20%22the%22%20B%2FC%0A?x={}"
    );
    assert_eq!(rendered("{{json json}}{{$open}}x}}"), "{}{{x}}");
}

#[test]
fn text_without_places_is_fixed() {
    for text in [
        "",
        "{ __typename }",
        "query { user(id: 1) { name } }",
        "{\"a\":{\"b\":{}}}",
        "}}",
    ] {
        let template = Template::parse(text, &[]).unwrap();
        assert_eq!(template.fixed(), Some(text));
        assert!(!template.uses_data());
    }
    assert_eq!(Template::parse("{{$open}}a}}", &[]).unwrap().fixed(), Some("{{a}}"));
    assert_eq!(Template::parse("{{$seq}}", &[]).unwrap().fixed(), None);
    let template = Template::parse("{{id}}", &columns()).unwrap();
    assert!(template.uses_column(0) && !template.uses_column(1) && template.uses_data());
}

#[test]
fn graphql_text_becomes_a_json_string() {
    let query = Template::parse("{ user(id: \"{{json user name}}\") { id } }", &columns()).unwrap();
    let mut out = String::from("\"");
    query.into_json_string().render(Some(&row()), 0, &mut out);
    out.push('"');
    let text: String = serde_json::from_str(&out).unwrap();
    assert_eq!(text, "{ user(id: \"Ann \\\"the\\\" B/C\\n\") { id } }");
}

#[test]
fn nothing_is_shown_by_debug() {
    let template = Template::literal("hunter2").secret();
    assert_eq!(format!("{template:?}"), "Template(7 bytes, 0 places)");
    assert!(template.is_secret());
}

#[test]
fn errors_point_at_the_place() {
    insta::assert_snapshot!(
        [
            refused("{ user(id: {{idd}}) }"),
            refused("first\nsecond {{ id"),
            refused("{{}}"),
            refused("{\"a\": {{\"b\": 1}}}"),
            refused("{{completely_other}}"),
            Template::parse("{{id}}", &[]).unwrap_err().to_string(),
        ]
        .join("\n\n")
    );
}

proptest! {
    #[test]
    fn any_value_stays_inside_its_json_string(value in ".*") {
        let template = Template::parse("{\"v\":\"{{json v}}\"}", &["v".to_owned()]).unwrap();
        let mut out = String::new();
        template.render(Some(std::slice::from_ref(&value)), 0, &mut out);
        let back: serde_json::Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(back["v"].as_str(), Some(value.as_str()));
    }

    #[test]
    fn parsing_never_panics(text in ".*") {
        let _ = Template::parse(&text, &columns());
    }

    #[test]
    fn text_with_single_braces_is_kept(text in "[a-z{} \n]*") {
        prop_assume!(!text.contains("{{"));
        let template = Template::parse(&text, &[]).unwrap();
        prop_assert_eq!(template.fixed(), Some(text.as_str()));
    }
}
