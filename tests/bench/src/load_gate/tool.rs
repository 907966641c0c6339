//! Owns the load tools: how each is told to do the same, and where in its output the figures are.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde::Serialize;
use serde_json::Value;
use tools::Tool;

use super::child::{self, Usage};
use crate::args::Setup;

const QUERY: &str = r#"{"query":"{ __typename }"}"#;
/// Connections of tools that do not open more when they need them: oha's default.
const CONNECTIONS: &str = "50";

/// A load tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Which {
    LoadGate,
    Oha,
    /// With its latency correction, which counts from when a request should have been sent.
    OhaCorrected,
    K6,
    Wrk,
}

impl Which {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LoadGate => "load-gate",
            Self::Oha => "oha",
            Self::OhaCorrected => "oha --latency-correction",
            Self::K6 => "k6",
            Self::Wrk => "wrk",
        }
    }
}

/// What a tool is told to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    /// Requests a second; as many as it can when `None`.
    pub(crate) rate: Option<u32>,
    pub(crate) duration: Duration,
    /// Give it one core; wherever the system puts it when `None`.
    pub(crate) core: Option<usize>,
}

/// What a tool says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reported {
    /// Responses, or attempts where it does not tell them apart.
    pub(crate) requests: f64,
    /// The figures that it would be judged by; infinite when it says so.
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    /// Its own lateness, where it tells.
    pub(crate) lag_ms: Option<f64>,
}

/// All tools, found before anything is measured.
pub(crate) struct Tools {
    load_gate: PathBuf,
    oha: PathBuf,
    k6: PathBuf,
    wrk: PathBuf,
    taskset: bool,
}

impl Tools {
    pub(crate) fn find(setup: &Setup) -> anyhow::Result<Self> {
        let load_gate = setup
            .load_gate
            .clone()
            .context("the release binary of load-gate is needed; `make build` makes it (--load-gate, or LOAD_GATE)")?;
        let peer = |tool| {
            tools::ensure(tool).with_context(|| format!("{tool} is needed: `cargo run -p tools -- ensure {tool}`"))
        };
        let taskset = Command::new("taskset").arg("--version").output();
        Ok(Self {
            load_gate,
            oha: peer(Tool::Oha)?,
            k6: peer(Tool::K6)?,
            wrk: peer(Tool::Wrk)?,
            taskset: taskset.is_ok_and(|output| output.status.success()),
        })
    }

    pub(crate) fn load_gate(&self) -> &Path {
        &self.load_gate
    }

    /// Whether a tool can be held to one core.
    pub(crate) fn can_pin(&self) -> bool {
        self.taskset
    }

    /// Lets a tool do its job.
    pub(crate) fn run(&self, which: Which, job: &Job, url: &str, folder: &Path) -> anyhow::Result<(Usage, Reported)> {
        let mut command = self.command(which, job, url, folder)?;
        if let Some(core) = job.core {
            let mut pinned = Command::new("taskset");
            pinned
                .arg("--cpu-list")
                .arg(core.to_string())
                .arg(command.get_program())
                .args(command.get_args());
            command = pinned;
        }
        // What it says is measured here, not whether it likes it.
        let codes: &[i32] = match which {
            Which::LoadGate => &[0, 1, 3],
            _ => &[0],
        };
        let (usage, stdout) = child::run(&mut command, folder, job.duration, codes)
            .with_context(|| format!("{} at {:?} requests/s", which.name(), job.rate))?;
        let reported = match which {
            Which::LoadGate => of_load_gate(&json(&folder.join("result.json"))?),
            Which::Oha | Which::OhaCorrected => of_oha(&serde_json::from_str(&stdout).context("reading oha's JSON")?),
            Which::K6 => of_k6(&json(&folder.join("k6.json"))?),
            Which::Wrk => of_wrk(&stdout),
        };
        let reported = reported.with_context(|| format!("a figure is not where {} should have it", which.name()))?;
        ensure!(reported.requests > 0.0, "{} made no request", which.name());
        Ok((usage, reported))
    }

    fn command(&self, which: Which, job: &Job, url: &str, folder: &Path) -> anyhow::Result<Command> {
        let seconds = format!("{}s", job.duration.as_secs());
        let mut command;
        match which {
            Which::LoadGate => {
                command = Command::new(&self.load_gate);
                let rate = job.rate.context("load-gate has no mode without a rate")?;
                command
                    .args([
                        "run",
                        "--url",
                        url,
                        "--method",
                        "POST",
                        "--header",
                        "Content-Type: application/json",
                        "--body",
                        QUERY,
                        "--duration",
                        &seconds,
                    ])
                    .args(["--rate", &rate.to_string(), "--check", "status==200"])
                    .args(["--threshold", "http_req_duration=p(95)<350", "--early-stop", "never"])
                    .args(["--result", "result.json"]);
            }
            Which::Oha | Which::OhaCorrected => {
                command = Command::new(&self.oha);
                command.args(["-z", &seconds, "-c", CONNECTIONS, "--no-tui", "--output-format", "json"]);
                command.args(["-m", "POST", "-T", "application/json", "-d", QUERY]);
                if let Some(rate) = job.rate {
                    command.args(["-q", &rate.to_string()]);
                }
                if which == Which::OhaCorrected {
                    command.arg("--latency-correction");
                }
                command.arg(url);
            }
            Which::K6 => {
                let rate = job.rate.context("k6 is only run at a rate")?;
                std::fs::write(folder.join("script.js"), k6_script(url, rate, &seconds))
                    .context("writing the script")?;
                command = Command::new(&self.k6);
                command.args(["run", "--quiet", "--no-usage-report", "--address", "127.0.0.1:0"]);
                command.args(["--summary-export", "k6.json", "script.js"]);
            }
            Which::Wrk => {
                std::fs::write(folder.join("post.lua"), wrk_script()).context("writing the script")?;
                command = Command::new(&self.wrk);
                command.args([
                    "-t",
                    "1",
                    "-c",
                    CONNECTIONS,
                    "-d",
                    &seconds,
                    "--latency",
                    "-s",
                    "post.lua",
                    url,
                ]);
            }
        }
        Ok(command)
    }
}

