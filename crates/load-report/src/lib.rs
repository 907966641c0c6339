//! The result of a load run as a document, and everything that is rendered from it. Pure: no I/O, no clock.
//!
//! ```text
//! Judgement + Summary + tally (load-verdict) --> ResultDoc --> JSON, kept, and read again by report, compare, merge
//!                                                    \------> one small renderer for each kind of reader
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`document`] | [`ResultDoc`]: its JSON, its JSON Schema, and what is said of files that are none |
//! | [`environment`] | where a run took place; the binary fills it in |
//! | [`brief`] | the outcome in one JSON line, for programs |
//! | [`render`] | terminal, progress, k6's summary, JUnit, Markdown, HTML, Prometheus, termination message |
//!
//! Two rules hold for every renderer. Text that strangers chose (URLs, tags, reasons, error messages) can change neither
//! the format nor the screen that it is shown on. And no reader of one output alone can take a run for passed whose
//! verdict is not PASS.

pub mod brief;
pub mod document;
pub mod environment;
pub mod render;
mod text;
mod view;

pub use brief::Brief;
pub use document::{ReadError, ResultDoc, SCHEMA, Tool, WriteError, result_schema};
pub use environment::Environment;
