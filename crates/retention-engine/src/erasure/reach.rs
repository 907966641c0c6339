//! Owns which rows: those of a page of subjects go, table by table, and it is counted of whom some are left.

use super::ErasureReport;
use crate::engine::{Counted, Engine};
use crate::error::EngineError;
use crate::verify::Left;
use retention_plan::Task;
use retention_plan::resolve::{ReachedTable, ResolvedErasure, erasure_task};
use retention_proof::RuleResult;
use retention_proof::receipt::SubjectOutcome;
use std::collections::{BTreeMap, BTreeSet};

impl Engine {
    /// Erases the rows of these subjects, table by table; `None`: stopped before the end. Gives those of whom tables kept
    /// something, and nothing but held rows: what leads to these was left for the holds' sake.
    pub(super) async fn rows(
        &mut self,
        erasure: &ResolvedErasure,
        keys: &[String],
        report: &mut ErasureReport,
    ) -> Result<Option<BTreeSet<String>>, EngineError> {
        let (mut for_holds, mut for_others) = (BTreeSet::new(), BTreeSet::new());
        // Subjects of whom a table kept something (held, referred to): what leads to it must stay for them.
        let mut kept: Vec<(usize, BTreeSet<String>)> = Vec::new();
        for (at, table) in erasure.tables.iter().enumerate() {
            let stays: BTreeSet<&String> = kept
                .iter()
                .filter(|(before, _)| table.leads_to(&erasure.tables[*before], erasure))
                .flat_map(|(_, keys)| keys)
                .collect();
            let keys: Vec<String> = keys.iter().filter(|key| !stays.contains(key)).cloned().collect();
            let task = erasure_task(erasure, table, &keys);
            let left = self.count(&task).await?;
            let counted = Counted {
                todo: left.free + left.held + left.blocked,
                held: left.held,
                blocked: left.blocked,
                undated: 0,
            };
            let result = self.apply(&task, &counted).await?;
            let (residue, rest) = (result.residue, result.held + result.blocked);
            add(&mut report.results, result);
            let Some(residue) = residue else {
                return Ok(None);
            };
            if residue + rest > 0 {
                let mut open = BTreeMap::new();
                self.open(erasure, &erasure.tables[at..=at], &keys, &mut open).await?;
                for (key, outcome) in &open {
                    let because = if *outcome == SubjectOutcome::Held {
                        &mut for_holds
                    } else {
                        &mut for_others
                    };
                    because.insert(key.clone());
                }
                kept.push((at, open.into_keys().collect()));
            }
        }
        Ok(Some(&for_holds - &for_others))
    }

    /// Which of these subjects still have rows: all of them are counted together, and halves of them only where some are
    /// left.
    pub(super) async fn open(
        &mut self,
        erasure: &ResolvedErasure,
        tables: &[ReachedTable],
        keys: &[String],
        open: &mut BTreeMap<String, SubjectOutcome>,
    ) -> Result<(), EngineError> {
        let mut look_at: Vec<&[String]> = vec![keys];
        while let Some(keys) = look_at.pop() {
            let mut left = Left::default();
            for table in tables {
                left = left.plus(&self.count(&erasure_task(erasure, table, keys)).await?);
            }
            if left.free + left.held + left.blocked == 0 {
                continue;
            }
            if let [key] = keys {
                let outcome = if left.free + left.blocked == 0 {
                    SubjectOutcome::Held
                } else {
                    SubjectOutcome::Left
                };
                open.insert(key.clone(), outcome);
            } else {
                let (first, second) = keys.split_at(keys.len() / 2);
                look_at.extend([first, second]);
            }
        }
        Ok(())
    }

    async fn count(&mut self, task: &Task) -> Result<Left, EngineError> {
        let mut sum = Left::default();
        for leaf in &task.leaves {
            sum = sum.plus(&self.left(task, leaf).await?);
        }
        Ok(sum)
    }
}

/// Adds a page's result to that of the pages before.
fn add(results: &mut Vec<RuleResult>, new: RuleResult) {
    let Some(known) = results.iter_mut().find(|known| known.rule == new.rule) else {
        results.push(new);
        return;
    };
    for strategy in new.strategies {
        if !known.strategies.contains(&strategy) {
            known.strategies.push(strategy);
        }
    }
    known.due += new.due;
    known.rows += new.rows;
    known.cascaded += new.cascaded;
    known.held += new.held;
    known.blocked += new.blocked;
    known.undated += new.undated;
    known.residue = known.residue.zip(new.residue).map(|(a, b)| a + b);
    known.batches += new.batches;
    known.duration_ms += new.duration_ms;
}
