//! Open-model load: an absolute schedule, and one sample for every request that was due.
