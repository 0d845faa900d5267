//! Monitoring: whether the database accepts writes, and metrics for Prometheus.

pub(crate) mod active_jobs;
pub(crate) mod metrics;
pub(crate) mod readiness;
