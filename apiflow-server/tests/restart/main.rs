//! The real binary on both databases: killed, stopped and started again, while providers fail.

mod kills;
mod outages;
mod process;
mod runs;
