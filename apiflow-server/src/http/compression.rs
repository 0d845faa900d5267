//! Compression of replies.
//!
//! An attacker who sees the length of compressed replies could guess a secret that a reply contains beside text of the
//! attacker's (BREACH). No such reply exists: values of secrets are never sent, tokens and links are sent once in replies to a POST,
//! which other sites can't make in a user's name, and those are shorter than what is compressed here.

use axum::http::{Extensions, HeaderMap, StatusCode, Version, header};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate as _, SizeAbove};

/// The smallest body that is compressed, in bytes: a shorter one fits into one packet anyway.
const MIN_COMPRESSED_BYTES: u16 = 1024;

/// Whether the reply with these parts is compressed.
type ReplyPredicate = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// Compresses JSON replies with what the caller accepts: zstd, brotli or gzip.
pub(crate) fn compression_layer() -> CompressionLayer<And<SizeAbove, ReplyPredicate>> {
    // Replies are written once and read once: the fastest level makes JSON five times smaller already.
    let layer = CompressionLayer::new().quality(CompressionLevel::Fastest);
    layer.compress_when(SizeAbove::new(MIN_COMPRESSED_BYTES).and(is_json as ReplyPredicate))
}

fn is_json(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.starts_with("application/json") || media_type.starts_with("application/problem+json")
}
