//! From settings to a plan: layers are laid over each other, then every part is checked once.
//!
//! | module | owns |
//! |---|---|
//! | [`layers`] | scenario file, k6 options and flags become one; the later ones win |
//! | [`data`] | the data file |
//! | [`address`] | URLs with placeholders |
//! | [`headers`] | headers, also from variables and files |
//! | [`bodies`] | bodies: text, file, JSON, GraphQL |
//! | [`requests`] | requests and their checks |
//! | [`load`] | scenarios and the schedule |
//! | [`demands`] | thresholds: each must be about something, and be able to pass |
//! | [`limits`] | connections, time limits, TLS, judging |

mod address;
mod bodies;
mod data;
mod demands;
mod headers;
mod layers;
mod limits;
mod load;
mod requests;

pub(crate) use address::redacted;

use crate::{error::PlanError, plan::Plan, settings::Settings};
use std::path::Path;

/// How variables are looked up.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Plan {
    /// Reads the files and checks everything. Relative paths in `settings` start at `base_dir`, those in a scenario file at
    /// that file. Variables are read from the environment.
    ///
    /// # Errors
    /// Nothing can be sent as asked, or what is asked could never be judged.
    pub fn build(settings: &Settings, base_dir: &Path) -> Result<Self, PlanError> {
        Self::build_with(settings, base_dir, &|name| std::env::var(name).ok())
    }

    /// [`Plan::build`] with another place for variables.
    ///
    /// # Errors
    /// As [`Plan::build`].
    pub fn build_with(settings: &Settings, base_dir: &Path, environment: Environment<'_>) -> Result<Self, PlanError> {
        let layers::Merged { file, execs, mut notes } = layers::merge(settings, base_dir)?;
        let mut table = file.data.as_ref().map(data::load).transpose()?;
        let columns = table.as_ref().map_or(&[][..], |table| table.columns.as_slice());
        let requests::Built {
            mut requests,
            weights,
            checks,
        } = requests::build(&file, columns, environment)?;
        let load::Built {
            mut scenarios,
            schedule,
        } = load::build(&file, &requests, &weights, &execs, &mut notes)?;
        requests::tag(&mut requests, &mut scenarios, file.tags.as_ref())?;

        if let Some(table) = &mut table {
            data::finish(table, &requests)?;
        }
        let used = requests.iter().any(data::uses);
        if table.is_some() && !used {
            notes.push("the data file is not used: no request has a placeholder for one of its columns".to_owned());
        }
        let mut plan = Self {
            connections: limits::connections(&file, schedule.peak_rate())?,
            timeout: limits::timeout(&file)?,
            tls: limits::tls(&file)?,
            threads: limits::threads(&file)?,
            seed: file.seed.unwrap_or(0),
            judging: limits::judging(&file, schedule.duration())?,
            scenarios,
            requests,
            checks,
            thresholds: Vec::new(),
            schedule,
            data: table.filter(|_| used).map(std::sync::Arc::new),
            notes,
        };
        plan.thresholds = demands::thresholds(&file, &plan)?;
        Ok(plan)
    }
}
