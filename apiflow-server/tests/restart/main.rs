//! The real binary on both databases: killed, stopped and started again, while providers fail.

mod budgets;
mod downloads;
mod kills;
mod media_kills;
mod outages;
mod process;
mod runs;
mod slow_provider;
mod storage;
mod webhooks;

#[path = "../../../apiflow-store/tests/common/cluster.rs"]
mod cluster;
#[path = "../../../apiflow-store/tests/common/disk.rs"]
mod disk;
