//! The binary itself: how it starts, what it refuses, how it keeps up, how it ends.

mod artifacts;
mod connections;
#[cfg(feature = "demo")]
mod demo;
mod requests;
mod server;
mod start;
