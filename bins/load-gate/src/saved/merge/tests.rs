use super::super::samples::{Shape, run};
use super::*;
use runtime::exit::chain;

fn part(name: &str, shape: &Shape) -> Part {
    let (doc, tally) = run(shape);
    Part {
        saved: Saved {
            name: name.to_owned(),
            doc,
        },
        tally,
    }
}

fn pods(shape: impl Fn(u64) -> Shape) -> Vec<Part> {
    (0..3)
        .map(|pod| part(&format!("out/result-{pod}.json"), &shape(pod)))
        .collect()
}

fn merged(parts: &[Part]) -> ResultDoc {
    merge(parts, &MergeRules::default()).unwrap()
}

fn refused(parts: &[Part], rules: &MergeRules) -> String {
    let failure = merge(parts, rules).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    chain(&failure.error)
}

#[test]
fn together_they_say_what_none_can_say_alone() {
    // 59 requests are needed for p(95); each pod has 40.
    let parts = pods(|pod| Shape::two(39, 10.0, 1, 20.0 + pod as f64));
    for part in &parts {
        assert_eq!(part.saved.doc.judgement.verdict, Verdict::Inconclusive);
    }
    let doc = merged(&parts);
    assert_eq!(doc.judgement.verdict, Verdict::Pass, "{:?}", doc.judgement.reasons);
    assert_eq!((doc.exit_code, doc.summary.scheduled), (0, 120));
    assert!((doc.judgement.completed - 1.0).abs() < 1e-9);
    assert_eq!(doc.config["merged_from"][2]["file"], "out/result-2.json");
    let again = Saved {
        name: "merged.json".to_owned(),
        doc: ResultDoc::parse("merged.json", doc.to_json().unwrap().as_bytes()).unwrap(),
    };
    assert_eq!(again.tally().unwrap().scheduled(), 120);
}

#[test]
fn the_verdict_is_about_the_merged_distribution_and_not_a_vote() {
    // One pod of three is slow: a third of all requests.
    let parts = pods(|pod| Shape::plain(1000, if pod == 1 { 900.0 } else { 10.0 + pod as f64 }));
    let verdicts: Vec<Verdict> = parts.iter().map(|part| part.saved.doc.judgement.verdict).collect();
    assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail, Verdict::Pass]);
    let doc = merged(&parts);
    assert_eq!((doc.judgement.verdict, doc.exit_code), (Verdict::Fail, 1));
    assert_eq!(doc.judgement.thresholds[0].bad, 1000);
    assert_eq!(doc.judgement.thresholds[0].samples, 3000);
}

#[test]
fn an_invalid_pod_spoils_the_whole_by_name() {
    let mut parts = pods(|pod| Shape::two(999, 10.0, 1, 11.0 + pod as f64));
    parts[1].saved.doc.judgement.validity.problems = vec!["requests were sent late".to_owned()];
    let doc = merged(&parts);
    assert_eq!((doc.judgement.verdict, doc.exit_code), (Verdict::Invalid, 3));
    assert!(
        doc.judgement.reasons[0].contains("out/result-1.json: requests were sent late"),
        "{:?}",
        doc.judgement.reasons
    );
}

#[test]
fn missing_results_are_named_and_never_a_pass() {
    let parts = pods(|pod| Shape::two(999, 10.0, 1, 11.0 + pod as f64));
    let rules = MergeRules {
        expect: Some(5),
        ..MergeRules::default()
    };
    let doc = merge(&parts, &rules).unwrap();
    assert_eq!(doc.judgement.verdict, Verdict::Inconclusive);
    assert_eq!(
        doc.judgement.reasons[0],
        "3 of 5 results are there; missing by the numbers of the files: 3, 4"
    );
    let failing = pods(|pod| Shape::plain(1000, 900.0 + pod as f64));
    assert_eq!(merge(&failing, &rules).unwrap().judgement.verdict, Verdict::Fail);
    let rules = MergeRules {
        expect: Some(2),
        ..MergeRules::default()
    };
    assert!(refused(&parts, &rules).contains("earlier run"));
}

#[test]
fn numbers_are_read_from_names() {
    for (name, expected) in [
        ("result-3.json", Some(3)),
        ("/tmp/2024/pod-12.json", Some(12)),
        ("r07", Some(7)),
        ("run2/pod-b.json", None),
        ("1/2/x", None),
    ] {
        assert_eq!(number(name), expected, "{name}");
    }
    let words = missing(&["a.json", "b.json"], Some(3)).unwrap().unwrap();
    assert_eq!(words, "2 of 3 results are there: a.json, b.json");
}

