//! Owns the faults that can be switched on, and which of them a request meets. No I/O.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A fault, by the name that the control endpoint takes (`{"fault": "latency", "ms": 200}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// The answer waits this long.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// Answers with this status and `{"error": "fault on demand"}`.
    Status {
        /// The HTTP status; anything that is no status is sent as 500.
        code: u16,
        /// `Retry-After` in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
    },
    /// The connection ends with a TCP RST: before any byte of the answer, or inside the body.
    Reset {
        /// So many bytes of the body are sent first; none: not even the status line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
    },
    /// The body ends after so many bytes, although `Content-Length` promises all of them.
    Truncate {
        /// Bytes of the body that are sent.
        at: u64,
    },
    /// No `Content-Length`, and zeros follow the body until the client goes (or 1 GiB or 60 s are reached).
    Endless,
    /// `Digest` and `ETag` agree with each other on a digest that is not the body's.
    WrongDigest,
    /// `Digest` names another digest than `ETag` does (which is right).
    DigestConflict,
    /// Neither `Digest` nor a digest inside the `ETag`.
    NoDigestHeader,
    /// A request with `If-None-Match` is told 304 and its own tag, whatever is published.
    #[serde(rename = "stale_304")]
    Stale304,
    /// 503 `attestation not available`.
    MissingAttestation,
    /// The attestation is one for other bytes, under the `ETag` of the current pack.
    ForeignAttestation {
        /// What is sent; none: a bundle made with a key that nobody trusts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bundle: Option<String>,
    },
    /// 302 to the same address.
    RedirectLoop,
    /// The right body, slowly.
    SlowDrip {
        /// Bytes a second; 0 sends the headers and then nothing.
        bytes_per_sec: u64,
    },
    /// 200 with an HTML page, as a captive portal or a login page would.
    Html,
    /// 401, as if the token were wrong.
    Unauthorized,
    /// After a pack was sent, the staged pack (see [`crate::Sim::stage`]) and the current one change places, so that
    /// the attestation which is fetched next belongs to another pack.
    EtagRace,
    /// Sends the attestation along in `X-Cosign-Bundle`, or does not, against the configuration.
    InlineBundle {
        /// Whether it is sent.
        on: bool,
    },
    /// GraphQL: there is no evidence of any release, whatever was published.
    NotYet,
    /// GraphQL: `{"data":null}`, without errors.
    DataNull,
    /// GraphQL: `errors` with status 200.
    GraphqlErrors {
        /// The message; none: `fault on demand`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// `extensions.code`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Whether the right data are beside them.
        #[serde(default)]
        with_data: bool,
    },
    /// GraphQL: a field of the answer is missing.
    MissingField {
        /// `ok`, `reasons`, `snapshot.window`, ...
        field: String,
    },
    /// GraphQL: a field of the answer has this value.
    SetField {
        /// `ok`, `snapshot.service`, ...
        field: String,
        /// Any JSON.
        value: Value,
    },
    /// GraphQL: the window of the snapshot is an interval that ended so long ago.
    StaleSnapshot {
        /// Seconds.
        seconds: u64,
    },
    /// GraphQL: `ok` is there twice, first as what it is not.
    DuplicateOk,
    /// GraphQL: the answer starts with a byte order mark.
    Bom,
    /// GraphQL: the answer is there twice, one after the other.
    TwoDocuments,
    /// GraphQL: the answer is only so long, and `Content-Length` agrees.
    CutJson {
        /// Bytes that are left.
        at: usize,
    },
    /// GraphQL: no body.
    EmptyBody {
        /// The status: 200, 204, ...
        code: u16,
    },
    /// GraphQL: this body, whatever was asked.
    Body {
        /// The body.
        text: String,
    },
    /// GraphQL: another media type.
    ContentType {
        /// The header's value.
        value: String,
    },
    /// GraphQL: the answer comes out of a cache (`Age`).
    Cached {
        /// Seconds.
        seconds: u32,
    },
}

/// When a fault is looked for, so that a limited fault is not used up by a request it cannot touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before anything is known about the answer.
    Arrival,
    /// The request is conditional.
    Conditional,
    /// Evidence is looked up.
    Lookup,
    /// The answer is a 200.
    Content,
}

