//! What a target does: how long it takes, how often it fails and how.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Everything about a target. The same configuration and the same number of requests give the same answers.
///
/// Times are in milliseconds. Parts compose: a heavy tail with 6 % errors that freezes is three fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct TargetConfig {
    /// Where to listen; port 0 is any free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Of all that is random
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// From a request's arrival to its answer: `5`, `lognormal:MEDIAN:SIGMA:CAP`, `pareto:LEAST:ALPHA:CAP` or
    /// `two:FAST:SHARE:SLOW`
    #[arg(long, default_value = "0")]
    pub latency: Latency,
    /// Nothing is answered from FROM until FROM+FOR after the first request: `2000+500`
    #[arg(long = "freeze", value_name = "FROM+FOR")]
    pub freezes: Vec<Freeze>,
    /// What becomes of a share of the requests: `error=0.06`
    #[arg(long = "fault", value_name = "KIND=SHARE")]
    pub faults: Vec<Fault>,
    /// The status of `error`
    #[arg(long, default_value_t = 500)]
    pub error_status: u16,
    /// Between the two halves of a `slow_body`
    #[arg(long, default_value_t = 50.0)]
    pub slow_body_ms: f64,
    /// The size of a right answer's body; the smallest possible when 0
    #[arg(long, default_value_t = 0)]
    pub body_bytes: usize,
    /// An interim response (103) before each answer; HTTP/1.1 only
    #[arg(long)]
    pub interim: bool,
    /// TLS, with a certificate for 127.0.0.1 and localhost by a new authority
    #[arg(long)]
    pub tls: bool,
    /// Which protocols are spoken
    #[arg(long, value_enum, default_value_t)]
    pub protocol: Protocol,
    /// Each connection is taken up this much after the one before, or after it came
    #[arg(long, default_value_t = 0.0)]
    pub accept_ms: f64,
    /// How many connections may be open; any number when 0
    #[arg(long, default_value_t = 0)]
    pub connections: usize,
    /// What becomes of connections over the limit
    #[arg(long, value_enum, default_value_t)]
    pub over_limit: OverLimit,
    /// Requests after which a connection is closed; never when 0
    #[arg(long, default_value_t = 0)]
    pub requests_per_connection: u64,
    /// Do not announce that close
    #[arg(long)]
    pub close_unannounced: bool,
    /// How many HTTP/2 requests one connection may have open
    #[arg(long, default_value_t = 200)]
    pub streams: u32,
    /// How many requests the log has room for; more are counted, not logged
    #[arg(long, default_value_t = 200_000)]
    pub log: usize,
    /// How many of the first requests are kept word for word
    #[arg(long, default_value_t = 0)]
    pub keep: usize,
    /// Run on this core alone; Linux only
    #[arg(long)]
    pub core: Option<usize>,
}

impl Default for TargetConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            latency: Latency::default(),
            freezes: Vec::new(),
            faults: Vec::new(),
            error_status: 500,
            slow_body_ms: 50.0,
            body_bytes: 0,
            interim: false,
            tls: false,
            protocol: Protocol::default(),
            accept_ms: 0.0,
            connections: 0,
            over_limit: OverLimit::default(),
            requests_per_connection: 0,
            close_unannounced: false,
            streams: 200,
            log: 200_000,
            keep: 0,
            core: None,
        }
    }
}

/// How long an answer takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latency {
    /// Always the same.
    Fixed {
        /// Milliseconds.
        ms: f64,
    },
    /// Most are near the median and some take very long.
    LogNormal {
        /// Half are faster.
        median_ms: f64,
        /// Of the logarithm: 1 makes p99 ten times the median.
        sigma: f64,
        /// None takes longer.
        cap_ms: f64,
    },
    /// The heaviest tail.
    Pareto {
        /// None is faster.
        least_ms: f64,
        /// The smaller, the heavier.
        alpha: f64,
        /// None takes longer.
        cap_ms: f64,
    },
    /// Fast, or slow.
    Two {
        /// Most take this.
        ms: f64,
        /// How many are slow, 0 to 1.
        slow_share: f64,
        /// Slow ones take this.
        slow_ms: f64,
    },
}

impl Default for Latency {
    fn default() -> Self {
        Self::Fixed { ms: 0.0 }
    }
}

/// A stretch of time in which nothing is answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Freeze {
    /// Since the arrival of the first request.
    pub from_ms: f64,
    /// How long it lasts.
    pub for_ms: f64,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Kind {
    /// The right answer.
    Ok,
    /// [`TargetConfig::error_status`], at once.
    Error,
    /// 200 with GraphQL's `errors` and `data: null`.
    GraphqlError,
    /// 200 with a login page.
    Html,
    /// The connection is reset at once (HTTP/2: the stream).
    Reset,
    /// The connection is closed at once, without an answer (HTTP/2: the stream is reset).
    Hangup,
    /// What comes back at once is not HTTP (HTTP/2: the stream is reset).
    Garbage,
    /// Nothing ever comes back.
    Never,
    /// Half of the body, then the connection is closed (HTTP/2: the stream is reset).
    Truncated,
    /// Half of the body, then the other half after [`TargetConfig::slow_body_ms`].
    SlowBody,
}

