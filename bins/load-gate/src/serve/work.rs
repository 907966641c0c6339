//! How a check is made. `serve` itself knows workers only as a function; the real ones are put together here.

use super::{
    answer::{Finding, Trouble},
    board::{Key, What},
};
use crate::evidence::{self, Subject};
use runtime::{
    Shutdown,
    exit::{Exit, Failure},
};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};
use url::Url;

/// What a worker is asked to do.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// What is checked.
    pub(crate) key: Key,
    /// Stop: nobody will be told the result.
    pub(crate) stop: Shutdown,
}

/// Something that goes on by itself.
pub(crate) type Going<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Makes checks.
pub(crate) type Worker = Arc<dyn Fn(Work) -> Going<Result<Finding, Trouble>> + Send + Sync>;

/// What is to be run.
#[derive(Debug, Clone)]
pub(crate) struct RunOrder {
    /// The scenario file.
    pub(crate) scenario: PathBuf,
    /// Target instead of the scenario's.
    pub(crate) url: Option<Url>,
    /// Stop early: the result is not wanted any more.
    pub(crate) stop: Shutdown,
}

/// Plans and carries out a load run, from the scenario file to its judged result.
pub(crate) type RunFn = Arc<dyn Fn(RunOrder) -> Going<Result<Finding, Failure>> + Send + Sync>;

/// What this process can check.
#[derive(Clone, Default)]
pub(crate) struct Abilities {
    /// How MC is asked; `None` without its address.
    pub(crate) evidence: Option<evidence::Options>,
    /// Scenario files, and what carries them out; `None` without a folder.
    pub(crate) runs: Option<(PathBuf, RunFn)>,
}

/// The time of day; the only place of `serve` where it is read.
pub(crate) fn clock() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The worker that does what `abilities` allow.
pub(crate) fn worker(abilities: Abilities) -> Worker {
    Arc::new(move |work| {
        let abilities = abilities.clone();
        Box::pin(async move {
            match work.key.what {
                What::Evidence { service } => {
                    let options = abilities.evidence.ok_or_else(|| {
                        Trouble::Unusable("this load-gate asks no MC: start it with --mc-url".to_owned())
                    })?;
                    ask(&options, &service, &work.key.release_id, &work.stop).await
                }
                What::Run { plan, url } => {
                    let (folder, run) = abilities.runs.ok_or_else(|| {
                        Trouble::Unusable("this load-gate runs no load: start it with --scenarios-dir".to_owned())
                    })?;
                    let scenario = scenario_file(&folder, &plan)?;
                    let order = RunOrder {
                        scenario,
                        url,
                        stop: work.stop,
                    };
                    run(order).await.map_err(|failure| trouble(&failure))
                }
            }
        })
    })
}

async fn ask(
    options: &evidence::Options,
    service: &str,
    release_id: &str,
    stop: &Shutdown,
) -> Result<Finding, Trouble> {
    let subject = Subject::new(service, release_id).map_err(|error| Trouble::Unusable(error.to_string()))?;
    let result = evidence::check(options, &subject, stop).await;
    // Nobody said anything about the release: Argo is to try again, and to give up by its own rules.
    if result.exit() == Exit::Dependency {
        return Err(Trouble::Dependency(result.reasons.join("; ")));
    }
    Ok(Finding {
        verdict: result.verdict,
        details: json!({
            "snapshot": result.snapshot,
            "cost": result.cost,
            "measuredUntil": result.measured_until,
        }),
        reasons: result.reasons,
        document: None,
    })
}

fn trouble(failure: &Failure) -> Trouble {
    let text = runtime::exit::chain(&failure.error);
    match failure.exit {
        Exit::Usage => Trouble::Unusable(text),
        Exit::Dependency => Trouble::Dependency(text),
        Exit::Done | Exit::Negative | Exit::NoVerdict | Exit::Partial => Trouble::Internal(text),
    }
}

/// The scenario file of a name. The name was checked to be no path.
fn scenario_file(folder: &Path, name: &str) -> Result<PathBuf, Trouble> {
    let candidates = ["", ".yaml", ".yml", ".json"].map(|ending| folder.join(format!("{name}{ending}")));
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let expected = match known(folder) {
            names if names.is_empty() => "--scenarios-dir holds none".to_owned(),
            names => format!("expected one of {}", names.join(", ")),
        };
        Trouble::Unusable(format!("there is no plan {name:?}; {expected}"))
    })
}

/// Names that would be found, in order.
fn known(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = files
        .map(|file| file.path())
        .filter(|path| path.is_file())
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "yaml" || ending == "yml" || ending == "json")
        })
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_found_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["smoke.yaml", "soak.json", "notes.txt", "spike.yml"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let find = |name: &str| scenario_file(folder.path(), name);
        assert_eq!(find("smoke").unwrap(), folder.path().join("smoke.yaml"));
        assert_eq!(find("smoke.yaml").unwrap(), folder.path().join("smoke.yaml"));
        assert_eq!(find("soak").unwrap(), folder.path().join("soak.json"));
        assert_eq!(
            find("smok").unwrap_err().to_string(),
            "there is no plan \"smok\"; expected one of smoke, soak, spike"
        );
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(
            scenario_file(empty.path(), "smoke").unwrap_err().to_string(),
            "there is no plan \"smoke\"; --scenarios-dir holds none"
        );
    }
}
