//! The result of a load run as a document, and everything that is rendered from it.
