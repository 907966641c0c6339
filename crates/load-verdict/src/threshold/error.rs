//! What is wrong with a threshold, and where: the message shows the text with a caret under the character.

use std::fmt;

/// A threshold that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdError {
    /// What is wrong.
    pub problem: Problem,
    /// The text that was read: a key, an expression or a flag. Control characters are shown as spaces.
    pub text: String,
    /// Where the wrong part begins, in characters of `text`.
    pub column: usize,
    /// How many characters are wrong; at least 1.
    pub width: usize,
    /// What to do, for people.
    pub advice: String,
}

/// What is wrong with a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A flag without `=` between key and expression.
    NoExpression,
    /// No metric of that name.
    UnknownMetric,
    /// k6 has the metric; it is not measured here.
    NotMeasured,
    /// Braces that do not match, or text after them.
    Braces,
    /// A tag that is not `name:value`.
    Tag,
    /// The same tag twice.
    DuplicateTag,
    /// No comparison operator, or one that does not exist.
    Operator,
    /// The left side is no aggregate.
    Aggregation,
    /// The aggregate does not exist for this type of metric.
    AggregationOfType,
    /// Not a percentile from 0 to 100.
    Percentile,
    /// The right side is not a number.
    Limit,
}

impl Problem {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoExpression => "no expression",
            Self::UnknownMetric => "unknown metric",
            Self::NotMeasured => "metric that is not measured",
            Self::Braces => "braces do not match",
            Self::Tag => "malformed tag",
            Self::DuplicateTag => "tag given twice",
            Self::Operator => "no comparison",
            Self::Aggregation => "unknown aggregate",
            Self::AggregationOfType => "aggregate that this type of metric does not have",
            Self::Percentile => "malformed percentile",
            Self::Limit => "malformed limit",
        }
    }
}

impl ThresholdError {
    /// `start..end` are byte offsets into `text`; both are moved to character boundaries inside of it.
    pub(super) fn new(problem: Problem, text: &str, start: usize, end: usize, advice: String) -> Self {
        let chars_before = |offset: usize| text.char_indices().take_while(|(at, _)| *at < offset).count();
        let column = chars_before(start);
        Self {
            problem,
            text: text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
            column,
            width: chars_before(end).saturating_sub(column).max(1),
            advice,
        }
    }
}

impl fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at character {}\n  {}\n  {}{} {}",
            self.problem.as_str(),
            self.column + 1,
            self.text,
            " ".repeat(self.column),
            "^".repeat(self.width),
            self.advice
        )
    }
}

impl std::error::Error for ThresholdError {}
