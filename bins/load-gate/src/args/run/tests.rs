use super::*;
use clap::{CommandFactory, Parser};
use std::collections::BTreeSet;

#[derive(Debug, Parser)]
struct Tool {
    #[command(flatten)]
    run: RunArgs,
}

fn parsed(words: &[&str]) -> RunArgs {
    Tool::try_parse_from(["run"].iter().chain(words)).unwrap().run
}

#[test]
fn the_flags_of_a_k6_script() {
    let args = parsed(&[
        "--url",
        "https://staging.example.com/graphql",
        "--graphql",
        "{ __typename }",
        "--rate",
        "50",
        "--duration",
        "5m",
        "--threshold",
        "http_req_duration=p(95)<350",
        "--threshold",
        "checks=rate>0.99",
        "--check",
        "status==200",
    ]);
    let settings = args.settings();
    assert_eq!(settings.rate, Some(50.0));
    assert_eq!(settings.duration, Some(Duration::from_mins(5)));
    assert_eq!(settings.thresholds, ["http_req_duration=p(95)<350", "checks=rate>0.99"]);
    assert_eq!(args.verdict.exit_codes, ExitCodes::Native);
    let plan = Plan::build(&settings, Path::new(".")).unwrap();
    assert_eq!(plan.schedule.total(), 15_000);
    assert_eq!(plan.checks.len(), 2, "no_graphql_errors comes by itself");
}

#[test]
fn fail_fast_can_be_said_with_and_without_a_value() {
    assert_eq!(parsed(&[]).settings().fail_fast, None);
    assert_eq!(parsed(&["--fail-fast"]).settings().fail_fast, Some(true));
    assert_eq!(parsed(&["--fail-fast=false"]).settings().fail_fast, Some(false));
}

#[test]
fn lists_may_be_one_entry_a_line_and_empty_ones_are_nothing() {
    let settings = parsed(&[
        "--check",
        "status==200\nno_graphql_errors\n",
        "--url",
        "",
        "-H",
        "A: b\nC: d\n",
    ])
    .settings();
    assert_eq!(settings.checks, ["status==200", "no_graphql_errors"]);
    assert_eq!(settings.url, None);
    assert_eq!(settings.headers, [Hidden::from("A: b"), Hidden::from("C: d")]);
}

#[test]
fn secrets_are_not_shown() {
    let args = parsed(&[
        "--header",
        "Authorization: Bearer hunter2",
        "--body",
        "hunter2",
        "--push-token",
        "hunter2",
    ]);
    assert!(!format!("{args:?} {:?}", args.settings()).contains("hunter2"));
    let hidden: BTreeSet<String> = Tool::command()
        .get_arguments()
        .filter(|argument| argument.is_hide_env_values_set())
        .map(|argument| argument.get_id().to_string())
        .collect();
    for id in ["headers", "body", "variables", "push_token"] {
        assert!(hidden.contains(id), "{id}");
    }
}

#[test]
fn every_option_has_a_variable_of_its_own() {
    Tool::command().debug_assert();
    let mut seen = BTreeSet::new();
    for argument in Tool::command()
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
    {
        let variable = argument.get_env().map(|name| name.to_string_lossy().into_owned());
        let variable = variable.unwrap_or_else(|| panic!("--{} has no variable", argument.get_id()));
        assert!(seen.insert(variable.clone()), "{variable} is used twice");
    }
    assert!(seen.contains("COS_GQL_URL") && seen.len() > 40, "{seen:?}");
}

#[test]
fn wrong_values_say_what_was_expected() {
    let refused = |words: &[&str]| {
        Tool::try_parse_from(["run"].iter().chain(words))
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&["--duration", "5"]).contains("such as 30s, 5m, 1m30s or 500ms"));
    assert!(refused(&["--rate", "fifty"]).contains("such as 50 or 0.5"));
    assert!(refused(&["--graphql", "{ a }", "--body", "x"]).contains("cannot be used with"));
}