fn k6_script(url: &str, rate: u32, duration: &str) -> String {
    format!(
        "import http from 'k6/http';\n\
         import {{ check }} from 'k6';\n\
         export const options = {{\n\
           summaryTrendStats: ['med', 'p(95)', 'p(99)'],\n\
           scenarios: {{ load: {{ executor: 'constant-arrival-rate', rate: {rate}, timeUnit: '1s',\n\
             duration: '{duration}', preAllocatedVUs: 50, maxVUs: 1000 }} }},\n\
         }};\n\
         const body = '{QUERY}';\n\
         const params = {{ headers: {{ 'Content-Type': 'application/json' }} }};\n\
         export default function () {{\n\
           const response = http.post('{url}', body, params);\n\
           check(response, {{ 'status is 200': (response) => response.status === 200 }});\n\
         }}\n"
    )
}

fn wrk_script() -> String {
    format!("wrk.method = 'POST'\nwrk.body = '{QUERY}'\nwrk.headers['Content-Type'] = 'application/json'\n")
}

fn json(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

fn of_load_gate(result: &Value) -> Option<Reported> {
    let summary = &result["summary"];
    let quantile = |percent: f64| {
        let row = summary["latency"].as_array()?.iter().find(|row| {
            row["percent"]
                .as_f64()
                .is_some_and(|found| (found - percent).abs() < 1e-9)
        })?;
        // `null` is infinity.
        Some(row["judged_ms"].as_f64().unwrap_or(f64::INFINITY))
    };
    Some(Reported {
        requests: summary["scheduled"].as_f64()?,
        p95_ms: quantile(95.0)?,
        p99_ms: quantile(99.0)?,
        lag_ms: Some(result["judgement"]["validity"]["lag_p50_ms"].as_f64()?),
    })
}

fn of_oha(result: &Value) -> Option<Reported> {
    let percentile = |name: &str| Some(result["latencyPercentiles"][name].as_f64()? * 1e3);
    Some(Reported {
        requests: result["statusCodeDistribution"]
            .as_object()?
            .values()
            .filter_map(Value::as_f64)
            .sum(),
        p95_ms: percentile("p95")?,
        p99_ms: percentile("p99")?,
        lag_ms: None,
    })
}

fn of_k6(result: &Value) -> Option<Reported> {
    let duration = &result["metrics"]["http_req_duration"];
    Some(Reported {
        requests: result["metrics"]["http_reqs"]["count"].as_f64()?,
        p95_ms: duration["p(95)"].as_f64()?,
        p99_ms: duration["p(99)"].as_f64()?,
        lag_ms: None,
    })
}

/// ```text
///     99%    1.42ms
///   631415 requests in 4.00s, 61.42MB read
/// ```
fn of_wrk(text: &str) -> Option<Reported> {
    let requests = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))?
        .0
        .parse()
        .ok()?;
    let p99 = text.lines().find_map(|line| line.trim().strip_prefix("99%"))?.trim();
    let split = p99.find(|c: char| c.is_ascii_alphabetic())?;
    let unit = match &p99[split..] {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        _ => return None,
    };
    Some(Reported {
        requests,
        // wrk has no 95th percentile.
        p95_ms: f64::NAN,
        p99_ms: p99[..split].parse::<f64>().ok()? * unit,
        lag_ms: None,
    })
}

#[cfg(test)]
mod tests {
    use super::{of_k6, of_load_gate, of_oha, of_wrk};
    use serde_json::json;

    #[test]
    fn figures_are_found_where_each_tool_has_them() {
        let oha = json!({"latencyPercentiles": {"p95": 0.0013, "p99": 0.0047}, "statusCodeDistribution": {"200": 1999, "500": 1}});
        let found = of_oha(&oha).unwrap();
        assert!((found.p95_ms - 1.3).abs() < 1e-9 && (found.requests - 2000.0).abs() < 1e-9);
        let k6 = json!({"metrics": {"http_reqs": {"count": 5}, "http_req_duration": {"p(95)": 1.5, "p(99)": 2.5}}});
        assert!((of_k6(&k6).unwrap().p99_ms - 2.5).abs() < 1e-9);
        let wrk =
            of_wrk("  Latency Distribution\n     99%    1.42ms\n  631415 requests in 4.00s, 61.42MB read\n").unwrap();
        assert!((wrk.requests - 631_415.0).abs() < 1e-9 && (wrk.p99_ms - 1.42).abs() < 1e-9);
        assert!(of_wrk("nothing").is_none());
        let load_gate = json!({
            "summary": {"scheduled": 10, "latency": [{"percent": 95.0, "judged_ms": 1.0}, {"percent": 99.0, "judged_ms": null}]},
            "judgement": {"validity": {"lag_p50_ms": 0.05}},
        });
        let found = of_load_gate(&load_gate).unwrap();
        assert!(found.p99_ms.is_infinite() && found.lag_ms.is_some());
    }
}
