//! `/metrics`: the tool's registry and what every process says about itself, as OpenMetrics 1.0 text. Names follow the
//! conventions of Prometheus' own clients.

use crate::build_info::BuildInfo;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::fmt;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `build_info` and the process; the tool's registry must not have them too.
pub(super) fn own_registry(build: BuildInfo) -> Registry {
    let mut registry = Registry::default();
    let labels = vec![
        ("name", build.name),
        ("version", build.version),
        ("commit", build.commit_or_unknown()),
    ];
    registry.register("build", "Name, version and commit of this binary", Info::new(labels));
    #[cfg(target_os = "linux")]
    registry.register_collector(Box::new(process::Process));
    registry
}

pub(super) fn render(own: &Registry, tool: &Registry) -> Response {
    match text(own, tool) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn text(own: &Registry, tool: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::with_capacity(4096);
    encode_registry(&mut text, own)?;
    encode_registry(&mut text, tool)?;
    encode_eof(&mut text)?;
    Ok(text)
}

#[cfg(target_os = "linux")]
mod process {
    //! Read from /proc at each scrape; what cannot be read is left out.

    use procfs::WithCurrentSystemInfo;
    use prometheus_client::collector::Collector;
    use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
    use prometheus_client::metrics::counter::ConstCounter;
    use prometheus_client::metrics::gauge::ConstGauge;
    use std::fmt;

    #[derive(Debug)]
    pub(super) struct Process;

    impl Collector for Process {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
            let Ok(process) = procfs::process::Process::myself() else {
                return Ok(());
            };
            if let Ok(stat) = process.stat() {
                let ticks = procfs::ticks_per_second();
                let seconds = (stat.utime + stat.stime) as f64 / ticks as f64;
                counter(
                    &mut encoder,
                    "process_cpu_seconds",
                    "CPU time used, in user and kernel mode",
                    seconds,
                )?;
                gauge(
                    &mut encoder,
                    "process_resident_memory_bytes",
                    "Memory in RAM",
                    stat.rss_bytes().get() as f64,
                )?;
                gauge(
                    &mut encoder,
                    "process_virtual_memory_bytes",
                    "Memory mapped",
                    stat.vsize as f64,
                )?;
                gauge(&mut encoder, "process_threads", "Threads", stat.num_threads as f64)?;
                if let Ok(boot) = procfs::boot_time_secs() {
                    let start = boot as f64 + stat.starttime as f64 / ticks as f64;
                    gauge(
                        &mut encoder,
                        "process_start_time_seconds",
                        "Start, in seconds since 1970",
                        start,
                    )?;
                }
            }
            if let Ok(open) = process.fd_count() {
                gauge(&mut encoder, "process_open_fds", "Open file descriptors", open as f64)?;
            }
            if let Ok(limits) = process.limits()
                && let procfs::process::LimitValue::Value(max) = limits.max_open_files.soft_limit
            {
                gauge(&mut encoder, "process_max_fds", "Allowed file descriptors", max as f64)?;
            }
            Ok(())
        }
    }

    fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result<(), fmt::Error> {
        let metric = ConstGauge::new(value);
        metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
    }

    fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result<(), fmt::Error> {
        let metric = ConstCounter::new(value);
        metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn both_registries_are_shown_and_the_end_is_marked_once() {
        let own = own_registry(BuildInfo {
            name: "tool",
            version: "1.2.3",
            commit: None,
        });
        let mut tool = Registry::default();
        let polls: Counter = Counter::default();
        polls.inc_by(3);
        tool.register("polls", "Polls", polls);
        let text = text(&own, &tool).expect("text");
        assert!(
            text.contains("build_info{name=\"tool\",version=\"1.2.3\",commit=\"unknown\"} 1"),
            "{text}"
        );
        assert!(text.contains("polls_total 3"), "{text}");
        assert_eq!(text.matches("# EOF").count(), 1, "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_is_measured() {
        let own = own_registry(BuildInfo {
            name: "tool",
            version: "1",
            commit: None,
        });
        let text = text(&own, &Registry::default()).expect("text");
        let value = |name: &str| -> f64 {
            let line = text
                .lines()
                .find(|l| l.starts_with(&format!("{name} ")))
                .unwrap_or_else(|| panic!("{name} in {text}"));
            line.rsplit(' ').next().expect("value").parse().expect("number")
        };
        assert!(value("process_resident_memory_bytes") > 500_000.0);
        assert!(value("process_open_fds") >= 3.0);
        assert!(value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_cpu_seconds_total") >= 0.0);
        // Started after 2020 and not in the future by the clock of the machine.
        let now = jiff::Timestamp::now().as_second() as f64;
        assert!((1_577_836_800.0..=now + 2.0).contains(&value("process_start_time_seconds")));
    }
}
