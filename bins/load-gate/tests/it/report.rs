//! `report`, `compare`, `merge` and `schema` on results that real runs left behind.

use std::path::{Path, PathBuf};

use load_target::{Latency, Target, TargetConfig};
use serde_json::Value;

use crate::process::load_gate;
use program::{Ended, run};

/// A folder with results.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arg(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A run of 200 requests in a second, and its result under that name.
    fn run(&self, name: &str, target: &Target, args: &[&str]) -> Ended {
        let mut command = load_gate(["run", "--url", &target.url(), "--graphql", "{ __typename }"]);
        if !args.contains(&"--rate") {
            command.args(["--rate", "200", "--duration", "1s"]);
        }
        command.args(["--early-stop", "never"]);
        command
            .args(["--max-lag", "5s", "--result"])
            .arg(self.path(name))
            .args(args);
        run(&mut command)
    }

    fn result(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    fn write(&self, name: &str, value: &Value) {
        std::fs::write(self.path(name), value.to_string()).unwrap();
    }
}

fn target(ms: f64) -> Target {
    Target::start(TargetConfig {
        latency: Latency::Fixed { ms },
        ..TargetConfig::default()
    })
    .unwrap()
}

const LENIENT: [&str; 2] = ["--threshold", "http_req_duration=p(95)<2000"];

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_result_is_rendered_and_judged_again() {
    let (desk, target) = (Desk::new(), target(30.0));
    let ended = desk.run("r.json", &target, &LENIENT);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let result = desk.arg("r.json");

    let files = ["r.html", "r.xml", "r.md", "k6.json"].map(|name| desk.arg(name));
    let [html, junit, markdown, k6] = &files;
    let ended = run(&mut load_gate([
        "report",
        &result,
        "--html",
        html,
        "--junit",
        junit,
        "--markdown",
        markdown,
        "--summary-export",
        k6,
    ]));
    assert_eq!(
        (ended.code, &ended.json()["verdict"]),
        (Some(0), &"PASS".into()),
        "{ended:?}"
    );
    assert!(text(&desk.path("r.html")).contains("<svg"));
    assert!(text(&desk.path("r.xml")).contains("<testcase"));
    assert!(text(&desk.path("r.md")).contains("PASS"));
    assert_eq!(
        desk.result("k6.json")["metrics"]["http_req_duration"]["thresholds"]["p(95)<2000"],
        false
    );

    let stricter = ["report", &result, "--threshold", "http_req_duration=p(95)<10"];
    let ended = run(load_gate(stricter).args(["--result", &desk.arg("again.json")]));
    assert_eq!(
        (ended.code, &ended.json()["verdict"]),
        (Some(1), &"FAIL".into()),
        "{ended:?}"
    );
    let ended = run(&mut load_gate(["report", &desk.arg("again.json")]));
    assert_eq!(ended.code, Some(1), "the new judgement is what was saved: {ended:?}");
    let ended = run(&mut load_gate([
        "report",
        &result,
        "--threshold",
        "http_req_duration=p(99)<2000",
    ]));
    assert_eq!(ended.code, Some(3), "200 requests cannot show a p(99): {ended:?}");
    let ended = run(&mut load_gate(["report", &result, "--output", "human"]));
    assert!(
        ended.stdout.contains("PASS") && ended.stdout.contains("p(95)<2000"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_result_may_come_from_stdin() {
    let (desk, target) = (Desk::new(), target(1.0));
    desk.run("r.json", &target, &LENIENT);
    let file = std::fs::File::open(desk.path("r.json")).unwrap();
    let ended = run(load_gate(["report", "-"]).stdin(file));
    assert_eq!((ended.code, &ended.json()["ok"]), (Some(0), &true.into()), "{ended:?}");
}

#[test]
fn what_is_no_result_is_named() {
    let (desk, target) = (Desk::new(), target(1.0));
    desk.run("r.json", &target, &LENIENT);
    let whole = text(&desk.path("r.json"));
    std::fs::write(desk.path("torn.json"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(desk.path("empty.json"), "").unwrap();
    std::fs::write(desk.path("page.json"), "<html>").unwrap();
    let mut damaged = desk.result("r.json");
    damaged["tally"]["outcomes"]["ok"] = 7.into();
    desk.write("damaged.json", &damaged);
    for (name, says) in [
        ("torn.json", "torn"),
        ("empty.json", "empty"),
        ("page.json", "not JSON"),
        ("missing.json", "No such file"),
    ] {
        let ended = run(&mut load_gate(["report", &desk.arg(name)]));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        assert!(
            ended.stderr.contains(name) && ended.stderr.contains(says),
            "{}",
            ended.stderr
        );
    }
    let judged = [
        "report",
        &desk.arg("damaged.json"),
        "--threshold",
        "http_req_duration=p(95)<2000",
    ];
    let ended = run(&mut load_gate(judged));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("damaged"), "{}", ended.stderr);
    let judged = [
        "report",
        &desk.arg("r.json"),
        "--threshold",
        "http_req_duration=p(95)<3O0",
    ];
    let ended = run(&mut load_gate(judged));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("3O0"), "{}", ended.stderr);
}

#[test]
fn a_slower_candidate_breaks_the_limit() {
    let desk = Desk::new();
    let args = [&LENIENT[..], &["--rate", "500", "--duration", "2s"]].concat();
    desk.run("base.json", &target(10.0), &args);
    desk.run("slow.json", &target(40.0), &args);
    let (base, slow) = (desk.arg("base.json"), desk.arg("slow.json"));
    let ended = run(&mut load_gate(["compare", &base, &slow]));
    assert_eq!(
        (ended.code, &ended.json()["verdict"]),
        (Some(0), &Value::Null),
        "{ended:?}"
    );
    let median = &ended.json()["comparison"]["quantiles"][0];
    let difference = median["difference_ms"].as_f64().unwrap();
    assert!((25.0..40.0).contains(&difference), "{median}");
    let faster = ended.json()["comparison"]["faster"].as_f64().unwrap();
    assert!(faster < 0.2, "{faster}");

    let gate = |base: &str, candidate: &str, limit: &str| {
        run(&mut load_gate(["compare", base, candidate, "--fail-if", limit]))
    };
    let ended = gate(&base, &slow, "med>+20%");
    assert_eq!((ended.code, &ended.json()["ok"]), (Some(1), &false.into()), "{ended:?}");
    let ended = gate(&slow, &base, "med>+20%");
    assert_eq!((ended.code, &ended.json()["ok"]), (Some(0), &true.into()), "{ended:?}");
    let ended = gate(&base, &slow, "failed>+0.1%");
    assert_eq!(
        ended.code,
        Some(3),
        "200 requests cannot show a tenth of a percent: {ended:?}"
    );
    let ended = gate(&base, &slow, "p(95)<+20%");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let ended = run(&mut load_gate(["compare", &base, &slow, "--output", "human"]));
    assert!(ended.stdout.contains("slower"), "{}", ended.stdout);
}

#[test]
fn pods_become_one_result() {
    let (desk, target) = (Desk::new(), target(5.0));
    // 200 requests cannot show a p(99), two times 200 can.
    let alone = ["--no-thresholds"];
    for name in ["result-0.json", "result-1.json"] {
        let ended = desk.run(name, &target, &alone);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let (zero, one) = (desk.arg("result-0.json"), desk.arg("result-1.json"));
    let merge = |args: &[&str]| {
        run(load_gate(["merge", &zero, &one])
            .args(["--threshold", "http_req_duration=p(99)<2000"])
            .args(args))
    };
    let ended = merge(&[]);
    assert_eq!(ended.code, Some(2), "they ran one after the other: {ended:?}");
    assert!(ended.stderr.contains("--allow-apart"), "{}", ended.stderr);
    let ended = merge(&["--allow-apart", "--expect", "2", "--result", &desk.arg("merged.json")]);
    assert_eq!(
        (ended.code, &ended.json()["scheduled"]),
        (Some(0), &400.into()),
        "{ended:?}"
    );
    let merged = desk.result("merged.json");
    assert_eq!(merged["judgement"]["thresholds"][0]["samples"], 400);
    assert_eq!(merged["config"]["merged_from"][1]["file"], one.as_str());
    let ended = run(&mut load_gate([
        "report",
        &desk.arg("merged.json"),
        "--output",
        "human",
    ]));
    assert!(ended.stdout.contains("2 load-gates together"), "{}", ended.stdout);

    let ended = merge(&["--allow-apart", "--expect", "3"]);
    assert_eq!(
        (ended.code, &ended.json()["verdict"]),
        (Some(3), &"INCONCLUSIVE".into()),
        "{ended:?}"
    );
    assert!(
        ended.json()["reasons"][0]
            .as_str()
            .unwrap()
            .ends_with("missing by the numbers of the files: 2"),
        "{ended:?}"
    );
    let ended = run(&mut load_gate(["merge", &zero, &zero]));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("the same result"), "{}", ended.stderr);

    let mut late = desk.result("result-1.json");
    late["judgement"]["validity"]["problems"] = serde_json::json!(["requests were sent late"]);
    desk.write("result-1.json", &late);
    let ended = merge(&["--allow-apart"]);
    assert_eq!(
        (ended.code, &ended.json()["verdict"]),
        (Some(3), &"INVALID".into()),
        "{ended:?}"
    );
    assert!(
        ended.json()["reasons"][0].as_str().unwrap().contains("result-1.json"),
        "{ended:?}"
    );

    desk.run("other.json", &target, &["--no-thresholds", "--timeout", "9s"]);
    let ended = run(&mut load_gate([
        "merge",
        "--allow-apart",
        &zero,
        &desk.arg("other.json"),
    ]));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("/timeout"), "{}", ended.stderr);
}

#[test]
fn schemas_are_json_and_describe_what_is_written() {
    for (of, field) in [("scenario", "thresholds"), ("result", "judgement")] {
        let ended = run(&mut load_gate(["schema", of]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let schema: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert!(schema["properties"][field].is_object(), "{of}");
    }
}
