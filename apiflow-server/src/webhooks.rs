//! Announcements of jobs to users' own servers: where they may be sent, how they are signed, and when they are sent again.
//! The messages themselves are composed and sent by [`crate::jobs`].
//!
//! Messages follow Standard Webhooks. Source: <https://github.com/standard-webhooks/standard-webhooks>.

pub(crate) mod delivery_counters;
pub(crate) mod delivery_views;
pub(crate) mod receiver;
pub(crate) mod retry_schedule;
pub(crate) mod signing_secret;