impl Fault {
    /// The name in logs and in the control endpoint.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Status { .. } => "status",
            Self::Reset { .. } => "reset",
            Self::Truncate { .. } => "truncate",
            Self::Endless => "endless",
            Self::WrongDigest => "wrong_digest",
            Self::DigestConflict => "digest_conflict",
            Self::NoDigestHeader => "no_digest_header",
            Self::Stale304 => "stale_304",
            Self::MissingAttestation => "missing_attestation",
            Self::ForeignAttestation { .. } => "foreign_attestation",
            Self::RedirectLoop => "redirect_loop",
            Self::SlowDrip { .. } => "slow_drip",
            Self::Html => "html",
            Self::Unauthorized => "unauthorized",
            Self::EtagRace => "etag_race",
            Self::InlineBundle { .. } => "inline_bundle",
            Self::NotYet => "not_yet",
            Self::DataNull => "data_null",
            Self::GraphqlErrors { .. } => "graphql_errors",
            Self::MissingField { .. } => "missing_field",
            Self::SetField { .. } => "set_field",
            Self::StaleSnapshot { .. } => "stale_snapshot",
            Self::DuplicateOk => "duplicate_ok",
            Self::Bom => "bom",
            Self::TwoDocuments => "two_documents",
            Self::CutJson { .. } => "cut_json",
            Self::EmptyBody { .. } => "empty_body",
            Self::Body { .. } => "body",
            Self::ContentType { .. } => "content_type",
            Self::Cached { .. } => "cached",
        }
    }

    /// Limits the fault to one endpoint.
    pub fn on(self, target: Target) -> FaultSpec {
        FaultSpec::from(self).on(target)
    }

    /// The fault goes away after it was met so many times.
    pub fn times(self, count: u32) -> FaultSpec {
        FaultSpec::from(self).times(count)
    }

    fn stage(&self) -> Stage {
        match self {
            Self::Latency { .. }
            | Self::Status { .. }
            | Self::Reset { at: None }
            | Self::MissingAttestation
            | Self::RedirectLoop
            | Self::Html
            | Self::Unauthorized => Stage::Arrival,
            Self::Stale304 => Stage::Conditional,
            Self::NotYet => Stage::Lookup,
            Self::Reset { at: Some(_) }
            | Self::Truncate { .. }
            | Self::Endless
            | Self::WrongDigest
            | Self::DigestConflict
            | Self::NoDigestHeader
            | Self::ForeignAttestation { .. }
            | Self::SlowDrip { .. }
            | Self::EtagRace
            | Self::InlineBundle { .. }
            | Self::DataNull
            | Self::GraphqlErrors { .. }
            | Self::MissingField { .. }
            | Self::SetField { .. }
            | Self::StaleSnapshot { .. }
            | Self::DuplicateOk
            | Self::Bom
            | Self::TwoDocuments
            | Self::CutJson { .. }
            | Self::EmptyBody { .. }
            | Self::Body { .. }
            | Self::ContentType { .. }
            | Self::Cached { .. } => Stage::Content,
        }
    }

    /// Faults that mean nothing at the other endpoint are not used up there.
    fn fits(&self, endpoint: Endpoint) -> bool {
        match self {
            Self::MissingAttestation | Self::ForeignAttestation { .. } => endpoint == Endpoint::Attestation,
            Self::EtagRace | Self::InlineBundle { .. } | Self::Stale304 => endpoint == Endpoint::Pack,
            Self::WrongDigest | Self::DigestConflict | Self::NoDigestHeader => {
                matches!(endpoint, Endpoint::Pack | Endpoint::Attestation)
            }
            Self::Latency { .. }
            | Self::Status { .. }
            | Self::Reset { .. }
            | Self::Truncate { .. }
            | Self::Endless
            | Self::RedirectLoop
            | Self::SlowDrip { .. }
            | Self::Html
            | Self::Unauthorized => endpoint != Endpoint::Other,
            _ => endpoint == Endpoint::Graphql,
        }
    }
}

/// Which endpoint a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// `GET` and `HEAD /v1/policy/packs/{id}`.
    Pack,
    /// `GET /v1/policy/packs/{id}/attestation`.
    Attestation,
    /// `POST /graphql`.
    Graphql,
    /// Every endpoint that the fault can happen at.
    #[default]
    Both,
}

