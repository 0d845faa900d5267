//! The binary itself: how it starts, what it refuses, how it keeps up, how it ends.

mod artifacts;
mod connections;
mod requests;
mod server;
mod start;
