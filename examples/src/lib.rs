//! Programs that embed `apiflow-core`.
#![doc = include_str!("../../README.md")]
