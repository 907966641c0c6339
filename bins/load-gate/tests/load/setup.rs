//! One run against one target, and everything that is known about it afterwards.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use load_target::{Fault, Kind, Latency, Target, TargetConfig, Truth};
use serde_json::Value;

use crate::process::load_gate;
use program::{Ended, Running};

/// Measurements take turns: two at a time would measure each other.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing behind that the next one could mind.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A target that answers after `ms`.
pub(crate) fn fixed(ms: f64) -> TargetConfig {
    TargetConfig {
        latency: Latency::Fixed { ms },
        ..TargetConfig::default()
    }
}

/// A target that answers after 2 ms and does this to a share of the requests.
pub(crate) fn faulty(kind: Kind, share: f64) -> TargetConfig {
    TargetConfig {
        faults: vec![Fault { kind, share }],
        ..fixed(2.0)
    }
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) ended: Ended,
    pub(crate) took: Duration,
    /// What `--result` wrote.
    pub(crate) result: Value,
    pub(crate) truth: Truth,
}

/// What is asked for when nothing else is said: 400 requests a second for 2 s.
pub(crate) const RATE: f64 = 400.0;

/// The usual options and the users' threshold, unless `args` say otherwise; thresholds of `args` come on top.
pub(crate) fn with_usual<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["--threshold", "http_req_duration=p(95)<350"];
    for [option, value] in [["--rate", "400"], ["--duration", "2s"]] {
        if !args.contains(&option) {
            all.extend([option, value]);
        }
    }
    all.extend(args);
    all
}

/// A `load-gate run` with a folder for its result.
pub(crate) struct Job {
    folder: tempfile::TempDir,
    command: Command,
    started: Instant,
}

impl Job {
    pub(crate) fn new(url: &str, args: &[&str]) -> Self {
        Self::scenario(&[&["--url", url, "--graphql", "{ __typename }"], args].concat())
    }

    /// With everything that is asked for in the arguments, or in files that they name.
    pub(crate) fn scenario(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = load_gate(["run"]);
        command
            .args(args)
            .arg("--result")
            .arg(folder.path().join("result.json"));
        Self {
            folder,
            command,
            started: Instant::now(),
        }
    }

    pub(crate) fn start(&mut self) -> Running {
        self.started = Instant::now();
        Running::start(&mut self.command)
    }

    pub(crate) fn result_file(&self) -> PathBuf {
        self.folder.path().join("result.json")
    }

    /// Waits for the end of what was started.
    pub(crate) fn finish(&self, running: Running, truth: impl FnOnce() -> Truth) -> Judged {
        let ended = running.wait();
        let took = self.started.elapsed();
        let text = std::fs::read_to_string(self.result_file())
            .unwrap_or_else(|error| panic!("no result ({error}): {ended:?}"));
        Judged {
            ended,
            took,
            result: serde_json::from_str(&text).unwrap(),
            truth: truth(),
        }
    }

    pub(crate) fn run(mut self, target: &Target) -> Judged {
        let running = self.start();
        self.finish(running, || target.truth())
    }
}

/// Runs the usual against a target; `args` come after the usual ones.
pub(crate) fn usual(config: TargetConfig, args: &[&str]) -> Judged {
    run(config, &with_usual(args))
}

/// How often a measurement is tried that the tool itself declares worthless, because this machine was too busy: such a
/// one is no evidence of anything, neither for the tool nor against it.
const TRIES: usize = 4;

/// Runs exactly this against a target, trusting its authority when it has one.
pub(crate) fn run(config: TargetConfig, args: &[&str]) -> Judged {
    for _ in 1..TRIES {
        let judged = once(config.clone(), args);
        if judged.verdict() != "INVALID" || args.contains(&"--max-lag") {
            return judged;
        }
    }
    once(config, args)
}

