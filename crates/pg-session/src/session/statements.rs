//! Owns the statements that a session has prepared: by their text, not too many.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_postgres::Statement;

/// A run uses some dozens; each costs the server memory.
const MOST: usize = 256;

/// Statements by text. The one that was used longest ago makes room; dropping a statement closes it on the server.
pub(super) struct Statements<S = Statement> {
    inner: Mutex<Inner<S>>,
}

struct Inner<S> {
    by_text: HashMap<String, Entry<S>>,
    clock: u64,
}

struct Entry<S> {
    statement: S,
    used: u64,
}

impl<S> Default for Statements<S> {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                by_text: HashMap::new(),
                clock: 0,
            }),
        }
    }
}

impl<S: Clone> Statements<S> {
    pub(super) fn get(&self, text: &str) -> Option<S> {
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        let entry = inner.by_text.get_mut(text)?;
        entry.used = now;
        Some(entry.statement.clone())
    }

    pub(super) fn put(&self, text: &str, statement: S) {
        let mut inner = self.lock();
        inner.clock += 1;
        let used = inner.clock;
        if inner.by_text.len() >= MOST && !inner.by_text.contains_key(text) {
            let oldest = inner.by_text.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(oldest) = oldest.map(|(text, _)| text.clone()) {
                inner.by_text.remove(&oldest);
            }
        }
        inner.by_text.insert(text.to_owned(), Entry { statement, used });
    }

    /// Whether it was there.
    pub(super) fn forget(&self, text: &str) -> bool {
        self.lock().by_text.remove(text).is_some()
    }

    // A panic elsewhere leaves the map as it was: nothing here stops half-way.
    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_used_longest_ago_makes_room() {
        let statements = Statements::default();
        for n in 0..MOST {
            statements.put(&n.to_string(), n);
        }
        assert_eq!(statements.get("0"), Some(0));
        statements.put("new", MOST);
        assert_eq!(statements.get("0"), Some(0), "just used");
        assert_eq!(statements.get("1"), None, "the oldest");
        assert_eq!(statements.get("2"), Some(2));
        assert_eq!(statements.lock().by_text.len(), MOST);
        assert!(statements.forget("2"));
        assert!(!statements.forget("2"));
    }
}
