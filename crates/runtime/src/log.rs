//! Logging: tracing to stderr, one line an event. Human on a terminal, JSON otherwise.

use crate::args::{LogArgs, LogFormat};
use crate::style;
use std::io::{self, IsTerminal};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, LevelFilter, ParseError, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `--log-level` or `RUST_LOG` cannot be read.
    #[error(
        "cannot read the log level {filter:?}: expected error, warn, info, debug or trace, or a list such as info,hyper=debug"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// Where it is wrong.
        #[source]
        source: ParseError,
    },
    /// Something installed a subscriber before.
    #[error("logging was set up twice in one process")]
    Twice,
}

/// Starts logging for the whole process; call it once, right after the arguments are parsed.
///
/// # Errors
/// The filter cannot be read, or logging was started before.
pub fn init(args: &LogArgs) -> Result<(), LogError> {
    let terminal = io::stderr().is_terminal();
    let json = use_json(args.log_format, terminal);
    let subscriber = subscriber(&args.log_level, json, style::wanted(terminal), io::stderr)?;
    subscriber.try_init().map_err(|_| LogError::Twice)
}

/// `auto` is human on a terminal.
fn use_json(format: LogFormat, terminal: bool) -> bool {
    match format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !terminal,
    }
}

/// Whatever `RUST_LOG` says: tokio-postgres writes the parameters of each statement at `debug`, among them keys, and whom a row
/// is about.
fn keeps_secrets(metadata: &tracing::Metadata<'_>) -> bool {
    !metadata.target().starts_with("tokio_postgres") || *metadata.level() <= tracing::Level::INFO
}

fn subscriber<W>(
    filter: &str,
    json: bool,
    colours: bool,
    writer: W,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // `RUST_LOG=` in an env file means "not set", not "log nothing".
    let filter = if filter.trim().is_empty() { "info" } else { filter };
    // Not `EnvFilter`: it brings a regular expression engine into every binary, for filters on spans that nobody here uses.
    let filter: Targets = filter.parse().map_err(|source| LogError::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    let keeps_secrets = filter_fn(keeps_secrets).with_max_level_hint(LevelFilter::TRACE);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        // Otherwise a closed stderr makes the subscriber call eprintln!, which panics, which aborts the process.
        .log_internal_errors(false);
    if json {
        // `message` and the fields at the top level: what log collectors look for.
        let layer = layer
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false);
        Ok(Box::new(
            tracing_subscriber::registry().with(layer.with_filter(filter.and(keeps_secrets))),
        ))
    } else {
        let layer = layer.with_ansi(colours).with_target(false);
        Ok(Box::new(
            tracing_subscriber::registry().with(layer.with_filter(filter.and(keeps_secrets))),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("lock").clone()).expect("text")
        }
    }

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("lock").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, json: bool, colours: bool) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(filter, json, colours, move || writer.clone()).expect("filter");
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("poll", attempt = 2)
                .in_scope(|| tracing::info!(digest = "sha256:ab", "pack activated"));
            tracing::debug!("not shown at info");
        });
        lines.text()
    }

    #[test]
    fn parameters_of_statements_are_never_logged() {
        for filter in ["trace", "tokio_postgres=trace", "info,tokio_postgres::query=debug"] {
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber = subscriber(filter, true, false, move || writer.clone()).expect("filter");
            tracing::subscriber::with_default(subscriber, || {
                tracing::debug!(target: "tokio_postgres::query", "executing with parameters: [secret]");
                tracing::info!(target: "tokio_postgres::query", "a notice of the server");
            });
            assert!(!lines.text().contains("secret"), "{filter}");
            assert!(lines.text().contains("notice"), "{filter}");
        }
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged("info", true, false);
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(line["message"], "pack activated");
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["digest"], "sha256:ab");
        assert_eq!(line["span"]["attempt"], 2);
        let stamp = line["timestamp"].as_str().expect("timestamp");
        assert!(stamp.parse::<jiff::Timestamp>().is_ok(), "{stamp}");
    }

    #[test]
    fn human_lines_have_colours_only_when_wanted() {
        let plain = logged("info", false, false);
        assert!(
            plain.contains("INFO") && plain.contains("pack activated") && plain.contains("digest"),
            "{plain}"
        );
        assert!(!plain.contains('\x1b'), "{plain}");
        assert!(logged("info", false, true).contains('\x1b'));
    }

    #[test]
    fn the_filter_decides_what_is_logged() {
        assert_eq!(logged("debug", false, false).lines().count(), 2);
        assert_eq!(logged("", false, false).lines().count(), 1);
        assert_eq!(logged("warn", false, false), "");
        let error = subscriber("info,=wat=", false, false, io::sink).err().expect("refused");
        assert!(error.to_string().contains("info,=wat="), "{error}");
    }

    #[test]
    fn auto_is_human_on_a_terminal() {
        assert!(!use_json(LogFormat::Auto, true));
        assert!(use_json(LogFormat::Auto, false));
        assert!(use_json(LogFormat::Json, true));
        assert!(!use_json(LogFormat::Human, false));
    }
}
