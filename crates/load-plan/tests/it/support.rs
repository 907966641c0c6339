//! Settings to start from, and files to be wrong in.

use load_plan::{Plan, PlanError, Settings};
use std::{path::Path, time::Duration};
use tempfile::TempDir;

/// A run that is right.
pub(crate) fn simple() -> Settings {
    Settings {
        url: Some("http://127.0.0.1:8080/graphql".to_owned()),
        rate: Some(50.0),
        duration: Some(Duration::from_mins(5)),
        thresholds: vec!["http_req_duration=p(95)<350".to_owned()],
        ..Settings::default()
    }
}

pub(crate) fn built(settings: &Settings) -> Plan {
    attempt(settings, Path::new("."), &[]).unwrap_or_else(|error| panic!("{}", chain(&error)))
}

pub(crate) fn refused(settings: &Settings) -> String {
    refused_in(settings, Path::new("."))
}

pub(crate) fn refused_in(settings: &Settings, folder: &Path) -> String {
    let error = attempt(settings, folder, &[]).expect_err("refused");
    // The folder is another one in every run.
    chain(&error).replace(&format!("{}/", folder.display()), "")
}

pub(crate) fn attempt(settings: &Settings, folder: &Path, variables: &[(&str, &str)]) -> Result<Plan, PlanError> {
    let found = |name: &str| {
        let pair = variables.iter().find(|(known, _)| *known == name);
        pair.map(|(_, value)| (*value).to_owned())
    };
    Plan::build_with(settings, folder, &found)
}

/// As the binary prints it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A folder with files in it.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// A plan from one scenario file.
pub(crate) fn from_file(name: &str, content: &str) -> Result<Plan, String> {
    let folder = folder(&[(name, content), ("users.csv", "id,name\n1,Ann\n2,Bob\n")]);
    let settings = Settings {
        scenario_file: Some(name.into()),
        ..Settings::default()
    };
    attempt(&settings, folder.path(), &[])
        .map_err(|error| chain(&error).replace(&format!("{}/", folder.path().display()), ""))
}

/// The text of a template for row `row`, as it is sent.
pub(crate) fn rendered(template: &load_plan::template::Template, plan: &Plan, row: usize, seq: u64) -> String {
    let mut text = String::new();
    let values = plan.data.as_ref().map(|data| data.rows[row].as_slice());
    template.render(values, seq, &mut text);
    text
}
