//! The REST API on the real router and a SQLite database in a temporary folder.
//!
//! A test records its requests and replies; the transcript, with ids, times and tokens replaced, is the snapshot.

mod accounts;
mod approvals;
mod artifact_access;
mod artifacts;
mod attacks;
mod cached_records;
mod catalog;
mod common_rules;
mod cookies;
mod documents;
mod documents_in_use;
mod dry_run;
mod founding;
mod jobs;
mod large_documents;
mod library;
mod library_providers;
mod partial_documents;
mod prepared_workflows;
mod progress;
mod provider;
mod proxy;
mod proxy_counting;
mod recording_client;
mod rerun;
mod runs;
mod schemas;
mod secret_access;
mod secrets;
mod settings;
mod spending;
mod storage;
mod token_scopes;
mod unauthorized_access;
mod webhook_deliveries;
mod webhooks;
mod workflow_versions;
