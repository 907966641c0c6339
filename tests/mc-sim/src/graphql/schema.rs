//! Owns what can be asked for: the types of the contract, and the rule that a selection must fit them.

use super::syntax::{Field, Kind};

/// An object type and its fields; a field of an object type has that type's name.
type Type = (&'static str, &'static [(&'static str, Option<&'static str>)]);

const TYPES: [Type; 7] = [
    ("Query", &[("evidenceOk", Some("EvidenceOk"))]),
    ("Mutation", &[("publishEvidence", Some("EvidenceBundle"))]),
    (
        "EvidenceOk",
        &[
            ("ok", None),
            ("reasons", None),
            ("snapshot", Some("SLOSnapshot")),
            ("cost", Some("CostSnapshot")),
        ],
    ),
    (
        "SLOSnapshot",
        &[
            ("service", None),
            ("p95Ms", None),
            ("p99Ms", None),
            ("errorRate", None),
            ("window", None),
        ],
    ),
    (
        "CostSnapshot",
        &[("graphqlPerMillionUsd", None), ("ingestPerThousandUsd", None)],
    ),
    (
        "EvidenceBundle",
        &[
            ("id", None),
            ("releaseId", None),
            ("service", None),
            ("artifacts", Some("ArtifactRef")),
            ("slo", Some("SLOSnapshot")),
            // The JSON scalar: whatever was published.
            ("cost", None),
            ("createdAt", None),
        ],
    ),
    ("ArtifactRef", &[("type", None), ("sha256", None)]),
];

impl Kind {
    /// The type that its fields belong to.
    pub(super) fn root(self) -> &'static str {
        match self {
            Self::Query => "Query",
            Self::Mutation => "Mutation",
        }
    }
}

/// The type of a field: none for a scalar.
pub(super) fn type_of(parent: &str, field: &str) -> Option<&'static str> {
    let (_, fields) = TYPES.iter().find(|(name, _)| *name == parent)?;
    fields.iter().find(|(name, _)| *name == field)?.1
}

/// Checks that a selection fits its type, all the way down.
pub(super) fn check(parent: &str, selection: &[Field]) -> Result<(), String> {
    for field in selection {
        if field.name == "__typename" {
            continue;
        }
        let known = TYPES
            .iter()
            .find(|(name, _)| *name == parent)
            .and_then(|(_, fields)| fields.iter().find(|(name, _)| *name == field.name));
        let name = &field.name;
        match known {
            None => return Err(format!("Cannot query field \"{name}\" on type \"{parent}\".")),
            Some((_, None)) if !field.selection.is_empty() => {
                return Err(format!(
                    "Field \"{name}\" must not have a selection: it has no subfields."
                ));
            }
            Some((_, None)) => {}
            Some((_, Some(of))) if field.selection.is_empty() => {
                return Err(format!(
                    "Field \"{name}\" of type \"{of}\" must have a selection of subfields."
                ));
            }
            Some((_, Some(of))) => check(of, &field.selection)?,
        }
    }
    Ok(())
}
