//! What the two ways to push leave behind in a real Pushgateway.
//!
//! A harness of its own, because libtest cannot skip at run time: where Pushgateway cannot be had, its tests count as
//! ignored (said on stderr), and under `CI=true` that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use program::pushgateway::Pushgateway;
use pushgateway::{Group, PushTarget, Replace, push};
use tools::Tool;

/// With a slash and a letter that is not ASCII: it cannot be a path segment as it is.
const PLACE: &str = "größe/nord";
const GROUP: [(&str, &str); 2] = [("job", "nightly"), ("place", PLACE)];

const GOOD: &str = "\
    # TYPE nightly_ok gauge\nnightly_ok 1\n\
    # TYPE nightly_rows gauge\nnightly_rows{table=\"a\"} 5\nnightly_rows{table=\"b\"} 6\n\
    # TYPE nightly_last_success_seconds gauge\nnightly_last_success_seconds 1700000000\n";
/// A run that failed: it has no success to tell of, and got no further than one table.
const FAILED: &str = "\
    # TYPE nightly_ok gauge\nnightly_ok 0\n\
    # TYPE nightly_rows gauge\nnightly_rows{table=\"a\"} 2\n";

fn send(gateway: &Pushgateway, replace: Replace, text: &'static str) {
    let target = PushTarget {
        client: runtime::http::client(&runtime::HttpOptions::new("test")).unwrap(),
        url: gateway.url().parse().unwrap(),
        token: None,
        group: Group::new("nightly").with("place", Some(PLACE.to_owned())),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(push(&target, replace, text)).unwrap();
}

fn found(gateway: &Pushgateway) -> Vec<(String, String)> {
    let series = gateway.group(&GROUP).expect("the group is there");
    series
        .into_iter()
        .map(|(name, value)| (name, value.to_string()))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn replacing_metrics_keeps_the_others(program: &Path) {
    let gateway = Pushgateway::start(program);
    send(&gateway, Replace::Metrics, GOOD);
    send(&gateway, Replace::Metrics, FAILED);
    let expected = [
        ("nightly_last_success_seconds", "1700000000"),
        ("nightly_ok", "0"),
        // Table b belongs to a metric that was sent.
        ("nightly_rows{table=\"a\"}", "2"),
    ];
    assert_eq!(found(&gateway), pairs(&expected));
    assert_eq!(gateway.groups(), 1);
}

fn replacing_the_group_keeps_nothing(program: &Path) {
    let gateway = Pushgateway::start(program);
    send(&gateway, Replace::Group, GOOD);
    send(&gateway, Replace::Group, FAILED);
    let expected = [("nightly_ok", "0"), ("nightly_rows{table=\"a\"}", "2")];
    assert_eq!(found(&gateway), pairs(&expected));
    assert_eq!(gateway.groups(), 1);
}

type Test = fn(&Path);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // Listing must not install anything.
    let program = if arguments.list {
        tools::find(Tool::Pushgateway).ok()
    } else {
        tools::require(Tool::Pushgateway).ok()
    };
    let tests: [(&str, Test); 2] = [
        ("replacing_metrics_keeps_the_others", replacing_metrics_keeps_the_others),
        ("replacing_the_group_keeps_nothing", replacing_the_group_keeps_nothing),
    ];
    let trials = tests
        .into_iter()
        .map(|(name, test)| {
            let missing = program.is_none();
            let program = program.clone().unwrap_or_default();
            let run = move || {
                test(&program);
                Ok(())
            };
            Trial::test(name, run).with_ignored_flag(missing)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