impl Kind {
    /// Whether it comes at once, whatever the latency.
    pub fn is_instant(self) -> bool {
        matches!(self, Self::Error | Self::Reset | Self::Hangup | Self::Garbage)
    }
}

/// A kind of answer and how often it is given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What becomes of the request.
    pub kind: Kind,
    /// Of all requests, 0 to 1.
    pub share: f64,
}

/// Which protocols a target speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Both: by ALPN with TLS, else by what the client says first.
    #[default]
    Both,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
}

/// What becomes of connections over the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum OverLimit {
    /// Accepted and reset at once.
    #[default]
    Reset,
    /// Left alone until another one ends.
    Wait,
}

/// A part of a configuration that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ConfigError {
    text: String,
    expected: &'static str,
}

fn numbers(text: &str, separator: char) -> Option<Vec<f64>> {
    let number = |part: &str| {
        part.parse()
            .ok()
            .filter(|value: &f64| value.is_finite() && *value >= 0.0)
    };
    text.split(separator).map(number).collect()
}

impl FromStr for Latency {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let (name, rest) = text.split_once(':').unwrap_or(("", text));
        let latency = match (name, numbers(rest, ':').as_deref()) {
            ("", Some(&[ms])) => Some(Self::Fixed { ms }),
            ("lognormal", Some(&[median_ms, sigma, cap_ms])) => Some(Self::LogNormal {
                median_ms,
                sigma,
                cap_ms,
            }),
            ("pareto", Some(&[least_ms, alpha, cap_ms])) if alpha > 0.0 => Some(Self::Pareto {
                least_ms,
                alpha,
                cap_ms,
            }),
            ("two", Some(&[ms, slow_share, slow_ms])) if slow_share <= 1.0 => Some(Self::Two {
                ms,
                slow_share,
                slow_ms,
            }),
            _ => None,
        };
        latency.ok_or_else(|| ConfigError {
            text: text.to_owned(),
            expected: "a latency: MS, lognormal:MEDIAN:SIGMA:CAP, pareto:LEAST:ALPHA:CAP or two:FAST:SHARE:SLOW",
        })
    }
}

impl FromStr for Freeze {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match numbers(text, '+').as_deref() {
            Some(&[from_ms, for_ms]) => Ok(Self { from_ms, for_ms }),
            _ => Err(ConfigError {
                text: text.to_owned(),
                expected: "a freeze: FROM+FOR, both in milliseconds",
            }),
        }
    }
}

impl FromStr for Fault {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        text.split_once('=')
            .and_then(|(kind, share)| {
                let kind = <Kind as clap::ValueEnum>::from_str(kind, false).ok()?;
                let share = share.parse().ok().filter(|share| (0.0..=1.0).contains(share))?;
                Some(Self { kind, share })
            })
            .ok_or_else(|| ConfigError {
                text: text.to_owned(),
                expected: "a fault: KIND=SHARE with a share between 0 and 1",
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_from_text() {
        assert_eq!("2.5".parse(), Ok(Latency::Fixed { ms: 2.5 }));
        assert_eq!(
            "two:5:0.06:400".parse(),
            Ok(Latency::Two {
                ms: 5.0,
                slow_share: 0.06,
                slow_ms: 400.0
            })
        );
        assert_eq!(
            "2000+500".parse(),
            Ok(Freeze {
                from_ms: 2000.0,
                for_ms: 500.0
            })
        );
        assert_eq!(
            "graphql_error=0.5".parse(),
            Ok(Fault {
                kind: Kind::GraphqlError,
                share: 0.5
            })
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "-1",
            "NaN",
            "lognormal:5:1",
            "pareto:5:0:10",
            "two:5:1.5:10",
            "fixed:3",
        ] {
            assert!(text.parse::<Latency>().is_err(), "{text}");
        }
        assert!("5".parse::<Freeze>().is_err());
        for text in ["error", "error=2", "error=-0.1", "explosion=0.1"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn flags_and_defaults_are_the_same() {
        #[derive(clap::Parser)]
        struct Flags {
            #[command(flatten)]
            config: TargetConfig,
        }
        let flags = <Flags as clap::Parser>::parse_from(["target"]);
        assert_eq!(flags.config, TargetConfig::default());
        assert_eq!(
            serde_json::from_str::<TargetConfig>("{}").unwrap(),
            TargetConfig::default()
        );
    }
}
