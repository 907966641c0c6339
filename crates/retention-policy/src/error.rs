//! Owns every way in which a policy is refused.

use crate::read::PolicySource;
use std::fmt;

/// A policy is refused. Nothing was touched; the caller's exit code is that of a wrong configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// More bytes than any policy needs.
    #[error("the policy {from} is {bytes} bytes long: expected at most {most}")]
    TooLarge {
        /// Which policy.
        from: PolicySource,
        /// Its size.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// Not UTF-8.
    #[error("the policy {from} is not text: expected UTF-8, found another byte at position {at}")]
    NotText {
        /// Which policy.
        from: PolicySource,
        /// Of the first byte that is none, from 0.
        at: usize,
    },
    /// Nothing in it. A file that was cut off is not the built-in policy.
    #[error("the policy {from} is empty: expected `rules`, or at least `{{}}` for the built-in rules")]
    Empty {
        /// Which policy.
        from: PolicySource,
    },
    /// It cannot be read: the first mistake.
    #[error("the policy {from}{}: {mistake}", Place(*.line, *.column))]
    Syntax {
        /// Which policy.
        from: PolicySource,
        /// From 1; 0 where it is not known.
        line: usize,
        /// From 1; 0 where it is not known.
        column: usize,
        /// What, and where.
        mistake: Mistake,
    },
    /// It can be read, but cannot be meant: all mistakes.
    #[error("the policy {from}: {}", All(.mistakes))]
    Mistakes {
        /// Which policy.
        from: PolicySource,
        /// Never empty.
        mistakes: Vec<Mistake>,
    },
}

impl PolicyError {
    /// The mistakes, where they can be told one by one.
    pub fn mistakes(&self) -> &[Mistake] {
        match self {
            Self::Mistakes { mistakes, .. } => mistakes,
            Self::Syntax { mistake, .. } => std::slice::from_ref(mistake),
            Self::TooLarge { .. } | Self::NotText { .. } | Self::Empty { .. } => &[],
        }
    }
}

/// One mistake in a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where: `rules[2].age.days`; empty for the whole document.
    pub path: String,
    /// What was expected, and what was found.
    pub message: String,
}

impl Mistake {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            out.write_str(&self.message)
        } else {
            write!(out, "{}: {}", self.path, self.message)
        }
    }
}

struct Place(usize, usize);

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(0, _) => Ok(()),
            Self(line, column) => write!(out, ", line {line}, column {column}"),
        }
    }
}

struct All<'a>(&'a [Mistake]);

impl fmt::Display for All<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() > 1 {
            write!(out, "{} mistakes: ", self.0.len())?;
        }
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                out.write_str("; ")?;
            }
            write!(out, "{mistake}")?;
        }
        Ok(())
    }
}
