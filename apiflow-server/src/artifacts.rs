//! Artifacts: the storage that is configured, who may read which artifact, uploads, and how artifacts are served.

pub(crate) mod access;
pub(crate) mod byte_range;
pub(crate) mod content_headers;
pub(crate) mod fetch;
pub(crate) mod links;
pub(crate) mod open;
pub(crate) mod retention;
pub(crate) mod run_input;
pub(crate) mod thumbnails;
pub(crate) mod upload;
