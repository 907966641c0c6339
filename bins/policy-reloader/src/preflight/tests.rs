//! What preflight lets through and what it stops, on packs as they come out of `pack-verify`.

use bytes::Bytes;
use pack_verify::{
    PackBytes, Verifier,
    admit::{Admission, VerifiedPack},
    build::build_tar,
    limits::Limits,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Deployable, PreflightError, PreflightRules, RegoChoice, UnreadableRego, preflight};

const V0: &str = "allow { input.user == \"ann\" }\n";
const V1: &str = "allow if input.user == \"ann\"\n";
/// Means the same in both.
const NEUTRAL: &str = "limit := 3\n";

fn pack(files: &[(&str, String)]) -> VerifiedPack {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.clone().into_bytes()));
    let tar = build_tar(files).unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    Verifier::insecure_digest_only()
        .verify(PackBytes::new(Bytes::from(tar)), None)
        .unwrap()
        .unpack(&Limits::default())
        .unwrap()
        .admit(&Admission::at(now))
        .unwrap()
}

fn look(files: &[(&str, String)]) -> Result<Deployable, PreflightError> {
    preflight(pack(files), &PreflightRules::default())
}

/// One module, as `opa/a.rego` in package `cos.a`.
fn one(rules: &str) -> Result<Deployable, PreflightError> {
    look(&[("opa/a.rego", format!("package cos.a\n\n{rules}"))])
}

fn module(name: &str, rules: &str) -> String {
    format!("package cos.{name}\n\n{rules}")
}

fn versions(deployable: &Deployable) -> Vec<u8> {
    deployable.versions().iter().map(|module| module.rego_version).collect()
}

fn refused(result: Result<Deployable, PreflightError>) -> PreflightError {
    match result {
        Ok(deployable) => panic!("it was let through: {:?}", deployable.report()),
        Err(error) => error,
    }
}

#[test]
fn a_module_alone_is_v1_when_that_parses_and_else_v0() {
    for (rules, version) in [
        (V1, 1),
        (V0, 0),
        (NEUTRAL, 1),
        ("import rego.v1\n\nallow if true\n", 1),
        ("import future.keywords.if\n\nallow if true\n", 1),
        ("import future.keywords\n\nallow { \"x\" in input.tags }\n", 0),
        ("deny[message] { message := \"no\" }\n", 0),
        ("deny contains message if message := \"no\"\n", 1),
    ] {
        assert_eq!(versions(&one(rules).unwrap()), [version], "{rules}");
    }
}

