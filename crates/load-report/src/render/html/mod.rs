//! stub
use crate::document::ResultDoc;
/// stub
pub fn html(_: &ResultDoc) -> String { String::new() }
