//! A seeded server whose own log is the truth that load tests are held to.
