//! What a response must satisfy.

/// What a response must satisfy.
#[derive(Debug, Clone)]
pub struct Check {}
