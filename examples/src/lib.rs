//! Example programs that embed `apiflow-core`.
#![doc = include_str!("../../README.md")]
