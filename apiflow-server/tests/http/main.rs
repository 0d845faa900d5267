//! The REST API on the real router and a SQLite database in a temporary folder.
//!
//! A test holds a talk with the server; its transcript, with ids, times and tokens replaced, is the snapshot.

mod accounts;
mod active;
mod again;
mod approvals;
mod cached_records;
mod cookies;
mod documents;
mod dry_run;
mod founding;
mod frame;
mod intruders;
mod jobs;
mod large;
mod parts;
mod prepared_workflows;
mod provider;
mod runs;
mod schemas;
mod secret_access;
mod secrets;
mod storage;
mod talk;
