//! Measures how two columns of half of the rows are made NULL, on a table with four indexes: where none covers the
//! columns, and where one does.

use super::lab::{Lab, Layout};
use super::measure::{Order, one};
use super::table::{medians, told};
use super::way::{Doing, Way};
use crate::args::Setup;
use crate::report::{Outcome, Target, progress};

const WAYS: [Way; 2] = [Way::Naive, Way::Job];

const TABLE: &str = "
    CREATE TABLE events (id bigint NOT NULL, created_at timestamptz NOT NULL, kind int NOT NULL, account bigint NOT NULL,
      email text, ip inet, payload text, touched int NOT NULL DEFAULT 0);
    INSERT INTO events SELECT i, {at}, i % 20, i % 100000, 'user' || i || '@example.org', '192.0.2.1'::inet + i % 250,
      repeat('x', 24) FROM generate_series(1, {rows}::bigint) AS i;
    ALTER TABLE events ADD PRIMARY KEY (id);
    CREATE INDEX ON events (created_at);
    CREATE INDEX ON events (account);";

const UNCOVERED: (&str, &str) = ("uncovered", "CREATE INDEX ON events (kind, created_at);");
const COVERED: (&str, &str) = ("covered", "CREATE INDEX ON events (email);");

pub(crate) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let rows = setup.pick(setup.retention_rows, 200_000);
    let mut lab = Lab::start()?;
    let with_covered = setup.retention_covered > 0;
    let tables = if with_covered {
        &[UNCOVERED, COVERED][..]
    } else {
        &[UNCOVERED]
    };
    for (name, index) in tables {
        lab.template(name, Layout::Correlated, rows, &format!("{TABLE}{index}"))?;
    }
    let mut runs = Vec::new();
    for round in 1..=setup.rounds {
        for &(template, _) in tables {
            if template == COVERED.0 && round > setup.retention_covered {
                continue;
            }
            for way in WAYS {
                runs.push(one(
                    setup,
                    &mut lab,
                    Order {
                        way,
                        doing: Doing::Anonymise,
                        template,
                        rows,
                        round,
                    },
                )?);
            }
        }
        progress(&format!("  round {round} of {}", setup.rounds));
    }
    let (text, mut figures) = told(&runs, &WAYS, &tables.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    figures["rows"] = rows.into();
    let of = |way, name| medians(&runs, way, name);
    let (job, naive) = (of(Way::Job, "uncovered"), of(Way::Naive, "uncovered"));
    let mut targets = vec![
        Target::new(
            "uncovered: one UPDATE's rows/s, of the rule's",
            0.5,
            naive.rows_per_s / job.rule_rows_per_s,
            "x",
        ),
        Target::new(
            "uncovered: WAL a row, of one UPDATE's",
            0.55,
            job.wal_per_row / naive.wal_per_row,
            "x",
        ),
        Target::new("uncovered: peak memory", 20.0, job.peak_mib, "MiB"),
        Target::new(
            "uncovered: second night's time, of the first's",
            0.01,
            job.again_s / job.seconds,
            "x",
        ),
        Target::new("uncovered: second night's WAL", 1.0, job.again_wal / 1e6, "MB"),
    ];
    if with_covered {
        let (job, naive) = (of(Way::Job, "covered"), of(Way::Naive, "covered"));
        targets.push(Target::new(
            "covered: one UPDATE's rows/s, of the rule's",
            1.0 / 0.8,
            naive.rows_per_s / job.rule_rows_per_s,
            "x",
        ));
    }
    Ok(Outcome { figures, text, targets })
}
