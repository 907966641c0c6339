//! Owns the rules for those who have no policy file, and `RETENTION_DAYS`.

use crate::{
    document::canonical,
    policy::{Action, Age, Condition, Guards, OnChildren, Op, Policy, Rule, Scalar, TableName, Term, Transform},
    read::{LoadedPolicy, PolicySource, digest},
    text::quoted,
};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// Days after which card data and addresses of transactions are made anonymous.
const TRANSACTION_DAYS: u32 = 365;

/// `RETENTION_DAYS`: the term of the built-in rule for events. 1 to 36500; 90 when not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RetentionDays(u32);

impl RetentionDays {
    /// The longest term: a hundred years.
    pub const MOST: u32 = 36_500;

    /// Days, 1 to 36500.
    ///
    /// # Errors
    /// 0, or more than 36500.
    pub fn new(days: u32) -> Result<Self, RetentionDaysError> {
        if (1..=Self::MOST).contains(&days) {
            Ok(Self(days))
        } else {
            Err(RetentionDaysError::OutOfRange {
                found: days.to_string(),
            })
        }
    }

    /// The days.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for RetentionDays {
    fn default() -> Self {
        Self(90)
    }
}

impl fmt::Display for RetentionDays {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// `RETENTION_DAYS` is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetentionDaysError {
    /// Set to nothing: a variable that somebody meant to fill.
    #[error("it is empty: expected whole days from 1 to {}", RetentionDays::MOST)]
    Empty,
    /// No whole number.
    #[error("expected whole days from 1 to {}, found {}", RetentionDays::MOST, quoted(.found))]
    NotDays {
        /// As it was given.
        found: String,
    },
    /// 0, negative, or more than a hundred years.
    #[error("expected 1 to {} days, found {}", RetentionDays::MOST, quoted(.found))]
    OutOfRange {
        /// As it was given.
        found: String,
    },
}

impl TryFrom<i64> for RetentionDays {
    type Error = RetentionDaysError;

    fn try_from(days: i64) -> Result<Self, RetentionDaysError> {
        let out_of_range = || RetentionDaysError::OutOfRange {
            found: days.to_string(),
        };
        Self::new(u32::try_from(days).map_err(|_| out_of_range())?)
    }
}

impl FromStr for RetentionDays {
    type Err = RetentionDaysError;

    fn from_str(text: &str) -> Result<Self, RetentionDaysError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(RetentionDaysError::Empty);
        }
        let digits = trimmed.strip_prefix('-').unwrap_or(trimmed);
        let found = || trimmed.to_owned();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RetentionDaysError::NotDays { found: found() });
        }
        // Negative, or more than 32 bits hold: a number, but not one of ours.
        let days: u32 = trimmed
            .parse()
            .map_err(|_| RetentionDaysError::OutOfRange { found: found() })?;
        Self::new(days).map_err(|_| RetentionDaysError::OutOfRange { found: found() })
    }
}

/// The built-in rules:
///
/// | rule | table | what becomes of a row | which rows |
/// |---|---|---|---|
/// | pii-events | public.pii_events | deleted | `created_at` is older than `RETENTION_DAYS` |
/// | rtbf-users | public.users | `email`, `phone` become NULL | `rtbf_requested` is true |
/// | transactions | public.transactions | `card_last4`, `ip` become NULL | `created_at` is older than 365 days |
pub fn rules(days: RetentionDays) -> Vec<Rule> {
    let created = |days| {
        Some(Age {
            column: "created_at".to_owned(),
            term: Term::Days(days),
        })
    };
    let null =
        |columns: [&str; 2]| Action::Anonymise(BTreeMap::from(columns.map(|name| (name.to_owned(), Transform::Null))));
    let requested = Condition {
        column: "rtbf_requested".to_owned(),
        op: Op::Eq(Scalar::Bool(true)),
    };
    vec![
        rule("pii-events", "pii_events", Action::Delete, created(days.get()), vec![]),
        rule("rtbf-users", "users", null(["email", "phone"]), None, vec![requested]),
        rule(
            "transactions",
            "transactions",
            null(["card_last4", "ip"]),
            created(TRANSACTION_DAYS),
            vec![],
        ),
    ]
}

fn rule(name: &str, table: &str, action: Action, age: Option<Age>, conditions: Vec<Condition>) -> Rule {
    Rule {
        name: name.to_owned(),
        table: TableName {
            schema: "public".to_owned(),
            name: table.to_owned(),
        },
        action,
        age,
        conditions,
        max_rows: None,
        max_fraction: None,
        on_children: OnChildren::default(),
        labels_column: None,
        subject_column: None,
        allow_no_primary_key: false,
        allow_unindexed_foreign_keys: false,
        keep_columns: None,
    }
}

/// The built-in policy. Its digest is that of its canonical JSON form, in which `RETENTION_DAYS` is the term of its first rule.
pub fn load(days: RetentionDays) -> LoadedPolicy {
    let policy = Policy {
        revision: None,
        grace_seconds: 0,
        legal_hold_labels: vec![],
        rules: rules(days),
        erasure: None,
        guards: Guards::default(),
    };
    LoadedPolicy {
        digest: digest(canonical(&policy).as_bytes()),
        policy,
        source: PolicySource::BuiltIn,
        retention_days: Some(days),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_policy_is_right_and_its_digest_depends_on_the_days_alone() {
        let loaded = load(RetentionDays::default());
        assert_eq!(crate::check(&loaded.policy), []);
        assert_eq!(loaded.digest, load(RetentionDays::new(90).unwrap()).digest);
        assert_ne!(loaded.digest, load(RetentionDays::new(91).unwrap()).digest);
        // Receipts of years are compared by it: it changes only when the policy does.
        insta::assert_snapshot!(format!("{}\n{}", canonical(&loaded.policy), loaded.digest));
    }

    #[test]
    fn what_are_days() {
        for (text, days) in [("1", 1), ("90", 90), (" 90\n", 90), ("007", 7), ("36500", 36_500)] {
            assert_eq!(text.parse::<RetentionDays>().map(RetentionDays::get), Ok(days));
            assert_eq!(
                RetentionDays::try_from(i64::from(days)).map(RetentionDays::get),
                Ok(days)
            );
        }
        for days in [0, -1, 36_501, 1 << 32, i64::MIN, i64::MAX] {
            let found = days.to_string();
            assert_eq!(
                RetentionDays::try_from(days),
                Err(RetentionDaysError::OutOfRange { found })
            );
        }
    }

    #[test]
    fn what_are_no_days() {
        let refused = [
            "",
            " ",
            "0",
            "-0",
            "-5",
            "36501",
            "99999999999",
            "90.5",
            "90d",
            "ninety",
            "+90",
            "-",
            "0x5a",
            "９０",
            "9\n0",
        ]
        .map(|text| format!("{text:?}: {}", text.parse::<RetentionDays>().unwrap_err()));
        insta::assert_snapshot!(refused.join("\n"));
    }
}
