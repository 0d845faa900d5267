//! Tests of the stand-in for Replicate over real HTTP: what clients can rely on, and the faults that it can simulate.

mod bench;
mod creates;
mod faults;
mod files;
mod lists;
mod outputs;
mod reads;
mod waits;
