//! When each request is due.

/// When each request is due.
#[derive(Debug, Clone)]
pub struct Schedule {}
