//! Tables of attacks on the doors through which addresses, files and secrets pass.

mod addresses;
mod canary;
mod files;
mod trap;