#[test]
fn what_is_stated_is_not_guessed() {
    let stated = |version: &str, rules: &str| {
        let manifest = json!({ "id": "p", "revision": 1, "regoVersion": version }).to_string();
        look(&[("opa/a.rego", module("a", rules)), ("pack.json", manifest)])
    };
    assert_eq!(versions(&stated("v0", NEUTRAL).unwrap()), [0]);
    assert_eq!(versions(&stated("v1", NEUTRAL).unwrap()), [1]);
    let message = refused(stated("v1", V0)).to_string();
    assert!(
        message.contains("opa/a.rego") && message.contains("as Rego v1:"),
        "{message}"
    );
    refused(stated("v0", V1));

    let chosen = |choice: RegoChoice, rules: &str| {
        let rules_for_all = PreflightRules {
            rego: choice,
            ..PreflightRules::default()
        };
        preflight(pack(&[("opa/a.rego", module("a", rules))]), &rules_for_all)
    };
    assert_eq!(versions(&chosen(RegoChoice::V0, NEUTRAL).unwrap()), [0]);
    refused(chosen(RegoChoice::V1, V0));
    refused(chosen(RegoChoice::V0, V1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// One syntax for all where that works; a pack that mixes them has each module by itself.
    #[test]
    fn neutral_modules_follow_their_neighbours(kinds in prop::collection::vec(0_usize..3, 1..6)) {
        let texts = [V0, V1, NEUTRAL];
        let names: Vec<String> = (0..kinds.len()).map(|number| format!("opa/m{number}.rego")).collect();
        let files: Vec<(&str, String)> = names
            .iter()
            .zip(&kinds)
            .enumerate()
            .map(|(number, (name, kind))| (name.as_str(), module(&format!("m{number}"), texts[*kind])))
            .collect();
        let (any_v0, any_v1) = (kinds.contains(&0), kinds.contains(&1));
        let expected: Vec<u8> = kinds
            .iter()
            .map(|kind| match (any_v0, any_v1) {
                (true, false) => 0,
                (false, _) => 1,
                (true, true) => u8::from(*kind != 0),
            })
            .collect();
        prop_assert_eq!(versions(&look(&files).unwrap()), expected);
    }
}

#[test]
fn errors_in_the_text_name_file_row_and_column() {
    for (rules, place) in [
        ("allow if {\n", "opa/a.rego:4:"),
        ("allow := ]\n", "opa/a.rego:3:10:"),
        ("allow if input.user == \"ann\n", "opa/a.rego:3:"),
    ] {
        let error = refused(one(rules));
        let message = error.to_string();
        assert!(matches!(error, PreflightError::Rego { .. }), "{message}");
        assert!(message.contains(place), "{rules}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let two = [
        ("opa/a.rego", module("a", NEUTRAL)),
        ("opa/b.rego", module("b", "allow if {\n")),
    ];
    let message = refused(look(&two)).to_string();
    assert!(
        message.starts_with("opa/b.rego does not compile"),
        "the module at fault is named: {message}"
    );
}

#[test]
fn errors_in_the_meaning_name_file_row_and_column() {
    for (rules, place, what) in [
        ("allow if input.user == nobody\n", "opa/a.rego:3:", "nobody"),
        ("allow if not missing\n", "opa/a.rego:3:", "missing"),
        (
            "allow if {\n\tx := input.user\n\tx == nobody\n}\n",
            "opa/a.rego:5:",
            "nobody",
        ),
    ] {
        let error = refused(one(rules));
        let message = error.to_string();
        assert!(
            matches!(&error, PreflightError::Rego { file, .. } if file == "opa/a.rego"),
            "{message}"
        );
        assert!(message.contains(place) && message.contains(what), "{rules}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn data_where_a_rule_stands_is_refused_with_both_files() {
    for (rules, data, path) in [
        ("limit := 1\n", json!({ "limit": 2 }), "cos.a.limit"),
        ("limit := 1\n", json!({ "limit": null }), "cos.a.limit"),
        ("default limit := 1\n", json!({ "limit": 2 }), "cos.a.limit"),
        ("names contains \"ann\"\n", json!({ "names": [] }), "cos.a.names"),
        ("deep.er := 1\n", json!({ "deep": { "er": 1 } }), "cos.a.deep.er"),
    ] {
        let error = refused(look(&[
            ("opa/a.rego", module("a", rules)),
            ("data/a.json", data.to_string()),
        ]));
        let PreflightError::Collision {
            data_file,
            policy_file,
            path: found,
        } = &error
        else {
            panic!("{rules}: {error}");
        };
        assert_eq!(
            (data_file.as_str(), policy_file.as_str(), found.as_str()),
            ("data/a.json", "opa/a.rego", path)
        );
    }
}

#[test]
fn data_beside_rules_is_fine() {
    for (rules, data) in [
        ("limit := data.cos.a.most\n", json!({ "most": 2 })),
        ("deep.er := 1\n", json!({ "deep": { "other": 1 } })),
        ("double(x) := x * 2\n", json!({ "double": 2 })),
        ("limit := 1\n", json!({ "limits": 2 })),
    ] {
        let deployable = look(&[("opa/a.rego", module("a", rules)), ("data/a.json", data.to_string())]);
        assert!(deployable.is_ok(), "{rules}: {}", deployable.unwrap_err());
    }
}

/// A pack with one golden decision about `data.cos.a`.
fn golden(rules: &str, path: &str, expect: &Value) -> Result<Deployable, PreflightError> {
    golden_within(rules, path, expect, 1 << 20)
}

fn golden_within(rules: &str, path: &str, expect: &Value, most: usize) -> Result<Deployable, PreflightError> {
    let manifest = json!({
        "id": "p",
        "revision": 1,
        "golden": [{ "name": "the question", "path": path, "input": { "user": "ann", "n": 7 }, "expect": expect }],
    });
    let files = [
        ("opa/a.rego", module("a", rules)),
        ("data/known.json", json!({ "ann": { "limit": 3 } }).to_string()),
        ("pack.json", manifest.to_string()),
    ];
    let rules = PreflightRules {
        max_golden_data_bytes: most,
        ..PreflightRules::default()
    };
    preflight(pack(&files), &rules)
}

#[test]
fn golden_decisions_that_hold_are_counted() {
    for (rules, path, expect) in [
        (V1, "cos/a/allow", json!(true)),
        (V1, "cos.a.allow", json!(true)),
        (V0, "cos/a/allow", json!(true)),
        ("default allow := false\n", "cos/a/allow", json!(false)),
        ("limit := data.cos.known[input.user].limit\n", "cos/a/limit", json!(3)),
        ("names contains input.user\n", "cos/a/names", json!(["ann"])),
        ("all := {\"n\": input.n}\n", "cos/a/all", json!({ "n": 7 })),
    ] {
        let deployable = golden(rules, path, &expect).unwrap_or_else(|error| panic!("{rules}: {error}"));
        assert_eq!(deployable.report().golden_checked, 1);
    }
}

#[test]
fn golden_decisions_that_do_not_hold_say_what_was_decided() {
    for (rules, path, expect, found) in [
        (V1, "cos/a/allow", json!(false), "true"),
        (V1, "cos/a/allow", json!("true"), "true"),
        (
            "allow if input.user == \"bob\"\n",
            "cos/a/allow",
            json!(true),
            "undefined",
        ),
        (V1, "cos/a/alow", json!(true), "undefined"),
        (V1, "cos/b/allow", json!(null), "undefined"),
        ("limit := 3\n", "cos/a/limit", json!(4), "3"),
    ] {
        match refused(golden(rules, path, &expect)) {
            PreflightError::Golden {
                name,
                expected,
                found: decided,
            } => {
                assert_eq!((name.as_str(), decided.as_str()), ("the question", found), "{rules}");
                assert_eq!(expected, expect.to_string());
            }
            other => panic!("{rules}: {other}"),
        }
    }
}

#[test]
fn golden_decisions_that_cannot_be_evaluated_are_refused() {
    let conflict = "level := 1 if input.n > 1\n\nlevel := 2 if input.n > 2\n";
    let error = refused(golden(conflict, "cos/a/level", &json!(1)));
    assert!(matches!(error, PreflightError::GoldenUnchecked { .. }), "{error}");
    assert!(error.to_string().contains("`the question` fails"), "{error}");

    let error = refused(golden_within(V1, "cos/a/allow", &json!(true), 10));
    assert!(matches!(error, PreflightError::GoldenUnchecked { .. }), "{error}");
    assert!(
        error.to_string().contains("--max-golden-data-bytes"),
        "it says what to do: {error}"
    );
}

#[test]
fn a_golden_decision_that_does_not_end_is_refused_in_time() {
    let endless = "n := count([1 | numbers.range(1, 4000)[_]; numbers.range(1, 4000)[_]; numbers.range(1, 4000)[_]])\n";
    let started = std::time::Instant::now();
    let error = refused(golden(endless, "cos/a/n", &json!(1)));
    assert!(matches!(error, PreflightError::GoldenUnchecked { .. }), "{error}");
    assert!(
        started.elapsed() < std::time::Duration::from_secs(30),
        "{:?}",
        started.elapsed()
    );
}

/// OPA's compiler finds these in any pack; the interpreter only when it comes across them.
#[test]
fn recursion_and_unknown_functions_are_refused_where_a_golden_decision_meets_them() {
    for rules in [
        "a if b\n\nb if a\n",
        "a := b + 1\n\nb := a + 1\n",
        "a if no_such_function(1)\n",
    ] {
        let error = refused(golden(rules, "cos/a/a", &json!(true)));
        assert!(
            matches!(error, PreflightError::GoldenUnchecked { .. }),
            "{rules}: {error}"
        );
        assert!(
            error.to_string().contains("opa/a.rego:"),
            "{rules}: it says where: {error}"
        );
    }
}

#[test]
fn functions_that_call_each_other_in_a_circle_are_refused_before_anything_is_evaluated() {
    let other = "import data.cos.a as here\n\nstep(x) := here.start(x)\n";
    for (rules, others) in [
        ("start(x) := start(x - 1)\n", NEUTRAL),
        ("start(x) := g(x)\n\ng(x) := start(x)\n", NEUTRAL),
        ("start(x) := y if {\n\ty := [start(n) | some n in x][0]\n}\n", NEUTRAL),
        ("start(x) if {\n\tevery n in x { not start(n) }\n}\n", NEUTRAL),
        ("start(x) := 1 if x > 1\n\nelse := start(x + 1)\n", NEUTRAL),
        ("start(x) := data.cos.b.step(x)\n", other),
    ] {
        let error = refused(look(&[
            ("opa/a.rego", module("a", rules)),
            ("opa/b.rego", module("b", others)),
        ]));
        let message = error.to_string();
        assert!(matches!(error, PreflightError::Rego { .. }), "{message}");
        // Of a circle, the function that comes first by name is told.
        let place = message.split(" a function calls itself: data.cos.a.").next().unwrap();
        assert!(
            place.ends_with("opa/a.rego:3:1:") || place.ends_with("opa/a.rego:5:1:"),
            "{rules}: {message}"
        );
    }
}

#[test]
fn functions_that_call_others_are_fine() {
    for rules in [
        "f(x) := g(g(x))\n\ng(x) := h(x) + h(x)\n\nh(x) := abs(x)\n",
        // A function of the same name in another package.
        "f(x) := data.cos.b.f(x)\n",
    ] {
        let result = look(&[
            ("opa/a.rego", module("a", rules)),
            ("opa/b.rego", module("b", "f(x) := x + 1\n")),
        ]);
        assert!(result.is_ok(), "{rules}: {}", result.unwrap_err());
    }
}

#[test]
fn roots_are_the_first_names_of_everything_in_the_pack() {
    let deployable = look(&[
        ("opa/a.rego", "package zoo.animals\n\nlion := 1\n".to_owned()),
        ("opa/b.rego", "package cos.a\n\nlimit := 1\n".to_owned()),
        ("data/retention.json", "{}".to_owned()),
    ])
    .unwrap();
    assert_eq!(deployable.roots(), ["cos", "zoo"]);
}

#[test]
fn rego_that_cannot_be_read_is_left_to_opa_only_when_that_is_asked_for() {
    let rules = PreflightRules {
        unreadable: UnreadableRego::Warn,
        ..PreflightRules::default()
    };
    let files = [
        ("opa/a.rego", module("a", "allow if !! what\n")),
        ("data/limits.json", "{}".to_owned()),
    ];
    assert!(matches!(refused(look(&files)), PreflightError::Rego { .. }));
    let deployable = preflight(pack(&files), &rules).unwrap();
    assert!(
        deployable.warning().unwrap().contains("opa/a.rego:3:"),
        "{:?}",
        deployable.warning()
    );
    assert_eq!(deployable.roots(), ["cos"]);
    assert_eq!(versions(&deployable), [1]);
    // What can be read is judged as ever.
    let collision = [
        ("opa/a.rego", module("a", "limits := 1\n")),
        ("data/a.json", json!({"limits": 1}).to_string()),
    ];
    assert!(matches!(
        preflight(pack(&collision), &rules),
        Err(PreflightError::Collision { .. })
    ));
    assert_eq!(
        preflight(pack(&[("opa/a.rego", module("a", NEUTRAL))]), &rules)
            .unwrap()
            .warning(),
        None
    );
}
