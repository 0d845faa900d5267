//! apiflow server.