/// The endpoint of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/v1/policy/packs/{id}`.
    Pack,
    /// `/v1/policy/packs/{id}/attestation`.
    Attestation,
    /// `/graphql`.
    Graphql,
    /// A path that MC does not have.
    Other,
}

/// A fault with its target and how often it is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultSpec {
    /// What goes wrong.
    #[serde(flatten)]
    pub fault: Fault,
    /// Where.
    #[serde(default)]
    pub target: Target,
    /// How often it is still met; none: until it is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl From<Fault> for FaultSpec {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            target: Target::Both,
            count: None,
        }
    }
}

impl FaultSpec {
    /// Limits the fault to one endpoint.
    #[must_use]
    pub fn on(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// The fault goes away after it was met so many times.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    fn meets(&self, endpoint: Endpoint, stage: Stage) -> bool {
        let targeted = match self.target {
            Target::Pack => endpoint == Endpoint::Pack,
            Target::Attestation => endpoint == Endpoint::Attestation,
            Target::Graphql => endpoint == Endpoint::Graphql,
            Target::Both => true,
        };
        targeted && self.fault.fits(endpoint) && self.fault.stage() == stage
    }
}

/// The faults that are switched on, in the order in which they were.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<FaultSpec>);

impl Faults {
    pub(crate) fn add(&mut self, spec: FaultSpec) {
        if spec.count != Some(0) {
            self.0.push(spec);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn list(&self) -> Vec<FaultSpec> {
        self.0.clone()
    }

    /// The faults a request meets at this stage; limited ones are counted down and go when used up.
    pub(crate) fn take(&mut self, endpoint: Endpoint, stage: Stage) -> Vec<Fault> {
        let mut met = Vec::new();
        self.0.retain_mut(|spec| {
            if !spec.meets(endpoint, stage) {
                return true;
            }
            met.push(spec.fault.clone());
            match &mut spec.count {
                None => true,
                Some(count) => {
                    *count = count.saturating_sub(1);
                    *count > 0
                }
            }
        });
        met
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_flat_and_defaults_to_both_endpoints_without_end() {
        let spec: FaultSpec = serde_json::from_str(r#"{"fault":"latency","ms":7}"#).unwrap();
        assert_eq!(spec, FaultSpec::from(Fault::Latency { ms: 7 }));
        let spec: FaultSpec = serde_json::from_str(r#"{"fault":"stale_304","target":"pack","count":2}"#).unwrap();
        assert_eq!(spec, Fault::Stale304.on(Target::Pack).times(2));
        assert_eq!(
            serde_json::to_value(&spec).unwrap(),
            serde_json::json!({"fault": "stale_304", "target": "pack", "count": 2})
        );
    }

    #[test]
    fn the_json_name_is_the_name() {
        for fault in [
            Fault::Endless,
            Fault::Stale304,
            Fault::EtagRace,
            Fault::SlowDrip { bytes_per_sec: 1 },
            Fault::NotYet,
            Fault::StaleSnapshot { seconds: 1 },
            Fault::EmptyBody { code: 204 },
        ] {
            assert_eq!(serde_json::to_value(&fault).unwrap()["fault"], fault.name());
        }
    }

    #[test]
    fn a_limited_fault_goes_when_used_up_and_only_where_it_fits() {
        let mut faults = Faults::default();
        faults.add(Fault::MissingAttestation.times(1));
        faults.add(Fault::Truncate { at: 1 }.on(Target::Pack).times(2));
        assert!(
            faults.take(Endpoint::Pack, Stage::Arrival).is_empty(),
            "a pack request must not use up the attestation's fault"
        );
        assert_eq!(
            faults.take(Endpoint::Attestation, Stage::Arrival),
            [Fault::MissingAttestation]
        );
        assert!(faults.take(Endpoint::Attestation, Stage::Arrival).is_empty());
        assert!(faults.take(Endpoint::Attestation, Stage::Content).is_empty());
        assert_eq!(faults.take(Endpoint::Pack, Stage::Content), [Fault::Truncate { at: 1 }]);
        assert_eq!(faults.list(), [Fault::Truncate { at: 1 }.on(Target::Pack).times(1)]);
    }
}
