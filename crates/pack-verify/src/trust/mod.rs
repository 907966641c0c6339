//! Who may sign a pack, and the proof that somebody did.
