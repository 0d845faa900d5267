//! What is told to those who watch over the server: whether the database takes writes, and numbers for Prometheus.

pub(crate) mod active_jobs;
pub(crate) mod metrics;
pub(crate) mod readiness;
