//! The stand-in for Replicate over real HTTP: what a client may rely on, and how it can be made to misbehave.

mod bench;
mod creates;
mod faults;
mod lists;
mod outputs;
mod reads;
mod waits;
