//! Who may sign: rules on the identity in the certificate and on the issuer that vouched for it.

use std::fmt;

use regex::Regex;

use super::TrustConfigError;

/// A pattern that must match the whole text.
///
/// cosign's `--certificate-identity-regexp` searches anywhere in the text, so `https://github.com/acme/` there also
/// accepts `https://evil.example/?https://github.com/acme/`. Here a pattern always stands for the whole identity;
/// one that is already anchored with `^` and `$` means the same in both.
#[derive(Debug, Clone)]
pub struct WholeMatch {
    source: String,
    regex: Regex,
}

impl WholeMatch {
    /// Compiles a pattern. It must be valid by itself: `a)|(b` would otherwise close the group that anchors it.
    pub fn new(pattern: &str) -> Result<Self, TrustConfigError> {
        let invalid = |source| TrustConfigError::Pattern {
            pattern: pattern.to_owned(),
            source: Box::new(source),
        };
        Regex::new(pattern).map_err(invalid)?;
        let regex = Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(invalid)?;
        Ok(Self {
            source: pattern.to_owned(),
            regex,
        })
    }

    /// The pattern as given.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

macro_rules! rule {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub enum $name {
            /// Equal, byte for byte.
            Exact(String),
            /// The whole text matches the pattern.
            Pattern(WholeMatch),
        }

        impl $name {
            /// A rule from a pattern; see [`WholeMatch`].
            pub fn pattern(pattern: &str) -> Result<Self, TrustConfigError> {
                WholeMatch::new(pattern).map(Self::Pattern)
            }

            /// Whether the text follows the rule.
            pub fn matches(&self, text: &str) -> bool {
                match self {
                    Self::Exact(expected) => expected == text,
                    Self::Pattern(pattern) => pattern.matches(text),
                }
            }

            /// An empty rule is a forgotten setting (an unset variable in a template), never a wish.
            pub(super) fn check(&self) -> Result<(), TrustConfigError> {
                let text = match self {
                    Self::Exact(text) => text,
                    Self::Pattern(pattern) => &pattern.source,
                };
                if text.trim().is_empty() { Err(TrustConfigError::EmptyRule { what: $what }) } else { Ok(()) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Exact(text) => write!(f, "{text:?}"),
                    Self::Pattern(pattern) => write!(f, "a match of the whole pattern {:?}", pattern.source),
                }
            }
        }
    };
}

rule! {
    /// The rule for the identity: the certificate's subject alternative name, an e-mail address or a URI.
    IdentityRule, "certificate identity"
}

rule! {
    /// The rule for the issuer: the URL of the OIDC provider that vouched for the identity.
    IssuerRule, "certificate OIDC issuer"
}
