//! Owns the message that OPA posts to `/status`: [`StatusUpdate`], read tolerantly, and what a bundle's
//! entry in it says ([`BundleOutcome`]).
//!
//! A post has about 60 KB even for a tiny bundle, nearly all of it OPA's own histograms under `metrics`,
//! which are skipped without building anything. See [`crate::observed`] for when posts come.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::CompileError;

/// Largest post that a bundle server should take: sixty times what was seen.
pub const MAX_STATUS_BYTES: usize = 4 * 1024 * 1024;

/// One post. Whatever is missing, `null` or unknown is left out; only text that is not such an object is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusUpdate {
    /// OPA's labels: `id` (a new one for each process), `version`, and what the operator configured.
    #[serde(default, deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// By bundle name. Empty in the first posts after OPA's start.
    #[serde(default, deserialize_with = "null_as_default")]
    pub bundles: BTreeMap<String, BundleStatus>,
    /// By plugin name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub plugins: BTreeMap<String, PluginStatus>,
}

/// State of one of OPA's plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginStatus {
    /// `OK`, `NOT_READY`, `WARN` or `ERROR`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub state: String,
    /// Why, where OPA says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What OPA knows about one bundle. Times are OPA's clock; "never" is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleStatus {
    /// Name of the bundle in OPA's configuration.
    #[serde(default, deserialize_with = "null_as_default")]
    pub name: String,
    /// Revision that OPA decides by, from the bundle's manifest; it stays while a newer one is refused.
    #[serde(default, deserialize_with = "empty_as_none")]
    pub active_revision: Option<String>,
    /// When that one became active.
    #[serde(default, deserialize_with = "go_time")]
    pub last_successful_activation: Option<Timestamp>,
    /// When a readable bundle last arrived; it need not have become active.
    #[serde(default, deserialize_with = "go_time")]
    pub last_successful_download: Option<Timestamp>,
    /// When a poll last ended with 200 or 304 and a readable body.
    #[serde(default, deserialize_with = "go_time")]
    pub last_successful_request: Option<Timestamp>,
    /// When a poll last ended, in whatever way.
    #[serde(default, deserialize_with = "go_time")]
    pub last_request: Option<Timestamp>,
    /// `bundle_error` when the last poll failed in some way; none when it was fine.
    #[serde(default, deserialize_with = "empty_as_none")]
    pub code: Option<String>,
    /// The failure in words.
    #[serde(default, deserialize_with = "empty_as_none")]
    pub message: Option<String>,
    /// Faults in the policies, when these are the failure.
    #[serde(default, deserialize_with = "null_as_default")]
    pub errors: Vec<CompileError>,
    /// Status of the bundle server's answer, when that is the failure.
    #[serde(default, deserialize_with = "http_code")]
    pub http_code: Option<u16>,
    /// Size of the active bundle as sent, in bytes.
    #[serde(default, deserialize_with = "null_as_default")]
    pub size: u64,
    /// `snapshot` or `delta`.
    #[serde(default, rename = "type", deserialize_with = "empty_as_none")]
    pub kind: Option<String>,
}

/// A body that is not a status message.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// Not JSON, cut off, or a field has another type than OPA gives it.
    #[error("the body posted to /status is not a status message of OPA")]
    Json(#[from] serde_json::Error),
    /// JSON, but not of the kind OPA posts.
    #[error("the body posted to /status is not a status message of OPA: expected a JSON object with `labels`")]
    NotAStatus,
}

/// What a bundle's entry says about OPA's last poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleOutcome<'a> {
    /// No fault, but nothing was ever activated.
    Pending,
    /// OPA decides by this revision and the last poll was fine.
    Active {
        /// Revision from the manifest; empty if the manifest had none.
        revision: &'a str,
    },
    /// OPA got a bundle and would not activate it; an older one, if any, goes on deciding.
    Refused {
        /// OPA's words.
        message: &'a str,
        /// Faults with file, row and column; empty for faults of the archive or its roots.
        errors: &'a [CompileError],
    },
    /// OPA could not get a bundle: no connection, an error status, or OPA is being stopped.
    NotFetched {
        /// OPA's words.
        message: &'a str,
        /// The server's status, if it answered.
        http_code: Option<u16>,
    },
}

impl StatusUpdate {
    /// Reads a posted body.
    ///
    /// # Errors
    /// The text is not JSON or not such an object.
    pub fn parse(body: &[u8]) -> Result<Self, StatusError> {
        let update: Self = serde_json::from_slice(body)?;
        // A list would be read as an object without names; and OPA always has labels, at least its id.
        let is_object = body.trim_ascii_start().first() == Some(&b'{');
        if is_object && !update.labels.is_empty() {
            Ok(update)
        } else {
            Err(StatusError::NotAStatus)
        }
    }

    /// The id of the OPA process that posted; `GET /v1/config` shows the same one under `labels`.
    pub fn opa_id(&self) -> Option<&str> {
        self.labels.get("id").map(String::as_str)
    }
}

impl BundleStatus {
    /// What this entry says. A fault can be older than the bundle that was just sent: a post caused by a
    /// plugin repeats the entry of the poll before.
    pub fn outcome(&self) -> BundleOutcome<'_> {
        let message = self.message.as_deref().unwrap_or_default();
        if self.code.is_none() {
            return match (&self.active_revision, self.last_successful_activation) {
                (None, None) => BundleOutcome::Pending,
                (revision, _) => BundleOutcome::Active {
                    revision: revision.as_deref().unwrap_or_default(),
                },
            };
        }
        // OPA has one code for every fault; its own HTTP client's errors begin like this, and a transfer that was cut
        // off reads like that.
        let cut_off = message.starts_with("bundle read failed: ")
            && [
                "unexpected EOF",
                "connection reset",
                "use of closed network connection",
                "context canceled",
            ]
            .iter()
            .any(|end| message.ends_with(end));
        if self.http_code.is_some() || message.starts_with("request failed: ") || cut_off {
            return BundleOutcome::NotFetched {
                message,
                http_code: self.http_code,
            };
        }
        BundleOutcome::Refused {
            message,
            errors: &self.errors,
        }
    }
}

fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn empty_as_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.filter(|text| !text.is_empty()))
}

/// Go writes "never" as the first second of the year 1; text that is no time is "unknown" as well.
fn go_time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text
        .filter(|text| !text.starts_with("0001-01-01T00:00:00"))
        .and_then(|text| text.parse().ok()))
}

/// A number in OPA 1.22; text is taken too.
fn http_code<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Code {
        Number(u16),
        Text(String),
    }
    Ok(match Option::<Code>::deserialize(from)? {
        None => None,
        Some(Code::Number(code)) => Some(code),
        Some(Code::Text(text)) => text.parse().ok(),
    })
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