#[test]
fn other_plans_and_doubles_are_refused() {
    let mut parts = pods(|pod| Shape::two(999, 10.0, 1, 11.0 + pod as f64));
    parts[2].saved.doc.config["rate"] = 100.into();
    let text = refused(&parts, &MergeRules::default());
    assert!(text.contains("result-2.json") && text.contains("/rate"), "{text}");
    parts[2] = parts[0].clone();
    let text = refused(&parts, &MergeRules::default());
    assert!(text.contains("are the same result"), "{text}");
    let other = part(
        "x-9.json",
        &Shape {
            thresholds: vec!["http_req_duration=p(95)<100"],
            ..Shape::plain(1000, 10.0)
        },
    );
    let text = refused(&[parts[0].clone(), other], &MergeRules::default());
    assert!(text.contains("the thresholds differ"), "{text}");
    assert!(refused(&[], &MergeRules::default()).contains("nothing to merge"));
}

#[test]
fn a_seed_of_its_own_is_no_other_plan() {
    let mut parts = pods(|pod| Shape::two(999, 10.0, 1, 11.0 + pod as f64));
    for (seed, part) in parts.iter_mut().enumerate() {
        part.saved.doc.config["seed"] = seed.into();
    }
    assert_eq!(merged(&parts).judgement.verdict, Verdict::Pass);
}

#[test]
fn runs_that_did_not_overlap_are_refused_unless_that_is_meant() {
    let mut parts = pods(|pod| Shape::two(999, 10.0, 1, 11.0 + pod as f64));
    let hour = jiff::SignedDuration::from_hours(1);
    parts[2].saved.doc.started_at += hour;
    parts[2].saved.doc.finished_at += hour;
    assert!(refused(&parts, &MergeRules::default()).contains("--allow-apart"));
    let rules = MergeRules {
        allow_apart: true,
        ..MergeRules::default()
    };
    assert_eq!(merge(&parts, &rules).unwrap().judgement.verdict, Verdict::Pass);
}

#[test]
fn a_pod_that_reached_nothing_fails_the_whole() {
    let mut parts = pods(|pod| Shape::two(999, 10.0, 1, 11.0 + pod as f64));
    parts[1] = part(
        "out/result-1.json",
        &Shape {
            planned: 1000,
            ..Shape::failing(0, 1.0, 5)
        },
    );
    parts[1].saved.doc.judgement.stop = Some(Stop::NoSuccess {
        cause: "connection refused".to_owned(),
    });
    let doc = merged(&parts);
    assert_eq!(doc.judgement.verdict, Verdict::Fail);
    assert_eq!(
        doc.judgement.reasons[0],
        "out/result-1.json: no request succeeded: connection refused"
    );
}

#[test]
fn an_interrupted_or_early_stopped_pod_leaves_no_pass() {
    let shape = |pod: u64| Shape::two(999, 10.0, 1, 11.0 + pod as f64);
    let mut parts = pods(shape);
    parts[0].saved.doc.partial = true;
    assert_eq!(merged(&parts).judgement.verdict, Verdict::Inconclusive);
    let mut parts = pods(shape);
    parts[1] = part(
        "out/result-1.json",
        &Shape {
            planned: 1000,
            ..Shape::plain(300, 12.0)
        },
    );
    parts[1].saved.doc.judgement.stop = Some(Stop::Decided {
        threshold: "http_req_duration p(95)<350".to_owned(),
    });
    assert_eq!(merged(&parts).judgement.verdict, Verdict::Inconclusive);
}

#[test]
fn other_thresholds_can_be_asked_of_the_whole() {
    let parts = pods(|pod| Shape::two(990, 10.0, 10, 400.0 + pod as f64));
    let judged = |flag: &str| {
        let rules = MergeRules {
            thresholds: vec![Threshold::parse_flag(flag).unwrap()],
            ..MergeRules::default()
        };
        merge(&parts, &rules).unwrap().judgement.verdict
    };
    assert_eq!(judged("http_req_duration=p(95)<350"), Verdict::Pass);
    assert_eq!(judged("http_req_duration=p(99.9)<350"), Verdict::Fail);
}
