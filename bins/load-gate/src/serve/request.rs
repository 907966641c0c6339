//! What a caller may ask for, and everything that is wrong with it. Pure.

use super::board::{Key, What};
use serde::Deserialize;
use std::time::Duration;
use url::Url;

/// Longest name or id; far longer than any real one.
const LONGEST_ID: usize = 256;

/// Body of `POST /v1/evidence`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct EvidenceRequest {
    service: String,
    release_id: String,
    attempt: Option<String>,
    wait_seconds: Option<f64>,
    max_age_seconds: Option<f64>,
}

/// Body of `POST /v1/run`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RunRequest {
    release_id: String,
    plan: String,
    url: Option<String>,
    attempt: Option<String>,
    wait_seconds: Option<f64>,
    max_age_seconds: Option<f64>,
}

/// A request that makes sense.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    /// What is checked.
    pub(super) key: Key,
    /// How long the answer may wait.
    pub(crate) wait: Duration,
    /// A kept verdict must not be older; `None`: as long as it is kept.
    pub(super) max_age: Option<Duration>,
}

/// Why a request is refused. All are the caller's to correct.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Refused {
    /// Not the JSON that is expected.
    #[error("expected a JSON object {expected}, found something else: {problem}")]
    Body {
        /// The fields.
        expected: &'static str,
        /// What the parser said.
        problem: String,
    },
    /// A field is empty.
    #[error(
        "{field} is empty; a missing label or an argument without a value gives that, and without it the check would be about nothing"
    )]
    Empty {
        /// The field.
        field: &'static str,
    },
    /// A field holds something that is no name.
    #[error("{field} cannot be used: expected {expected}, found {found}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is right.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The target is not one of those that the operator allows.
    #[error("url points at {found}, which no --allow-origin allows; leave url out to use the scenario's own target")]
    Origin {
        /// The origin.
        found: String,
    },
}

/// The limits that requests are read with.
#[derive(Debug, Clone)]
pub(crate) struct RequestRules {
    /// When the request does not say.
    pub(crate) wait: Duration,
    /// Longest.
    pub(crate) max_wait: Duration,
    /// Origins that a request may name.
    pub(crate) allowed: Vec<url::Origin>,
}

impl RequestRules {
    /// Reads the body of `POST /v1/evidence`.
    pub(super) fn evidence(&self, body: &[u8]) -> Result<Order, Refused> {
        let request: EvidenceRequest = parse(body, r#"{"service": "...", "releaseId": "..."}"#)?;
        self.order(
            request.release_id,
            request.attempt,
            What::Evidence {
                service: id("service", request.service)?,
            },
            request.wait_seconds,
            request.max_age_seconds,
        )
    }

    /// Reads the body of `POST /v1/run`.
    pub(super) fn run(&self, body: &[u8]) -> Result<Order, Refused> {
        let request: RunRequest = parse(body, r#"{"releaseId": "...", "plan": "..."}"#)?;
        let what = What::Run {
            plan: plan_name(id("plan", request.plan)?)?,
            url: request.url.map(|url| self.target(&url)).transpose()?,
        };
        self.order(
            request.release_id,
            request.attempt,
            what,
            request.wait_seconds,
            request.max_age_seconds,
        )
    }

    fn order(
        &self,
        release_id: String,
        attempt: Option<String>,
        what: What,
        wait: Option<f64>,
        max_age: Option<f64>,
    ) -> Result<Order, Refused> {
        let wait = wait.map(|wait| seconds("waitSeconds", wait)).transpose()?;
        if let Some(asked) = wait.filter(|asked| *asked > self.max_wait) {
            return Err(Refused::Field {
                field: "waitSeconds",
                expected: format!("at most {} (--max-wait)", self.max_wait.as_secs_f64()),
                found: asked.as_secs_f64().to_string(),
            });
        }
        Ok(Order {
            key: Key {
                release_id: id("releaseId", release_id)?,
                attempt: attempt.map(|attempt| id("attempt", attempt)).transpose()?,
                what,
            },
            wait: wait.unwrap_or(self.wait),
            max_age: max_age.map(|age| seconds("maxAgeSeconds", age)).transpose()?,
        })
    }

    /// The target of a run: only what the operator allows, or a caller could make us send load, and our network
    /// position, anywhere.
    fn target(&self, text: &str) -> Result<Url, Refused> {
        let url = runtime::http::parse_base_url(text).map_err(|error| Refused::Field {
            field: "url",
            expected: "an http or https URL".to_owned(),
            found: runtime::exit::chain_of(&error),
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Field {
                field: "url",
                expected: "a URL without user name and password".to_owned(),
                found: "some".to_owned(),
            });
        }
        if !self.allowed.contains(&url.origin()) {
            return Err(Refused::Origin {
                found: url.origin().ascii_serialization(),
            });
        }
        Ok(url)
    }
}

fn parse<'de, T: Deserialize<'de>>(body: &'de [u8], expected: &'static str) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::Body {
        expected,
        problem: error.to_string(),
    })
}

/// An id as people write it: something, on one line, and no template that nobody filled in.
fn id(field: &'static str, value: String) -> Result<String, Refused> {
    let wrong = |expected: &str, found: &str| {
        Err(Refused::Field {
            field,
            expected: expected.to_owned(),
            found: found.to_owned(),
        })
    };
    if value.trim().is_empty() {
        Err(Refused::Empty { field })
    } else if value.len() > LONGEST_ID {
        wrong(
            &format!("at most {LONGEST_ID} bytes"),
            &format!("{} bytes", value.len()),
        )
    } else if let Some(odd) = value.chars().find(|letter| !visible(*letter)) {
        wrong("letters, digits and signs that can be seen", &format!("{odd:?}"))
    } else if value.trim() != value {
        wrong("text without spaces around it", &format!("{value:?}"))
    } else if value.contains("{{") {
        wrong("a value", &format!("the template {value:?}, which nobody filled in"))
    } else {
        Ok(value)
    }
}

