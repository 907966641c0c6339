//! The statistics, each with its source.
