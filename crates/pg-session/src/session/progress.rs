//! Owns what is known about the transaction of a session: whether one is open, and whether a call in it was abandoned.
//!
//! When a future is dropped, its statement still runs, and nobody hears how it ended. Outside a transaction that is the
//! caller's business. Inside one, or when the statement begins or ends one, later statements would run in a state that
//! nobody knows: they are refused until a rollback.

use crate::error::{DbError, Kind};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a text does to the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    Begins,
    Ends,
    /// Nobody knows: it has a function's body in it, with BEGINs of its own.
    Opaque,
}

impl Effect {
    /// Of one statement.
    pub(super) fn of_statement(text: &str) -> Self {
        let mut words = text.split_whitespace();
        let first = words.next().unwrap_or_default().trim_end_matches(';');
        let is = |word: &str| first.eq_ignore_ascii_case(word);
        if is("BEGIN") || is("START") {
            Self::Begins
        } else if is("COMMIT")
            || is("END")
            || is("ABORT")
            || is("ROLLBACK") && !words.any(|word| word.eq_ignore_ascii_case("TO"))
        {
            Self::Ends
        } else {
            Self::None
        }
    }

    /// Of several: the last one that does anything counts.
    pub(super) fn of_batch(text: &str) -> Self {
        if text.contains("$$") {
            return Self::Opaque;
        }
        let mut effects = text.split(';').map(Self::of_statement);
        effects.rfind(|effect| *effect != Self::None).unwrap_or(Self::None)
    }
}

/// The transaction of a session, as far as its calls tell.
#[derive(Debug, Default)]
pub(super) struct Progress {
    open: AtomicBool,
    abandoned: AtomicBool,
    /// Something opaque was sent since the transaction's state was last known.
    unsure: AtomicBool,
}

impl Progress {
    /// Before a call.
    ///
    /// # Errors
    /// A call was abandoned.
    pub(super) fn enter(&self, effect: Effect) -> Result<Call<'_>, DbError> {
        if self.abandoned.load(Ordering::Acquire) {
            return Err(DbError::new(
                Kind::Other,
                "a statement of this session's transaction was abandoned half-way; roll back first",
            ));
        }
        Ok(Call {
            progress: self,
            effect,
            ended: false,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Whether a rollback may have something to do.
    pub(super) fn may_be_open(&self) -> bool {
        self.is_open() || self.abandoned.load(Ordering::Acquire) || self.unsure.load(Ordering::Acquire)
    }

    pub(super) fn rolled_back(&self) {
        self.open.store(false, Ordering::Release);
        self.abandoned.store(false, Ordering::Release);
        self.unsure.store(false, Ordering::Release);
    }
}

/// A call that has begun. Dropped without [`Call::ended`], it was abandoned.
#[derive(Debug)]
pub(super) struct Call<'a> {
    progress: &'a Progress,
    effect: Effect,
    ended: bool,
}

impl Call<'_> {
    /// After the server's answer.
    pub(super) fn ended(mut self, well: bool) {
        self.ended = true;
        match self.effect {
            // `BEGIN; something` may fail at something: the transaction is open all the same.
            Effect::Begins => self.progress.open.store(true, Ordering::Release),
            Effect::Ends if well => self.progress.open.store(false, Ordering::Release),
            Effect::Opaque => self.progress.unsure.store(true, Ordering::Release),
            Effect::None | Effect::Ends => {}
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if self.effect == Effect::Opaque {
            self.progress.unsure.store(true, Ordering::Release);
        }
        if matches!(self.effect, Effect::Begins | Effect::Ends) || self.progress.is_open() {
            self.progress.abandoned.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects() {
        use Effect::*;
        for (text, expected) in [
            ("BEGIN", Begins),
            (" begin; SELECT 1", Begins),
            ("START TRANSACTION READ ONLY", Begins),
            ("SELECT 1; COMMIT", Ends),
            ("BEGIN; SELECT 1; COMMIT", Ends),
            ("COMMIT; BEGIN", Begins),
            ("ROLLBACK", Ends),
            ("ROLLBACK TO SAVEPOINT a", None),
            ("SAVEPOINT a", None),
            ("SELECT 'BEGIN'", None),
            ("DO $$ BEGIN PERFORM 1; BEGIN END; END $$", Opaque),
            ("", None),
        ] {
            assert_eq!(Effect::of_batch(text), expected, "{text}");
        }
    }

    #[test]
    fn an_abandoned_call_counts_only_in_a_transaction() {
        let progress = Progress::default();
        drop(progress.enter(Effect::None).expect("outside"));
        progress.enter(Effect::Begins).expect("still well").ended(true);
        assert!(progress.is_open());
        drop(progress.enter(Effect::None).expect("inside"));
        assert!(progress.enter(Effect::None).is_err());
        progress.rolled_back();
        progress.enter(Effect::None).expect("rolled back").ended(true);
        drop(progress.enter(Effect::Ends).expect("a commit"));
        assert!(progress.enter(Effect::None).is_err(), "did the commit happen?");
    }

    #[test]
    fn a_rollback_is_for_what_may_be_open() {
        let progress = Progress::default();
        progress.enter(Effect::None).expect("outside").ended(false);
        drop(progress.enter(Effect::None).expect("outside"));
        assert!(!progress.may_be_open());
        for effect in [Effect::Begins, Effect::Opaque] {
            progress.enter(effect).expect("fresh").ended(true);
            assert!(progress.may_be_open(), "{effect:?}");
            progress.rolled_back();
            drop(progress.enter(effect).expect("fresh"));
            assert!(progress.may_be_open(), "{effect:?} is dropped");
            progress.rolled_back();
            assert!(!progress.may_be_open(), "{effect:?}");
        }
    }

    #[test]
    fn what_fails_after_begin_leaves_it_open() {
        let progress = Progress::default();
        progress.enter(Effect::Begins).expect("fresh").ended(false);
        assert!(progress.is_open());
        progress.enter(Effect::Ends).expect("open").ended(false);
        assert!(progress.is_open());
        progress.enter(Effect::Ends).expect("open").ended(true);
        assert!(!progress.is_open());
    }
}
