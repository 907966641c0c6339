//! Owns the check that no data document gives a value where a rule stands.
//!
//! OPA refuses such a pair when it activates; refusing it here names the two files, and in push mode keeps
//! OPA untouched.

use pack_verify::{admit::VerifiedPack, json};

use super::{PreflightError, rego::RulePath};

/// Refuses the first collision.
pub(super) fn check(pack: &VerifiedPack, rules: &[RulePath]) -> Result<(), PreflightError> {
    for rule in rules {
        for data in pack.data() {
            if collides(&rule.path, &data.document, &data.json) {
                return Err(PreflightError::Collision {
                    data_file: data.path.clone(),
                    policy_file: rule.file.clone(),
                    path: rule.path.join("."),
                });
            }
        }
    }
    Ok(())
}

/// Whether the document at `document` has a value at, or stands below, the rule's path.
fn collides(rule: &[String], document: &[String], text: &[u8]) -> bool {
    match rule.strip_prefix(document) {
        Some(below) => {
            let below: Vec<&str> = below.iter().map(String::as_str).collect();
            json::has_path(text, &below)
        }
        None => document.starts_with(rule),
    }
}

#[cfg(test)]
mod tests {
    use super::collides;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn a_value_at_the_rule_collides() {
        assert!(collides(
            &path("cos.abac.allow"),
            &path("cos.abac"),
            br#"{"allow": true}"#
        ));
        assert!(collides(&path("cos.abac.allow"), &path("cos.abac.allow"), b"1"));
        assert!(collides(&path("cos.abac"), &path("cos.abac.allow"), b"1"));
    }

    #[test]
    fn neighbours_do_not_collide() {
        assert!(!collides(
            &path("cos.abac.allow"),
            &path("cos.abac"),
            br#"{"other": true}"#
        ));
        assert!(!collides(&path("cos.abac.allow"), &path("cos.retention"), b"{}"));
        assert!(!collides(&path("cos.abac.allow"), &path("cos.abac.allowed"), b"1"));
    }
}