fn once(config: TargetConfig, args: &[&str]) -> Judged {
    let target = Target::start(config).unwrap();
    let mut job = Job::new(&target.url(), args);
    if let Some(pem) = target.ca_pem() {
        let file = job.folder.path().join("ca.pem");
        std::fs::write(&file, pem).unwrap();
        job.command.arg("--ca-file").arg(file);
    }
    job.run(&target)
}

impl Judged {
    fn verdict(&self) -> &str {
        self.result["judgement"]["verdict"].as_str().unwrap()
    }

    #[track_caller]
    pub(crate) fn expect(&self, verdict: &str, code: i32) -> &Self {
        assert_eq!(
            (self.verdict(), self.ended.code),
            (verdict, Some(code)),
            "{}",
            self.explained()
        );
        assert_eq!(self.result["exit_code"], code);
        self
    }

    /// For the message of a failed assertion.
    pub(crate) fn explained(&self) -> String {
        format!(
            "judgement {:#}\noutcomes {}\nstdout:\n{}\nstderr:\n{}",
            self.result["judgement"], self.result["summary"]["outcomes"], self.ended.stdout, self.ended.stderr
        )
    }

    pub(crate) fn scheduled(&self) -> u64 {
        self.result["summary"]["scheduled"].as_u64().unwrap()
    }

    pub(crate) fn outcome(&self, name: &str) -> u64 {
        self.result["summary"]["outcomes"][name].as_u64().unwrap_or(0)
    }

    /// Requests by how they ended, as the target knows it too: no request more or less, none sent twice.
    #[track_caller]
    pub(crate) fn expect_outcomes(&self, expected: &[(&str, Kind)]) -> &Self {
        let mut others = self.scheduled();
        for (name, kind) in expected {
            assert_eq!(
                self.outcome(name),
                self.truth.count(*kind) as u64,
                "{name}: {}",
                self.explained()
            );
            others -= self.outcome(name);
        }
        assert_eq!(self.outcome("ok"), others, "{}", self.explained());
        assert_eq!(self.truth.total(), self.scheduled(), "{}", self.explained());
        self
    }

    pub(crate) fn quantile(&self, percent: f64) -> Quantile {
        let rows = self.result["summary"]["latency"].as_array().unwrap();
        let row = rows
            .iter()
            .find(|row| (row["percent"].as_f64().unwrap() - percent).abs() < 1e-9)
            .unwrap_or_else(|| panic!("no p{percent} in {rows:?}"));
        let or_infinite = |value: &Value| value.as_f64().unwrap_or(f64::INFINITY);
        Quantile {
            judged: or_infinite(&row["judged_ms"]),
            low: row["interval"]["low"].as_f64().unwrap_or(f64::INFINITY),
            high: or_infinite(&row["interval"]["high"]),
            plain: row["plain_ms"].as_f64(),
        }
    }

    /// The truth lies in the stated interval. The target counts from a request's arrival, the tool from when it was due:
    /// the way there and back through this machine's loopback and scheduler is in the figure and not in the truth.
    #[track_caller]
    pub(crate) fn expect_truth(&self, percent: f64) -> &Self {
        let found = self.quantile(percent);
        let truth = self.truth.honest_quantile(percent / 100.0);
        let way = self.way_ms(percent);
        assert!(
            found.low <= truth + way && truth <= found.high,
            "p{percent}: the truth is {truth}, found {found:?}, allowing {way} ms for the way: {}",
            self.explained()
        );
        self
    }

    /// What the way may take: a millisecond, and as late as the tool says that it was.
    fn way_ms(&self, percent: f64) -> f64 {
        let validity = &self.result["judgement"]["validity"];
        let lag = if percent > 50.0 { "lag_p99_ms" } else { "lag_p50_ms" };
        1.0 + validity[lag].as_f64().unwrap()
    }
}

/// One row of the latency table, milliseconds.
#[derive(Debug)]
pub(crate) struct Quantile {
    pub(crate) judged: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) plain: Option<f64>,
}
