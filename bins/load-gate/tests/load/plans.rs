//! Plans as they are carried out: warm-up, sequential stops, scenarios with data, k6's options, samples.

use std::io::Read as _;
use std::time::Duration;

use load_target::{Kind, Target, TargetConfig};

use crate::setup::{Job, faulty, fixed, run, turn, usual};

#[test]
fn a_generator_that_is_too_late_is_invalid() {
    let _turn = turn();
    // No machine sends within a nanosecond.
    let judged = run(
        fixed(2.0),
        &[
            "--rate",
            "400",
            "--duration",
            "1s",
            "--threshold",
            "http_req_duration=p(95)<350",
            "--max-lag",
            "0.000001ms",
        ],
    );
    judged.expect("INVALID", 3);
    let problem = judged.result["judgement"]["validity"]["problems"][0].as_str().unwrap();
    assert!(problem.contains("late"), "{problem}");
}

#[test]
fn a_wrong_server_is_not_excused_by_a_late_generator() {
    let _turn = turn();
    let judged = usual(
        faulty(Kind::Error, 0.5),
        &["--max-lag", "0.000001ms", "--early-stop", "never"],
    );
    judged.expect("FAIL", 1);
}

#[test]
fn warm_up_is_sent_and_not_counted() {
    let _turn = turn();
    // Everything in the first half second is slow, and all of that is warm-up.
    let judged = usual(
        TargetConfig {
            freezes: vec![load_target::Freeze {
                from_ms: 0.0,
                for_ms: 450.0,
            }],
            ..fixed(2.0)
        },
        &["--warm-up", "500ms", "--duration", "1s"],
    );
    judged.expect("PASS", 0);
    assert_eq!((judged.scheduled(), judged.truth.total()), (400, 600));
    assert!(judged.quantile(100.0).judged < 350.0, "{:?}", judged.quantile(100.0));
}

#[test]
fn a_sequential_test_stops_when_it_is_sure() {
    let _turn = turn();
    let sequential = ["--duration", "1m", "--early-stop", "sequential"];
    for (config, verdict, code) in [(fixed(2.0), "PASS", 0), (faulty(Kind::Error, 0.2), "FAIL", 1)] {
        let judged = usual(config, &sequential);
        judged.expect(verdict, code);
        assert!(judged.took < Duration::from_secs(30), "{:?}", judged.took);
        assert_eq!(judged.result["partial"], false);
    }
}

#[test]
fn a_scenario_with_weights_tags_and_data() {
    let _turn = turn();
    let target = Target::start(TargetConfig {
        keep: 400,
        ..fixed(2.0)
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.csv"), "name,age\nann \"a\",30\nbob,40\n").unwrap();
    let scenario = folder.path().join("scenario.yaml");
    std::fs::write(
        &scenario,
        format!(
            "url: {}\nrate: 400\nduration: 1s\ndata: {{ file: users.csv }}\n\
             thresholds:\n  'http_req_duration{{op:read}}': ['p(95)<350']\n\
             requests:\n\
             - name: read\n  weight: 3\n  graphql: 'query($n: String) {{ user(name: $n) {{ age }} }}'\n  \
               variables: {{ n: '{{{{name}}}}' }}\n  tags: {{ op: read }}\n\
             - name: write\n  weight: 1\n  method: PUT\n  url: /age?of={{{{age}}}}\n  body: 'seq {{{{$seq}}}}'\n  tags: {{ op: write }}\n",
            target.url()
        ),
    )
    .unwrap();
    let judged = Job::scenario(&["--scenario", scenario.to_str().unwrap()]).run(&target);
    judged.expect("PASS", 0);
    let threshold = &judged.result["judgement"]["thresholds"][0];
    assert_eq!(threshold["samples"], 300, "three in four are reads: {threshold}");
    let seen = &judged.truth.seen;
    let (reads, writes): (Vec<_>, Vec<_>) = seen.iter().partition(|seen| seen.method == "POST");
    assert_eq!((reads.len(), writes.len()), (300, 100));
    let names: std::collections::BTreeSet<String> = reads
        .iter()
        .map(|seen| serde_json::from_str::<serde_json::Value>(&seen.body).unwrap()["variables"]["n"].to_string())
        .collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), [r#""ann \"a\"""#, r#""bob""#]);
    assert!(
        writes
            .iter()
            .all(|seen| ["/age?of=30", "/age?of=40"].contains(&seen.path.as_str()))
    );
    assert!(writes.iter().all(|seen| seen.body.starts_with("seq ")));
}

#[test]
fn k6_options_as_they_are() {
    let _turn = turn();
    let target = Target::start(faulty(Kind::Error, 0.2)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = folder.path().join("options.json");
    std::fs::write(
        &options,
        r#"{"scenarios": {"load": {"executor": "constant-arrival-rate", "rate": 400, "timeUnit": "1s", "duration": "30s",
            "preAllocatedVUs": 50, "maxVUs": 100}},
            "thresholds": {"http_req_duration": ["p(95)<350"],
                           "http_req_failed": [{"threshold": "rate<0.01", "abortOnFail": true, "delayAbortEval": "1s"}]}}"#,
    )
    .unwrap();
    let judged = Job::new(&target.url(), &["--k6-options", options.to_str().unwrap()]).run(&target);
    judged.expect("FAIL", 1);
    assert!(judged.took < Duration::from_secs(20), "{:?}", judged.took);
    assert_eq!(judged.result["judgement"]["stop"]["kind"], "decided");
}

#[test]
fn samples_are_one_row_a_request() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples.csv.gz");
    let judged = usual(
        faulty(Kind::Error, 0.01),
        &["--samples", file.to_str().unwrap(), "--early-stop", "never"],
    );
    judged.expect("PASS", 0);
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(&file).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let rows: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(rows.len() as u64, judged.scheduled());
    let failed = rows
        .iter()
        .filter(|row| row.split(',').any(|cell| cell == "http_error"))
        .count();
    assert_eq!(failed as u64, judged.outcome("http_error"));
}
