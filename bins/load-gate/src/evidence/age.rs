//! Owns how old a snapshot is. MC's answer has no time of its own: all it has is `window`, a text of the publisher's. Where
//! that names points in time (`2026-01-01T10:00:00Z/2026-01-01T10:15:00Z`), the latest of them is the end of the
//! measurement, and its age can be told. Where it is only a length (`15m`), the age cannot be known.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Clocks of different machines differ by less.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// How fresh a snapshot must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AgeRule {
    /// A window that ended longer ago is stale.
    pub(crate) max_age: Duration,
    /// Whether a window that names no end is refused.
    pub(crate) required: bool,
}

/// What is known about the age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// Young enough.
    Fresh {
        /// When the measurement ended.
        ended: Timestamp,
    },
    /// The window does not say, and that is allowed.
    Unknown,
}

/// Why the age speaks against the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AgeError {
    /// Too old. A newer one may come.
    #[error("the snapshot is stale: its window {window:?} ended {} ago, and at most {} are allowed (--max-age)", short(*age), short(*max_age))]
    Stale {
        window: String,
        age: Duration,
        max_age: Duration,
    },
    /// It would stay fresh for ever.
    #[error("the snapshot's window {window:?} ends in the future, at {ended}; is a clock wrong?")]
    Future { window: String, ended: Timestamp },
    /// Nobody knows, and somebody must (`--require-age`).
    #[error(
        "the snapshot's window {window:?} does not say when it ended, and --require-age asks for it; publish an interval such as 2026-01-01T10:00:00Z/2026-01-01T10:15:00Z"
    )]
    Unknown { window: String },
}

impl AgeRule {
    /// Judges a window at this moment.
    pub(crate) fn judge(&self, window: &str, now: Timestamp) -> Result<Age, AgeError> {
        let Some(ended) = end_of(window) else {
            return if self.required {
                Err(AgeError::Unknown {
                    window: window.to_owned(),
                })
            } else {
                Ok(Age::Unknown)
            };
        };
        let since = now.duration_since(ended);
        if since < -SKEW {
            return Err(AgeError::Future {
                window: window.to_owned(),
                ended,
            });
        }
        let age = Duration::try_from(since).unwrap_or_default();
        if age > self.max_age {
            return Err(AgeError::Stale {
                window: window.to_owned(),
                age,
                max_age: self.max_age,
            });
        }
        Ok(Age::Fresh { ended })
    }
}

/// The latest point in time that the text names, with a zone: without one it names none.
fn end_of(window: &str) -> Option<Timestamp> {
    let apart = |c: char| c.is_whitespace() || "/,;()[]@|".contains(c);
    window
        .split("..")
        .flat_map(|part| part.split(apart))
        .filter_map(|word| word.parse::<Timestamp>().ok())
        .max()
}

/// For people: seconds are near enough.
fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: AgeRule = AgeRule {
        max_age: Duration::from_hours(1),
        required: false,
    };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_end_of_a_window_is_the_latest_time_in_it() {
        let end = "2026-01-01T10:15:00Z";
        for window in [
            "2026-01-01T10:00:00Z/2026-01-01T10:15:00Z",
            "2026-01-01T10:00:00Z..2026-01-01T10:15:00Z",
            "15m until 2026-01-01T10:15:00Z",
            "15m@2026-01-01T11:15:00+01:00",
            "[2026-01-01T10:00:00Z, 2026-01-01T10:15:00Z)",
        ] {
            assert_eq!(end_of(window), Some(at(end)), "{window}");
        }
        for window in ["15m", "", "2026-01-01", "2026-01-01T10:15:00", "yesterday", "PT15M"] {
            assert_eq!(end_of(window), None, "{window}");
        }
    }

    #[test]
    fn fresh_stale_and_from_the_future() {
        let window = "2026-01-01T10:00:00Z/2026-01-01T10:15:00Z";
        let judge = |now: &str| RULE.judge(window, at(now));
        for now in ["2026-01-01T10:15:00Z", "2026-01-01T11:15:00Z", "2026-01-01T10:11:00Z"] {
            assert!(matches!(judge(now), Ok(Age::Fresh { .. })), "{now}");
        }
        let stale = judge("2026-01-01T11:15:01Z").unwrap_err();
        assert_eq!(
            stale.to_string(),
            "the snapshot is stale: its window \"2026-01-01T10:00:00Z/2026-01-01T10:15:00Z\" ended 60 min ago, and at \
             most 60 min are allowed (--max-age)"
        );
        assert!(matches!(judge("2026-01-01T10:09:59Z"), Err(AgeError::Future { .. })));
    }

    #[test]
    fn an_age_that_cannot_be_known_is_told_or_refused() {
        let now = at("2026-01-01T10:15:00Z");
        assert_eq!(RULE.judge("15m", now), Ok(Age::Unknown));
        let strict = AgeRule { required: true, ..RULE };
        assert!(matches!(strict.judge("15m", now), Err(AgeError::Unknown { .. })));
    }
}