fn visible(letter: char) -> bool {
    letter.is_alphanumeric() || letter.is_ascii_graphic() || letter == ' '
}

/// A name in one folder: never a path.
fn plan_name(name: String) -> Result<String, Refused> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if name.chars().all(plain) && !name.starts_with('.') {
        return Ok(name);
    }
    Err(Refused::Field {
        field: "plan",
        expected: "the name of a file in --scenarios-dir: letters, digits, `_`, `-` and `.`".to_owned(),
        found: format!("{name:?}"),
    })
}

fn seconds(field: &'static str, value: f64) -> Result<Duration, Refused> {
    Duration::try_from_secs_f64(value).map_err(|_| Refused::Field {
        field,
        expected: "seconds, 0 or more".to_owned(),
        found: value.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> RequestRules {
        RequestRules {
            wait: Duration::from_secs(8),
            max_wait: Duration::from_mins(1),
            allowed: vec![Url::parse("https://canary.example.com").unwrap().origin()],
        }
    }

    #[test]
    fn a_run_is_read() {
        let order = rules()
            .run(br#"{"releaseId":"r-1","plan":"smoke.v2","url":"https://canary.example.com:443/graphql","attempt":"at-20","waitSeconds":2.5,"maxAgeSeconds":60}"#)
            .unwrap();
        let What::Run { plan, url } = &order.key.what else {
            panic!("{order:?}")
        };
        assert_eq!(
            (plan.as_str(), url.as_ref().unwrap().as_str()),
            ("smoke.v2", "https://canary.example.com/graphql")
        );
        assert_eq!(order.key.attempt.as_deref(), Some("at-20"));
        assert_eq!(
            (order.wait, order.max_age),
            (Duration::from_millis(2500), Some(Duration::from_mins(1)))
        );
    }

    #[test]
    fn the_default_wait_is_the_operators() {
        let order = rules().evidence(br#"{"releaseId":"r","service":"cos"}"#).unwrap();
        assert_eq!((order.wait, order.max_age), (Duration::from_secs(8), None));
    }

    #[test]
    fn ids_must_say_something() {
        for (body, expected) in [
            (
                r#"{"releaseId":"","plan":"p"}"#,
                Refused::Empty { field: "releaseId" }.to_string(),
            ),
            (
                r#"{"releaseId":"  ","plan":"p"}"#,
                Refused::Empty { field: "releaseId" }.to_string(),
            ),
            (
                r#"{"releaseId":"r","plan":""}"#,
                Refused::Empty { field: "plan" }.to_string(),
            ),
            (
                r#"{"releaseId":"r","plan":"p","attempt":""}"#,
                Refused::Empty { field: "attempt" }.to_string(),
            ),
        ] {
            assert_eq!(
                rules().run(body.as_bytes()).unwrap_err().to_string(),
                expected,
                "{body}"
            );
        }
        for wrong in [
            r#"{"releaseId":"{{args.release-id}}","plan":"p"}"#,
            r#"{"releaseId":"a\nb","plan":"p"}"#,
            r#"{"releaseId":"\u200b","plan":"p"}"#,
            r#"{"releaseId":"r\u00ad","plan":"p"}"#,
            r#"{"releaseId":" a","plan":"p"}"#,
            r#"{"releaseId":"r","plan":"p","waitSeconds":61}"#,
            r#"{"releaseId":"r","plan":"p","waitSeconds":-1}"#,
            r#"{"releaseId":"r","plan":"p","maxAgeSeconds":1e300}"#,
        ] {
            assert!(
                matches!(rules().run(wrong.as_bytes()), Err(Refused::Field { .. })),
                "{wrong}"
            );
        }
        let long = format!(r#"{{"releaseId":"{}","plan":"p"}}"#, "x".repeat(257));
        assert!(matches!(rules().run(long.as_bytes()), Err(Refused::Field { .. })));
    }

    #[test]
    fn unknown_missing_and_doubled_fields_are_refused() {
        for wrong in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"releaseId":"r"}"#,
            r#"{"releaseId":"r","plan":"p","thresholds":[]}"#,
            r#"{"releaseId":"r","releaseId":"q","plan":"p"}"#,
            r#"{"releaseId":1,"plan":"p"}"#,
            r#"{"releaseId":"r","plan":"p"} x"#,
            r#"{"release_id":"r","plan":"p"}"#,
        ] {
            assert!(
                matches!(rules().run(wrong.as_bytes()), Err(Refused::Body { .. })),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_plan_is_a_name_and_never_a_path() {
        for wrong in ["../x", "a/b", "/etc/passwd", "..", ".hidden", "a\\b", "a b", "%2e%2e"] {
            let body = serde_json::json!({"releaseId": "r", "plan": wrong}).to_string();
            assert!(
                matches!(rules().run(body.as_bytes()), Err(Refused::Field { field: "plan", .. })),
                "{wrong}"
            );
        }
    }

    #[test]
    fn only_allowed_origins_can_be_targets() {
        for wrong in [
            "http://canary.example.com",
            "https://canary.example.com:8443",
            "https://canary.example.com.evil.example",
            "https://user@canary.example.com",
            "https://canary.example.com@169.254.169.254/",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "//canary.example.com",
            "",
        ] {
            let body = serde_json::json!({"releaseId": "r", "plan": "p", "url": wrong}).to_string();
            assert!(rules().run(body.as_bytes()).is_err(), "{wrong}");
        }
    }
}
