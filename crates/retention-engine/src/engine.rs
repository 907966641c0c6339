//! Owns the engine: its sessions, its place in the audit chain, and how one task is carried out.

use crate::attempt::Ahead;
use crate::batch::{Chain, Done};
use crate::error::EngineError;
use crate::holds::Holds;
use crate::job::{self, Job, Stop, Sums};
use crate::noted::Noted;
use crate::options::{Options, RunContext};
use crate::partition::{self, Ask, Whole};
use crate::progress::Progress;
use crate::throttle::Pause;
use crate::verify::{self, Left};
use crate::watch::Watcher;
use crate::wire;
use pg_session::target::SessionOptions;
use pg_session::{Session, Target};
use retention_plan::holds::HoldRules;
use retention_plan::{Leaf, Strategy, Task, Work};
use retention_proof::{ChainHash, RuleResult};
use retention_store::progress::Resume;
use retention_store::{audit, progress};
use runtime::Shutdown;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What the survey counted for a task, over all its leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Due and not done yet, held and blocked ones included.
    pub todo: u64,
    /// Of those, held.
    pub held: u64,
    /// Of those, not held but referred to.
    pub blocked: u64,
    /// Without an age.
    pub undated: u64,
}

/// What an engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// To connect again.
    pub target: Target,
    /// As `work` was opened.
    pub session_options: SessionOptions,
    /// The session that holds the run's advisory lock.
    pub work: Session,
    /// The run.
    pub context: RunContext,
    /// Limits and patience.
    pub options: Options,
    /// Which rows are held.
    pub holds: HoldRules,
    /// Told after every batch.
    pub progress: watch::Sender<Progress>,
    /// Told when to stop.
    pub shutdown: Shutdown,
}

/// Applies tasks, one after the other.
#[derive(Debug)]
pub struct Engine {
    pub(crate) target: Target,
    pub(crate) session_options: SessionOptions,
    pub(crate) work: Session,
    pub(crate) watcher: Watcher,
    pub(crate) context: RunContext,
    pub(crate) options: Options,
    pub(crate) holds: Holds,
    pub(crate) chain: Chain,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) shutdown: Shutdown,
    /// Rows done by the run.
    pub(crate) total_rows: u64,
    /// Up to this audit row, batches are on the server's disk.
    pub(crate) durable: u64,
    /// The next batch, opened with the commit of the last.
    pub(crate) ahead: Option<Ahead>,
    /// What the last batch leaves to others.
    pub(crate) rest: Duration,
    /// Transactions begun, for the marker of each.
    pub(crate) attempts: u64,
    /// Rows changed since they were last counted, by table.
    pub(crate) changed: HashMap<u32, u64>,
    /// Places in a row that could not be had.
    pub(crate) standing: u32,
    pub(crate) stood_since: Option<Instant>,
    pub(crate) task_begun: Instant,
    pub(crate) task_due: u64,
    pub(crate) task_rule: String,
    /// The task's audit rows are behind this one.
    pub(crate) task_after: u64,
    /// Rows done by the task; after a crash of the server, what the audit says.
    pub(crate) task_rows: u64,
    /// Partitions that this run dropped: later rules were planned with them.
    pub(crate) dropped: BTreeSet<u32>,
    /// Where sweeps of an unfinished run stopped.
    resume: Vec<Resume>,
}

/// How far a leaf is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is something to do.
    Open,
    /// The last count found nothing.
    Closed,
    /// The table is detached or dropped.
    Gone,
}

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Swept {
    Through,
    Gone,
    Stopped,
}

fn stopped(task: &Task, leaf: &Leaf, stop: Option<Stop>) -> Swept {
    let Some(stop) = stop else { return Swept::Through };
    tracing::info!(rule = task.rule, table = leaf.relation.shown(), reason = ?stop, "stopped between two batches");
    Swept::Stopped
}

