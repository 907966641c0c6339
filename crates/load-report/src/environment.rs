//! Where a run took place. Only facts that help to read its figures: no host names, no user names, no variables.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The machine and container that sent the load. `null` is what the system did not tell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Operating system, as Rust names it: `linux`.
    pub os: String,
    /// Processor architecture, as Rust names it: `x86_64`.
    pub arch: String,
    /// Release of the kernel: `6.1.0-18-amd64`.
    pub kernel: Option<String>,
    /// Processors that the process may run on.
    pub cpus: Option<u32>,
    /// Memory of the machine, in bytes.
    pub memory_bytes: Option<u64>,
    /// What the cgroup allows of processors: 0.5 is half of one. `null`: no limit, or no cgroup.
    pub cgroup_cpus: Option<f64>,
    /// What the cgroup allows of memory, in bytes. `null`: no limit, or no cgroup.
    pub cgroup_memory_bytes: Option<u64>,
    /// The CI system, by its own variable: `github-actions`, `gitlab`, ...
    pub ci: Option<String>,
    /// Whether it ran in a Kubernetes pod.
    pub kubernetes: bool,
    /// Threads that sent requests.
    pub threads: Option<u32>,
}

impl Environment {
    /// What is known without asking the system: for callers that fill in the rest.
    pub fn of_this_build() -> Self {
        Self {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            ..Self::default()
        }
    }
}

/// The CI system by the variables that it sets; `lookup` reads the environment.
pub fn ci_system(lookup: impl Fn(&str) -> Option<String>) -> Option<String> {
    const KNOWN: [(&str, &str); 8] = [
        ("GITHUB_ACTIONS", "github-actions"),
        ("GITLAB_CI", "gitlab"),
        ("BUILDKITE", "buildkite"),
        ("CIRCLECI", "circleci"),
        ("JENKINS_URL", "jenkins"),
        ("TF_BUILD", "azure-pipelines"),
        ("TEAMCITY_VERSION", "teamcity"),
        ("BITBUCKET_BUILD_NUMBER", "bitbucket"),
    ];
    let set = |name: &str| lookup(name).filter(|value| !matches!(value.as_str(), "" | "0" | "false"));
    KNOWN
        .iter()
        .find(|(variable, _)| set(variable).is_some())
        .map(|(_, name)| (*name).to_owned())
        .or_else(|| set("CI").map(|_| "unknown".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::ci_system;

    #[test]
    fn a_ci_system_is_known_by_its_own_variable() {
        let only =
            |name: &'static str, value: &'static str| ci_system(move |asked| (asked == name).then(|| value.to_owned()));
        assert_eq!(only("GITHUB_ACTIONS", "true").as_deref(), Some("github-actions"));
        assert_eq!(only("JENKINS_URL", "https://ci").as_deref(), Some("jenkins"));
        assert_eq!(only("CI", "true").as_deref(), Some("unknown"));
        assert_eq!(only("CI", "false"), None);
        assert_eq!(only("GITHUB_ACTIONS", ""), None);
        assert_eq!(only("HOME", "/root"), None);
    }
}
