//! Programs that embed `apiflow-core`.
