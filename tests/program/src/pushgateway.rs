//! A real Pushgateway of a test's own, and what it holds.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Longer than it takes to start on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
/// What Pushgateway itself says about each group.
const ITS_OWN: [&str; 2] = ["push_time_seconds", "push_failure_time_seconds"];

/// Series as they are written, without the labels of their group, and their values.
pub type Series = BTreeMap<String, f64>;

/// Killed when the test ends, however it ends.
pub struct Pushgateway {
    child: Child,
    /// `127.0.0.1:` and its port.
    address: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Pushgateway {
    /// Starts one on a free port that keeps nothing on disk, and waits until it listens.
    pub fn start(program: &Path) -> Self {
        let mut child = Command::new(program)
            .args(["--web.listen-address=127.0.0.1:0", "--persistence.file="])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Pushgateway starts");
        let log = BufReader::new(child.stderr.take().unwrap());
        let (send, receive) = mpsc::channel();
        // Reads to the end: a full pipe would stop Pushgateway.
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let address = line
                    .contains("Listening on")
                    .then(|| line.split_whitespace().find_map(|word| word.strip_prefix("address=")));
                if let Some(address) = address.flatten() {
                    // Nobody waits any more when the test has failed.
                    let _ = send.send(address.to_owned());
                }
            }
        });
        let address = receive.recv_timeout(LIMIT);
        if address.is_err() {
            // Both fail only when it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
        Self {
            address: address.expect("Pushgateway says where it listens"),
            child,
            client: runtime::http::client(&runtime::HttpOptions::new("test")).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    /// `http://127.0.0.1:{port}`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces a group by hand, as another program would.
    pub fn put(&self, group: &str, text: &'static str) {
        self.ask(self.client.put(format!("{}/metrics/{group}", self.url())).body(text));
    }

    /// What Prometheus would scrape.
    pub fn exposition(&self) -> String {
        self.ask(self.client.get(format!("{}/metrics", self.url())))
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.all().len()
    }

    /// The series that were pushed to the group with exactly these labels.
    pub fn group(&self, labels: &[(&str, &str)]) -> Option<Series> {
        let labels: BTreeMap<String, String> = owned(labels);
        let group = self.all().into_iter().find(|group| {
            let found: BTreeMap<String, String> = serde_json::from_value(group["labels"].clone()).unwrap();
            found == labels
        })?;
        let mut series = Series::new();
        for (name, family) in group.as_object().unwrap() {
            // Besides families there are `labels` and `last_push_successful`.
            let Some(metrics) = family.get("metrics") else { continue };
            if ITS_OWN.contains(&name.as_str()) {
                continue;
            }
            assert_eq!(family["type"], "GAUGE", "{name}");
            for metric in metrics.as_array().unwrap() {
                let own = without(metric["labels"].clone(), &labels);
                let value = metric["value"].as_str().unwrap().parse().unwrap();
                series.insert(written(name, &own), value);
            }
        }
        Some(series)
    }

    fn all(&self) -> Vec<Value> {
        let text = self.ask(self.client.get(format!("{}/api/v1/metrics", self.url())));
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        serde_json::from_value(answer["data"].take()).unwrap()
    }

    fn ask(&self, request: reqwest::RequestBuilder) -> String {
        self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let status = response.status();
            let text = response.text().await.unwrap();
            assert!(status.is_success(), "{status}: {text}");
            text
        })
    }
}

impl Drop for Pushgateway {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn owned(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// A series' own labels. Each has those of its group, and Pushgateway adds an empty `instance`.
fn without(labels: Value, group: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = serde_json::from_value(labels).unwrap();
    assert_eq!(labels.remove("instance").as_deref(), Some(""));
    for (name, value) in group {
        assert_eq!(labels.remove(name).as_ref(), Some(value), "{name}");
    }
    labels
}

/// `name{label="value"}`, with labels in the order of their names.
pub fn written(name: &str, labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    format!("{name}{{{}}}", labels.join(","))
}
