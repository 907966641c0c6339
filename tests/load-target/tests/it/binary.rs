//! The binary: addresses as JSON, the truth over HTTP.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use load_target::{Kind, Truth};
use serde_json::Value;

use crate::client::Http1;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(args: &[&str]) -> (Running, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_load-target"))
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (Running(child), serde_json::from_str(&line).unwrap())
}

fn address(url: &Value) -> SocketAddr {
    let rest = url.as_str().unwrap().split_once("://").unwrap().1;
    rest.split('/').next().unwrap().parse().unwrap()
}

fn truth(addresses: &Value, method: &str) -> String {
    let mut client = Http1::to(address(&addresses["truth_url"]));
    client.send_bytes(&format!(
        "{method} /_truth HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    ));
    client.read_to_end().unwrap()
}

#[test]
fn the_truth_is_told_over_http_and_can_be_emptied() {
    let (_running, addresses) = run(&["--fault", "error=1", "--seed", "3"]);
    assert_eq!(Http1::to(address(&addresses["url"])).ask("{}").unwrap().status, 500);
    let told = truth(&addresses, "GET");
    let told: Truth = serde_json::from_str(told.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((told.count(Kind::Error), told.total()), (1, 1));
    assert!(truth(&addresses, "DELETE").starts_with("HTTP/1.1 204"));
    assert!(truth(&addresses, "GET").contains(r#""requests":[]"#));
    assert!(truth(&addresses, "PATCH").starts_with("HTTP/1.1 405"));
}

#[test]
fn json_does_for_flags() {
    let folder = std::env::temp_dir().join(format!("load-target-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ca = folder.join("ca.pem");
    let (_running, addresses) = run(&["--config", r#"{"tls":true}"#, "--ca-file", ca.to_str().unwrap()]);
    assert!(addresses["url"].as_str().unwrap().starts_with("https://127.0.0.1:"));
    assert!(
        std::fs::read_to_string(&ca)
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_cannot_be_is_refused() {
    for args in [
        ["--latency", "soon"],
        ["--fault", "error=6"],
        ["--config", "{\"latency_ms\":5}"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_load-target"))
            .args(args)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_load-target"))
        .args(["--listen", &taken.local_addr().unwrap().to_string()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "));
}
