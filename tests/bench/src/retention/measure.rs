//! Owns one run of one way, and what it came to.

use super::lab::Lab;
use super::way::{Doing, Way};
use super::writer::Writer;
use crate::args::Setup;
use crate::report::progress;
use crate::stats::summary;
use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The first batch's beginning and the last one's end, by the server's clock, which is ours.
const SWEEP: [&str; 2] = [
    "SELECT extract(epoch FROM min(started_at))::float8 FROM retention.audit",
    "SELECT extract(epoch FROM max(finished_at))::float8 FROM retention.audit",
];

/// What a run came to.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) way: Way,
    /// Which table.
    pub(crate) table: &'static str,
    pub(crate) seconds: f64,
    pub(crate) rows: f64,
    /// The writer's is among it.
    pub(crate) wal: f64,
    /// The writer's longest wait while the way was at work, ms.
    pub(crate) longest_ms: f64,
    /// Its p99 then, and before.
    pub(crate) p99_ms: f64,
    pub(crate) p99_before_ms: f64,
    pub(crate) peak_mib: Option<f64>,
    /// Bytes of the table and its indexes afterwards.
    pub(crate) size: f64,
    /// retention-job's own figures.
    pub(crate) said: Value,
    /// How long its batches took, of retention-job only.
    pub(crate) sweep_s: Option<f64>,
    /// The writer's p99 beside the batches, ms; of the others as `p99_ms`.
    pub(crate) sweep_p99_ms: f64,
    /// The same once more, vacuumed, with nothing left to do and no writer: seconds, bytes of WAL.
    pub(crate) again: Option<(f64, f64)>,
}

/// What is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) way: Way,
    pub(crate) doing: Doing,
    pub(crate) template: &'static str,
    pub(crate) rows: u64,
    /// Counted from 1.
    pub(crate) round: u32,
}

impl Order {
    /// Whether it is run a second time. What one statement does again is the same each time, and takes minutes.
    fn again(self) -> bool {
        self.way.is_ours() || (self.way == Way::Naive && self.round == 1)
    }
}

/// One run on a fresh copy.
pub(crate) fn one(setup: &Setup, lab: &mut Lab, order: Order) -> anyhow::Result<Run> {
    let job = setup
        .retention_job
        .as_deref()
        .context("the release binary of retention-job is needed (--retention-job)")?;
    let database = lab.copy(order.template)?;
    let due = match order.doing {
        Doing::Delete => format!(
            "SELECT count(*)::float8 FROM events WHERE created_at < {}",
            super::lab::CUTOFF
        ),
        Doing::Anonymise => format!(
            "SELECT count(*)::float8 FROM events WHERE created_at < {} AND (email IS NOT NULL OR ip IS NOT NULL)",
            super::lab::CUTOFF
        ),
    };
    let rows = lab.figure(&database, &due)?;
    let writer = Writer::start(&lab.cluster.url(&database), order.rows);
    std::thread::sleep(Duration::from_secs(setup.pick(3, 1)));
    let (wal, begun, clock) = (lab.wal()?, Instant::now(), Timestamp::now().as_duration());
    let said = order.way.run(lab, &database, order.doing, job)?;
    let ended = Instant::now();
    progress(&format!(
        "    {}, {}: {:.1} s",
        order.template,
        order.way.name(),
        (ended - begun).as_secs_f64()
    ));
    let wal = lab.wal()? - wal;
    // Waits that began in time may end later.
    std::thread::sleep(Duration::from_millis(300));
    let samples = writer.stop()?;
    let left = lab.figure(&database, &due)?;
    let at = |sql| {
        let seconds = lab.figure(&database, sql)? - clock.as_secs_f64();
        anyhow::Ok(begun + Duration::from_secs_f64(seconds.max(0.0)))
    };
    let sweep = order
        .way
        .is_ours()
        .then(|| anyhow::Ok((at(SWEEP[0])?, at(SWEEP[1])?)))
        .transpose()?;
    ensure!(left == 0.0, "{} left {left} rows", order.way.name());
    let within = |from: Instant, to: Instant| -> Vec<f64> {
        samples
            .iter()
            .filter(|sample| sample.due >= from && sample.due < to)
            .map(|sample| sample.ms)
            .collect()
    };
    let (during, before) = (
        summary(&within(begun, ended)),
        summary(&within(
            begun.checked_sub(Duration::from_mins(1)).unwrap_or(begun),
            begun,
        )),
    );
    let sweep_p99_ms = sweep.map_or(during.p99, |(from, to)| summary(&within(from, to)).p99);
    let size = lab.figure(&database, "SELECT pg_total_relation_size('events')::float8")?;
    let again = if order.again() {
        // A day lies between: autovacuum has been there.
        lab.vacuum(&database)?;
        let (wal, begun) = (lab.wal()?, Instant::now());
        order.way.run(lab, &database, order.doing, job)?;
        Some((begun.elapsed().as_secs_f64(), lab.wal()? - wal))
    } else {
        None
    };
    Ok(Run {
        way: order.way,
        table: order.template,
        seconds: (ended - begun).as_secs_f64(),
        rows,
        wal,
        longest_ms: during.max,
        p99_ms: during.p99,
        p99_before_ms: before.p99,
        peak_mib: said.peak_mib,
        size,
        said: said.summary,
        sweep_s: sweep.map(|(from, to)| (to - from).as_secs_f64()),
        sweep_p99_ms,
        again,
    })
}
