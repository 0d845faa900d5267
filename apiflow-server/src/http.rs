//! HTTP infrastructure: errors, extractors, pagination, layers, connections and the embedded frontend.

pub(crate) mod base_url;
pub(crate) mod caller_id;
pub(crate) mod compression;
pub(crate) mod extract;
pub(crate) mod fair_places;
pub(crate) mod fallback;
pub(crate) mod frontend;
pub(crate) mod layers;
pub mod local_url;
pub(crate) mod pagination;
pub mod problem;
pub(crate) mod problem_codes;
pub(crate) mod response_counters;
pub(crate) mod serving;
pub(crate) mod strict_json;
pub(crate) mod trusted_proxies;
