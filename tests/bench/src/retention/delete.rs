//! Measures how a backlog is deleted: half of the rows, where they lie together and where they are scattered.

use super::lab::{Lab, Layout};
use super::measure::{Order, one};
use super::table::{medians, told};
use super::way::{Doing, Way};
use crate::args::Setup;
use crate::report::{Outcome, Target, progress};

const WAYS: [Way; 6] = [Way::Naive, Way::IdIn, Way::SkipLocked, Way::Keyset, Way::Job, Way::Nice];
const PAIR: [Way; 2] = [Way::Naive, Way::Job];
const LAYOUTS: [Layout; 2] = [Layout::Correlated, Layout::Scattered];

const TABLE: &str = "
    CREATE TABLE events (id bigint NOT NULL, created_at timestamptz NOT NULL, kind int NOT NULL, email text, ip inet,
      payload text, touched int NOT NULL DEFAULT 0);
    INSERT INTO events SELECT i, {at}, i % 20, 'user' || i || '@example.org', '192.0.2.1'::inet + i % 250, repeat('x', 24)
      FROM generate_series(1, {rows}::bigint) AS i;
    ALTER TABLE events ADD PRIMARY KEY (id);
    CREATE INDEX ON events (created_at);";

pub(crate) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let rows = setup.pick(setup.retention_rows, 200_000);
    let ways = if setup.retention_loops == 0 {
        &PAIR[..]
    } else {
        &WAYS[..]
    };
    let mut lab = Lab::start()?;
    for layout in LAYOUTS {
        lab.template(layout.name(), layout, rows, TABLE)?;
    }
    let mut runs = Vec::new();
    for round in 1..=setup.rounds {
        for layout in LAYOUTS {
            for &way in if round > setup.retention_loops { &PAIR[..] } else { ways } {
                runs.push(one(
                    setup,
                    &mut lab,
                    Order {
                        way,
                        doing: Doing::Delete,
                        template: layout.name(),
                        rows,
                        round,
                    },
                )?);
            }
        }
        progress(&format!("  round {round} of {}", setup.rounds));
    }
    let names: Vec<_> = LAYOUTS.iter().map(|layout| layout.name()).collect();
    let (text, mut figures) = told(&runs, ways, &names);
    figures["rows"] = rows.into();
    let mut targets = Vec::new();
    for name in names {
        let (job, naive) = (medians(&runs, Way::Job, name), medians(&runs, Way::Naive, name));
        let target = |what: &str, most, measured, unit| Target::new(format!("{name}: {what}"), most, measured, unit);
        targets.push(target(
            "one DELETE's rows/s, of the sweep's",
            1.0 / 0.85,
            naive.rows_per_s / job.sweep_rows_per_s,
            "x",
        ));
        targets.push(target(
            "one DELETE's rows/s, of the sweep's with the count that ends it",
            1.0 / 0.85,
            naive.rows_per_s / job.rule_rows_per_s,
            "x",
        ));
        targets.push(target("longest wait of a writer", 50.0, job.longest_ms, "ms"));
        targets.push(target("added p99 of the writer", 5.0, job.added_p99_ms, "ms"));
        targets.push(target("peak memory", 20.0, job.peak_mib, "MiB"));
        targets.push(target(
            "second night's time, of the first's",
            0.01,
            job.again_s / job.seconds,
            "x",
        ));
        targets.push(target("second night's WAL", 1.0, job.again_wal / 1e6, "MB"));
    }
    Ok(Outcome { figures, text, targets })
}
