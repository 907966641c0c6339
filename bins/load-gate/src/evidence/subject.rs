//! Owns what may be asked about. An empty release id is what Argo Rollouts makes of a label that is not there: it must not
//! become a question, because MC might have an answer to it.

/// Longer names are a mistake; MC's ids are some dozens of characters.
const LONGEST: usize = 512;

/// A release of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    service: String,
    release_id: String,
}

/// Why nothing can be asked about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SubjectError {
    /// Nothing there.
    #[error("the {what} is empty: expected {expected}; in Argo Rollouts a label that is missing gives an empty text")]
    Empty { what: &'static str, expected: &'static str },
    /// Something that no id has in it.
    #[error("the {what} {found:?} {wrong}; expected {expected}")]
    Wrong {
        what: &'static str,
        found: String,
        wrong: &'static str,
        expected: &'static str,
    },
}

impl Subject {
    /// Checks both names.
    pub(crate) fn new(service: &str, release_id: &str) -> Result<Self, SubjectError> {
        check("service", service, "the service's name as it is published to MC")?;
        check(
            "release id",
            release_id,
            "the id under which the release's evidence was published",
        )?;
        Ok(Self {
            service: service.to_owned(),
            release_id: release_id.to_owned(),
        })
    }

    /// The service.
    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// The release.
    pub(crate) fn release_id(&self) -> &str {
        &self.release_id
    }
}

fn check(what: &'static str, text: &str, expected: &'static str) -> Result<(), SubjectError> {
    // Characters that are not seen leave nothing to be seen of an id.
    let visible = |c: char| !c.is_whitespace() && !c.is_control() && !is_invisible(c);
    if !text.chars().any(visible) {
        return Err(SubjectError::Empty { what, expected });
    }
    let wrong = |wrong| {
        Err(SubjectError::Wrong {
            what,
            found: text.chars().take(100).collect(),
            wrong,
            expected,
        })
    };
    if text.len() > LONGEST {
        return wrong("is longer than 512 bytes");
    }
    if text.contains("{{") || text.contains("}}") {
        return wrong("has braces of a template in it that was not filled in");
    }
    if text.trim() != text {
        return wrong("starts or ends with a blank");
    }
    if text.chars().any(|c| c.is_control() || is_invisible(c)) {
        return wrong("has a character in it that cannot be seen");
    }
    Ok(())
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_as_they_are_in_use() {
        for id in ["2024.06.1", "v1.2.3-rc.1+build", "a", "release/42", "0", "Gerät 7"] {
            assert_eq!(Subject::new("companyos", id).unwrap().release_id(), id);
        }
    }

    #[test]
    fn what_looks_empty_is_empty() {
        for id in ["", " ", "\t\n", "\u{200b}", "\u{feff} ", "\u{0}"] {
            let error = Subject::new("companyos", id).unwrap_err();
            assert!(
                matches!(error, SubjectError::Empty { what: "release id", .. }),
                "{id:?}: {error}"
            );
            assert!(matches!(
                Subject::new(id, "r1").unwrap_err(),
                SubjectError::Empty { what: "service", .. }
            ));
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for (id, says) in [
            (" r1", "blank"),
            ("r1\n", "blank"),
            ("r\u{200b}1", "cannot be seen"),
            ("{{args.release-id}}", "template"),
            (&*"x".repeat(513), "longer"),
        ] {
            assert!(
                Subject::new("companyos", id).unwrap_err().to_string().contains(says),
                "{id:?}"
            );
        }
    }
}
