//! Everything that is kept of the samples, in constant memory.
