//! The durable engine: decide, record, owe.
