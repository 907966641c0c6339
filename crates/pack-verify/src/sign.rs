//! Placeholder: written in the next step.
