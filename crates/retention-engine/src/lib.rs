//! Applies a plan: batches, sweeps, strategies, throttling, verification.