impl Engine {
    /// An engine for a run that has begun. Goes on behind the audit rows that the run has already.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn new(parts: Parts) -> Result<Self, EngineError> {
        let resume = progress::resume(&parts.work).await.map_err(EngineError::Store)?;
        let tail = audit::tail(&parts.work, &parts.context.run_id)
            .await
            .map_err(EngineError::Store)?;
        let chain = match tail {
            Some((seq, link)) => Chain { seq, link },
            None => Chain {
                seq: 0,
                link: ChainHash::start(&parts.context.run_id),
            },
        };
        let watcher = Watcher::start(&parts.target, &parts.session_options, &parts.options.throttle);
        watcher.work_is(wire::pid(&parts.work).await.map_err(EngineError::Store)?);
        Ok(Self {
            target: parts.target,
            session_options: parts.session_options,
            work: parts.work,
            watcher,
            context: parts.context,
            options: parts.options,
            holds: Holds::new(parts.holds),
            chain,
            progress: parts.progress,
            shutdown: parts.shutdown,
            total_rows: 0,
            durable: 0,
            ahead: None,
            rest: Duration::ZERO,
            attempts: 0,
            changed: HashMap::new(),
            standing: 0,
            stood_since: None,
            task_begun: Instant::now(),
            task_due: 0,
            task_rule: String::new(),
            task_after: 0,
            task_rows: 0,
            dropped: BTreeSet::new(),
            resume,
        })
    }

    /// The session that does the work: the caller ends the run on it.
    pub fn session(&self) -> &Session {
        &self.work
    }

    /// Ends the engine; gives the working session back.
    pub fn into_session(self) -> Session {
        self.work
    }

    /// The run that the engine works for.
    pub fn run_id(&self) -> &str {
        &self.context.run_id
    }

    /// Rows done by the run so far.
    pub fn total_rows(&self) -> u64 {
        self.total_rows
    }

    /// Carries a task out and proves that nothing is left, or says what is. `residue: None` means that a budget was used
    /// up, or that we were told to stop.
    ///
    /// # Errors
    /// See [`EngineError`]. What was committed before stays, and is in the audit.
    pub async fn apply(&mut self, task: &Task, counted: &Counted) -> Result<RuleResult, EngineError> {
        self.task_begun = Instant::now();
        self.task_rule.clone_from(&task.rule);
        self.task_after = self.chain.seq;
        self.task_rows = 0;
        self.task_due = counted
            .todo
            .saturating_sub(counted.held)
            .saturating_sub(counted.blocked);
        self.watcher.look_at(task);
        let mut sums = Sums::default();
        let mut strategies = Vec::new();
        let noted = Box::pin(self.finish_noted(task, &mut sums, &mut strategies)).await?;
        let mut left = Left {
            free: 0,
            held: counted.held,
            blocked: counted.blocked,
        };
        let residue = if noted.stopped {
            None
        } else if counted.todo == counted.held && noted.besides.is_empty() {
            // Nothing to do: the survey's count is the proof.
            Some(0)
        } else {
            Box::pin(self.sweeps(task, &noted, &mut sums, &mut strategies, &mut left)).await?
        };
        let residue = residue.map(|rows| rows + noted.unsure);
        Ok(RuleResult {
            rule: task.rule.clone(),
            table: task.table.shown(),
            action: task.action().to_owned(),
            strategies,
            cutoff: task.cutoff,
            due: counted.todo,
            rows: self.task_rows,
            cascaded: sums.cascaded,
            held: left.held,
            blocked: left.blocked,
            undated: counted.undated,
            residue,
            batches: sums.batches,
            duration_ms: u64::try_from(self.task_begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Sweeps until nothing is left, or no sweep helps; gives what is left.
    async fn sweeps(
        &mut self,
        task: &Task,
        noted: &Noted,
        sums: &mut Sums,
        strategies: &mut Vec<String>,
        left: &mut Left,
    ) -> Result<Option<u64>, EngineError> {
        let mut fewest = u64::MAX;
        let mut fruitless = 0;
        let mut round = 0;
        let leaves: Vec<&Leaf> = task.leaves.iter().chain(&noted.besides).collect();
        let mut states: Vec<State> = leaves
            .iter()
            .map(|leaf| {
                if noted.gone.contains(&leaf.relation.oid) || self.dropped.contains(&leaf.relation.oid) {
                    State::Gone
                } else {
                    State::Open
                }
            })
            .collect();
        let mut lefts: Vec<Left> = vec![Left::default(); leaves.len()];
        loop {
            let before = sums.rows;
            sums.skipped = false;
            sums.kept = 0;
            for (leaf, state) in leaves.iter().zip(&mut states) {
                if *state == State::Open {
                    match Box::pin(self.sweep(task, leaf, round, sums, strategies)).await? {
                        Swept::Through => {}
                        Swept::Gone => *state = State::Gone,
                        Swept::Stopped => return Ok(None),
                    }
                }
            }
            for ((leaf, state), counts) in leaves.iter().zip(&mut states).zip(&mut lefts) {
                // Rows of another leaf may have referred to those of one that was closed.
                if *state == State::Open || (*state == State::Closed && sums.rows > before && counts.blocked > 0) {
                    if self.shutdown.is_draining() {
                        return Ok(None);
                    }
                    *counts = self.left(task, leaf).await?;
                    *state = if counts.free > 0 { State::Open } else { State::Closed };
                }
            }
            *left = lefts.iter().fold(Left::default(), Left::plus);
            if left.free == 0 {
                return Ok(Some(0));
            }
            round += 1;
            let remaining = left.free + left.blocked;
            if remaining < fewest {
                fewest = remaining;
                fruitless = 0;
            } else {
                fruitless += 1;
            }
            let helps = sums.rows > before || sums.skipped;
            if !helps {
                // Each was tried alone: they are blocked, though it took the foreign key itself to say so.
                let kept = sums.kept.min(left.free);
                left.free -= kept;
                left.blocked += kept;
                if left.free == 0 {
                    return Ok(Some(0));
                }
            }
            if !helps || fruitless > self.options.max_sweeps {
                tracing::warn!(
                    rule = task.rule,
                    rows = left.free,
                    reason = if sums.skipped {
                        "others have them locked"
                    } else {
                        "a trigger, rule or foreign key keeps them"
                    },
                    "due rows are left"
                );
                return Ok(Some(left.free));
            }
            if sums.skipped && self.wait_for_locks(fruitless).await {
                return Ok(None);
            }
        }
    }

    /// Waits longer every time; true: told to stop.
    async fn wait_for_locks(&self, times: u32) -> bool {
        let wait = self.options.lock_timeout * 2_u32.pow(times.min(5));
        tokio::select! {
            () = tokio::time::sleep(wait) => false,
            () = self.shutdown.recv() => true,
        }
    }

    /// One sweep over one leaf.
    async fn sweep(
        &mut self,
        task: &Task,
        leaf: &Leaf,
        round: u32,
        sums: &mut Sums,
        strategies: &mut Vec<String>,
    ) -> Result<Swept, EngineError> {
        let mut told = |name: &str| {
            if !strategies.iter().any(|known| known == name) {
                strategies.push(name.to_owned());
            }
        };
        if leaf.strategy == Strategy::Partition && task.work.removes() {
            let keep = matches!(task.work, Work::Detach);
            let name = partition::name(keep);
            let ask = Ask { noted: false, keep };
            match self.whole(&mut Job::new(task, leaf, name, sums), ask).await? {
                Whole::Gone => {
                    told(name);
                    return Ok(Swept::Gone);
                }
                Whole::Stopped(stop) => return Ok(stopped(task, leaf, Some(stop))),
                Whole::ByRows => {}
            }
        }
        if matches!(task.work, Work::Detach) {
            // Rows are never deleted where only partitions are to be detached.
            return Ok(Swept::Through);
        }
        let (strategy, by) = match (leaf.strategy, &task.work) {
            (Strategy::HotPasses, Work::Anonymise { .. }) => (Strategy::HotPasses, None),
            // What they leave twice may lie behind rows that a trigger keeps, which they find first every time.
            (Strategy::Keyset | Strategy::Limited, _) if round >= 2 => (Strategy::TidRange, None),
            (Strategy::Keyset, _) => match (&leaf.keyset, task.cutoff) {
                (Some(column), Some(cutoff)) => (Strategy::Keyset, Some((column, cutoff))),
                _ => (Strategy::TidRange, None),
            },
            (Strategy::Limited, _) => (Strategy::Limited, None),
            _ => (Strategy::TidRange, None),
        };
        let name = job::name(strategy);
        told(name);
        let mut job = Job::new(task, leaf, name, sums);
        // Only the first sweep: where it ended too early, the next looks everywhere.
        job.enough = leaf.together.filter(|_| round == 0).map(|rows| job.sums.rows + rows);
        let stop = match (strategy, by) {
            (Strategy::HotPasses, _) => self.hot_passes(&mut job).await?,
            (Strategy::Keyset, Some((column, cutoff))) => Box::pin(self.keyset(&mut job, column, cutoff)).await?,
            (Strategy::Limited, _) => self.limited(&mut job).await?,
            _ => self.tid_range(&mut job).await?,
        };
        Ok(stopped(task, leaf, stop))
    }

    /// Where the sweep of a leaf by blocks begins.
    pub(crate) fn resume_at(&self, job: &Job<'_>) -> u64 {
        let table = job.leaf.relation.shown();
        self.resume
            .iter()
            .find(|known| known.rule == job.task.rule && known.table_name == table)
            .and_then(|known| known.position.strip_prefix("block:")?.parse().ok())
            .unwrap_or(0)
    }

    /// What is left in a leaf, in a snapshot of its own.
    pub(crate) async fn left(&mut self, task: &Task, leaf: &Leaf) -> Result<Left, EngineError> {
        if self.dropped.contains(&leaf.relation.oid) {
            return Ok(Left::default());
        }
        loop {
            match verify::left(self, task, leaf).await? {
                Ok(left) => return Ok(left),
                Err(error) if error.kind == pg_session::Kind::Lost => self.regain(error).await?,
                Err(source) => {
                    return Err(EngineError::Rule {
                        rule: task.rule.clone(),
                        table: leaf.relation.shown(),
                        source,
                    });
                }
            }
        }
    }

    /// What to do before the next batch.
    pub(crate) fn pause(&mut self, job: &Job<'_>) -> Pause {
        let last = self.progress.borrow().batch;
        let pause = self.watcher.pause(last);
        let why = match &pause {
            Pause::None => return pause,
            Pause::GiveUp(why) => {
                tracing::warn!(
                    rule = job.task.rule,
                    reason = why,
                    patience = ?self.options.throttle.patience,
                    "the pause does not end; the run ends here, and the next goes on"
                );
                return pause;
            }
            Pause::For(_, why) => why.clone(),
        };
        if self.progress.borrow().paused.as_ref() != Some(&why) {
            tracing::warn!(rule = job.task.rule, reason = why, "paused");
        }
        self.progress.send_modify(|progress| progress.paused = Some(why));
        self.tell(job, None);
        pause
    }

    /// Tells who watches.
    pub(crate) fn tell(&self, job: &Job<'_>, done: Option<Done>) {
        let seconds = self.task_begun.elapsed().as_secs_f64().max(1e-3);
        let rate = self.task_rows as f64 / seconds;
        let remaining = self.task_due.saturating_sub(self.task_rows);
        let waits = self.watcher.waits();
        self.progress.send_modify(|progress| {
            if progress.rule != job.task.rule {
                progress.rule.clone_from(&job.task.rule);
            }
            if done.is_some() || progress.table.is_empty() {
                progress.table = job.leaf.relation.shown();
            }
            progress.action = job.task.action();
            progress.strategy = job.strategy;
            progress.rows = self.task_rows;
            progress.due = self.task_due;
            progress.total_rows = self.total_rows;
            progress.rows_per_second = rate;
            progress.left = (rate > 0.0)
                .then(|| Duration::try_from_secs_f64(remaining as f64 / rate).ok())
                .flatten();
            progress.waiting = waits.sessions;
            progress.longest_wait = waits.longest;
            if let Some(done) = done {
                progress.batch = done.elapsed;
                progress.batch_rows = done.rows;
                progress.paused = None;
            }
        });
    }
}
