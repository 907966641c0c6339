//! Reads policies for tests.

use retention_policy::{LoadedPolicy, Policy, PolicyError, PolicySource, RetentionDays, read};

pub(crate) fn load(name: &str, content: impl AsRef<[u8]>) -> Result<LoadedPolicy, PolicyError> {
    let days = RetentionDays::new(90).unwrap();
    read(content.as_ref(), PolicySource::File(name.into()), days)
}

pub(crate) fn policy(name: &str, content: impl AsRef<[u8]>) -> Policy {
    load(name, content).unwrap_or_else(|error| panic!("{error}")).policy
}

pub(crate) fn refused(name: &str, content: impl AsRef<[u8]>) -> String {
    load(name, content).expect_err("refused").to_string()
}

/// A rule that is right but for what is added.
pub(crate) fn rule(more: &str) -> String {
    format!("rules:\n- name: a\n  table: public.t\n{}\n", indented(more))
}

/// A deletion after 30 days that is right but for what is added.
pub(crate) fn delete(more: &str) -> String {
    rule(&format!("action: delete\nage: {{ column: at, days: 30 }}\n{more}"))
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}
