//! Metrics in a real Pushgateway: of runs that did all, a part, or were refused.

use std::path::Path;

use libtest_mimic::{Arguments, Trial};
use program::pushgateway::Pushgateway;
use retention_faults::World;
use tools::Tool;

use crate::slow;

pub(crate) fn trials(arguments: &Arguments) -> Vec<Trial> {
    // Listing must not install anything.
    let program = if arguments.list {
        tools::find(Tool::Pushgateway).ok()
    } else {
        tools::require(Tool::Pushgateway).ok()
    };
    let missing = program.is_none();
    let trial = Trial::test("metrics::arrive_and_keep_the_last_success", move || {
        arrive(&program.unwrap_or_default());
        Ok(())
    });
    vec![trial.with_ignored_flag(missing)]
}

const GROUP: [(&str, &str); 4] = [
    ("job", "retention-job"),
    ("kind", "run"),
    ("service", "shop/db"),
    ("environment", "staging"),
];
const ROWS: &str = "retention_rows{action=\"delete\",rule=\"slow\"}";
const RESIDUE: &str = "retention_residue_rows{action=\"delete\",rule=\"slow\"}";
const SUCCESS: &str = "retention_last_success_timestamp_seconds";

fn arrive(program: &Path) {
    let gateway = Pushgateway::start(program);
    let world = World::new();
    slow::fill(&world);
    slow::hurry(&world);
    let night = |policy: &str| {
        let mut command = world.night(policy);
        command
            .env("PUSHGATEWAY_URL", gateway.url())
            .env("SERVICE", "shop/db")
            .env("ENVIRONMENT", "staging");
        command
    };
    let group = || gateway.group(&GROUP).expect("the group is there");
    let is = |name: &str, value: i64| {
        let found = group();
        let there = found.get(name).unwrap_or_else(|| panic!("no {name}: {found:#?}"));
        assert!(
            (there - f64::from(i32::try_from(value).unwrap())).abs() < 0.5,
            "{name}: {there}, not {value}"
        );
    };
    world.ends(night(slow::POLICY).args(["--max-rows", "500"]), 5);
    is(ROWS, 500);
    is("retention_exit_code", 5);
    assert!(
        !group().contains_key(SUCCESS) && !group().contains_key(RESIDUE),
        "{:#?}",
        group()
    );

    let before = world.number("SELECT extract(epoch FROM now())::bigint");
    world.ends(&mut night(slow::POLICY), 0);
    is(ROWS, slow::DUE - 500);
    is(RESIDUE, 0);
    is("retention_exit_code", 0);
    let success = group()[SUCCESS];
    let after = world.number("SELECT extract(epoch FROM now())::bigint");
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
    let between = (before - 2) as f64..=(after + 2) as f64;
    assert!(between.contains(&success), "{success}, not in {between:?}");

    // A run that stops, a run that is refused by a guard, and one that cannot begin: the last success stays.
    world.sql("INSERT INTO slow SELECT n, '2001-01-01' FROM generate_series(5001, 5100) AS n");
    world.ends(night(slow::POLICY).args(["--max-rows", "10"]), 5);
    is("retention_exit_code", 5);
    is(ROWS, 10);
    let kept = |what: &str| assert!((group()[SUCCESS] - success).abs() < 0.5, "{what}: {:#?}", group());
    kept("after a part");
    let small = slow::POLICY.replace("action: delete", "action: delete, max_fraction: 0.01");
    world.ends(&mut night(&small), 1);
    kept("after a refusal");
    world.ends(
        &mut night(
            &slow::POLICY
                .replace("slow,", "slower,")
                .replace("public.slow", "public.nothing"),
        ),
        2,
    );
    kept("after a policy that does not fit");
    world.ends(night(slow::POLICY).env("DATABASE_URL", "postgres://x@127.0.0.1:1/x"), 4);
    kept("after a database that is not there");
    assert_eq!(gateway.groups(), 1);
}
