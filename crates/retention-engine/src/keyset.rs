//! Owns the sweep along an index of the age column, oldest first. A batch is the rows between two values; where more rows
//! than that share one value, they are taken by limited batches.

use crate::batch::unhurried;
use crate::controller::{Bounds, Controller};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::{Job, Step, Stop};
use crate::limited;
use crate::statement::{Bound, Scope};
use crate::tid_range::share;
use jiff::Timestamp;
use pg_session::target::SessionOptions;
use pg_session::{Kind, Session, Sql};
use retention_plan::Column;

/// Rows of the first batch.
const FIRST: u64 = 2000;
/// After so many batches, the next bound is looked for by a session of its own.
const WORTH_A_SCOUT: u32 = 5;

impl Engine {
    /// Sweeps a leaf.
    pub(crate) async fn keyset(
        &mut self,
        job: &mut Job<'_>,
        column: &Column,
        cutoff: Timestamp,
    ) -> Result<Option<Stop>, EngineError> {
        let mut controller = Controller::new(
            self.options.batch_target,
            Bounds {
                share: share(job),
                ..limited::rows(FIRST)
            },
        );
        let mut from: Option<Bound> = None;
        let cutoff = cutoff_of(column, cutoff);
        let mut scout = Scout::default();
        let mut batches = 0_u32;
        loop {
            if let Some(stop) = self.may_go_on(job).await {
                return Ok(Some(stop));
            }
            let size = controller.size();
            let (size, before) = if let Some(found) = scout.found.take() {
                found
            } else {
                let sql = bound(job, column, from.as_ref(), &cutoff, size);
                (size, self.ask(job, &sql).await?)
            };
            let Some(before) = before else {
                return self.last(job, column, from, &cutoff, &mut controller).await;
            };
            let same = from.as_ref().is_some_and(|from| from.inclusive && from.value == before);
            if same {
                // More than a batch has this very value.
                let scope = Scope::Key {
                    column: column.clone(),
                    value: before.clone(),
                };
                let mut controller = controller.clone();
                if let Some(stop) = self.limited_in(job, &mut controller, &scope).await? {
                    return Ok(Some(stop));
                }
                from = Some(Bound {
                    value: before,
                    inclusive: false,
                });
                continue;
            }
            let scope = Scope::Keys {
                column: column.clone(),
                from: from.clone(),
                before: Some(before.clone()),
            };
            let next = Some(Bound {
                value: before,
                inclusive: true,
            });
            batches += 1;
            if batches == WORTH_A_SCOUT {
                scout.start(self).await;
            }
            let wanted = controller.size();
            let ahead = bound(job, column, next.as_ref(), &cutoff, wanted);
            let (step, ahead) = tokio::join!(
                self.careful(job, scope, None, &mut controller, None, None),
                scout.look(&ahead)
            );
            match step? {
                Step::On(done) => {
                    // Counted in rows of the index: those that stay (held, or other conditions) cost time too.
                    controller.done(size, done.rows, done.elapsed);
                    from = next;
                    // Too large by now, or much too small: asked for anew.
                    let now = controller.size();
                    scout.found = ahead
                        .filter(|_| wanted <= now + now / 4 && wanted >= now / 2)
                        .map(|before| (wanted, before));
                }
                Step::Again => {}
                Step::Past | Step::Referenced => from = next,
            }
        }
    }

    /// From `from` to the cutoff: fewer rows than a batch.
    async fn last(
        &mut self,
        job: &mut Job<'_>,
        column: &Column,
        from: Option<Bound>,
        cutoff: &Sql,
        controller: &mut Controller,
    ) -> Result<Option<Stop>, EngineError> {
        let before = self.text(job, cutoff).await?;
        let scope = Scope::Keys {
            column: column.clone(),
            from,
            before: Some(before),
        };
        loop {
            match self.careful(job, scope.clone(), None, controller, None, None).await? {
                Step::On(_) | Step::Past | Step::Referenced => return Ok(None),
                Step::Again => {}
            }
            if let Some(stop) = self.may_go_on(job).await {
                return Ok(Some(stop));
            }
        }
    }

    async fn text(&mut self, job: &Job<'_>, value: &Sql) -> Result<String, EngineError> {
        let sql = Sql::text("SELECT (").append(value).raw(")::pg_catalog.text");
        let text = self.ask(job, &sql).await?;
        Ok(text.unwrap_or_default())
    }

    /// One value, as text.
    pub(crate) async fn ask(&mut self, job: &Job<'_>, sql: &Sql) -> Result<Option<String>, EngineError> {
        loop {
            let asked = unhurried(&self.work, sql).await;
            match asked.and_then(|row| Ok(row.try_get::<_, Option<String>>(0)?)) {
                Ok(value) => return Ok(value),
                Err(error) if error.kind == Kind::Lost => self.regain(error).await?,
                // The lock of the table is not had: whoever has it is waited for.
                Err(error) if error.kind == Kind::Locked && self.stand(job).await => {}
                Err(error) => return Err(job.failed(error)),
            }
        }
    }
}

/// A session that looks for the next bound while a batch is at work. It is not needed: without it the working session
/// looks itself.
#[derive(Debug, Default)]
struct Scout {
    session: Option<Session>,
    /// The size that was looked for, and the bound: `None` where fewer rows are left.
    found: Option<(u64, Option<String>)>,
}

impl Scout {
    async fn start(&mut self, engine: &Engine) {
        let options = SessionOptions {
            application_name: format!("{} scout", engine.session_options.application_name),
            ..engine.session_options.clone()
        };
        self.session = engine.target.connect(&options).await.ok();
    }

    async fn look(&mut self, sql: &Sql) -> Option<Option<String>> {
        let session = self.session.as_ref()?;
        let asked = unhurried(session, sql).await;
        if let Ok(value) = asked.and_then(|row| Ok(row.try_get::<_, Option<String>>(0)?)) {
            return Some(value);
        }
        self.session = None;
        None
    }
}

/// The value of the row that lies `rows` behind `from`; NULL: there are fewer before the cutoff.
fn bound(job: &Job<'_>, column: &Column, from: Option<&Bound>, cutoff: &Sql, rows: u64) -> Sql {
    let mut sql = Sql::text("SELECT (SELECT t.")
        .ident(&column.name)
        .raw(format!(
            "::pg_catalog.text FROM ONLY {} AS t WHERE t.",
            job.leaf.relation.quoted()
        ))
        .ident(&column.name)
        .raw(" < ")
        .append(cutoff);
    if let Some(from) = from {
        sql = sql
            .raw(" AND t.")
            .ident(&column.name)
            .raw(if from.inclusive { " >= " } else { " > " })
            .param(from.value.as_str(), column.base_type.as_str());
    }
    sql.raw(" ORDER BY t.")
        .ident(&column.name)
        .raw(" OFFSET ")
        .param(rows.to_string(), "pg_catalog.int8")
        .raw(" LIMIT 1)")
}

/// The cutoff as a value of the column's type; a day is due when it has wholly passed.
fn cutoff_of(column: &Column, cutoff: Timestamp) -> Sql {
    let at = Sql::text("(").param(cutoff.to_string(), "pg_catalog.timestamptz");
    match column.base_type.as_str() {
        "date" => at.raw(" AT TIME ZONE 'UTC')::pg_catalog.date"),
        "timestamp without time zone" => at.raw(" AT TIME ZONE 'UTC')"),
        _ => at.raw(")"),
    }
}
