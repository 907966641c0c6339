//! `--samples FILE.csv.gz`: every request as a row, streamed, so that memory stays flat.

use anyhow::Context;
use flate2::{Compression, write::GzEncoder};
use load_plan::Plan;
use load_verdict::Sample;
use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};

const COLUMNS: [&str; 17] = [
    "due_ms",
    "scenario",
    "request",
    "warm_up",
    "status",
    "outcome",
    "total_ms",
    "lag_ms",
    "queue_ms",
    "connect_ms",
    "tls_ms",
    "first_byte_ms",
    "receive_ms",
    "sent_bytes",
    "received_bytes",
    "checks_made",
    "checks_failed",
];

/// The file, while the run goes on.
pub(crate) struct SampleFile {
    path: PathBuf,
    rows: csv::Writer<GzEncoder<BufWriter<File>>>,
    scenarios: Vec<String>,
    requests: Vec<String>,
}

impl SampleFile {
    /// Makes the file and writes the header.
    pub(crate) fn create(path: &Path, plan: &Plan) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write the samples file {}", path.display()))?;
        let mut rows = csv::Writer::from_writer(GzEncoder::new(BufWriter::new(file), Compression::fast()));
        rows.write_record(COLUMNS).with_context(|| problem(path))?;
        Ok(Self {
            path: path.to_owned(),
            rows,
            scenarios: plan.scenarios.iter().map(|scenario| scenario.name.clone()).collect(),
            requests: plan.requests.iter().map(|request| request.name.clone()).collect(),
        })
    }

    /// Writes one row.
    pub(crate) fn write(&mut self, sample: &Sample) -> anyhow::Result<()> {
        let name = |names: &[String], index: u16| names.get(usize::from(index)).cloned().unwrap_or_default();
        let total = sample.total_ns();
        self.rows
            .write_record([
                ms(sample.due_ns),
                name(&self.scenarios, sample.scenario),
                name(&self.requests, sample.request),
                u8::from(sample.warm_up).to_string(),
                sample.status.to_string(),
                sample.outcome.as_str().to_owned(),
                ms(total),
                ms(sample.lag_ns),
                ms(sample.queue_ns),
                ms(sample.connect_ns),
                ms(sample.tls_ns),
                ms(sample.first_byte_ns),
                ms(sample.receive_ns),
                sample.sent_bytes.to_string(),
                sample.received_bytes.to_string(),
                sample.checks_made.count_ones().to_string(),
                sample.checks_failed.count_ones().to_string(),
            ])
            .with_context(|| problem(&self.path))
    }

    /// Ends the file. Without this its last block is missing.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let path = self.path;
        let ended = self.rows.into_inner().map_err(csv::IntoInnerError::into_error);
        ended
            .and_then(GzEncoder::finish)
            .and_then(|file| file.into_inner().map_err(std::io::IntoInnerError::into_error))
            .and_then(|file| file.sync_all())
            .with_context(|| problem(&path))
    }
}

fn problem(path: &Path) -> String {
    format!("cannot write to the samples file {}", path.display())
}

/// Milliseconds with microseconds.
fn ms(ns: u64) -> String {
    format!("{}.{:03}", ns / 1_000_000, ns / 1_000 % 1_000)
}

#[cfg(test)]
mod tests {
    use super::ms;

    #[test]
    fn nanoseconds_are_shown_as_milliseconds() {
        assert_eq!(ms(0), "0.000");
        assert_eq!(ms(1_234_567), "1.234");
        assert_eq!(ms(30_000_000_000), "30000.000");
    }
}
