//! Owns how many subjects ask to be forgotten at this moment.

use crate::engine::Engine;
use crate::error::EngineError;
use pg_session::DbError;
use retention_plan::resolve::ResolvedErasure;
use retention_plan::survey::{SubjectSurvey, SurveyError, subjects};
use retention_store::hold::Structure;

impl Engine {
    /// Counts the subjects that ask, as the plan did; `None`: rows of no table ask.
    ///
    /// # Errors
    /// The database, or it cannot be said who is held.
    pub async fn count_subjects(&mut self, erasure: &ResolvedErasure) -> Result<Option<SubjectSurvey>, EngineError> {
        loop {
            let error: DbError = match self.try_count(erasure).await {
                Ok(counted) => return Ok(counted),
                Err(SurveyError::Hold { source, .. }) => return Err(EngineError::Holds(source)),
                Err(SurveyError::Db { source, .. }) => source,
                // There is no limit, so it is not over.
                Err(error @ SurveyError::Timeout { .. }) => {
                    DbError::new(pg_session::Kind::Cancelled, runtime::exit::chain_of(&error))
                }
            };
            if error.kind == pg_session::Kind::Lost {
                self.regain(error).await?;
            } else {
                return Err(EngineError::Rule {
                    rule: "erasure".to_owned(),
                    table: erasure.subject.shown(),
                    source: error,
                });
            }
        }
    }

    async fn try_count(&mut self, erasure: &ResolvedErasure) -> Result<Option<SubjectSurvey>, SurveyError> {
        let said = |source| SurveyError::Db {
            rule: "erasure".to_owned(),
            table: erasure.subject.shown(),
            source,
        };
        self.holds.load(&self.work).await.map_err(said)?;
        let (rules, active) = self.holds.parts();
        let nothing = Structure::default();
        subjects(&self.work, rules, active.unwrap_or(&nothing), erasure).await
    }
}
