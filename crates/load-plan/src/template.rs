//! Text with `{{column}}` in it.

/// Text with `{{column}}` in it.
#[derive(Debug, Clone)]
pub struct Template {}
