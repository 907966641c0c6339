//! The one place that writes this package's progress to stderr.

use std::io::Write as _;

/// One line on stderr, marked as ours.
pub(crate) fn say(line: &str) {
    // A closed stderr is no reason to fail an installation.
    let _ = writeln!(std::io::stderr().lock(), "tools: {line}");
}
