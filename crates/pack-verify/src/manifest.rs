//! Placeholder: the archive half owns this module.
