//! The pure heart of apiflow: documents, validation, the call protocol and the durable workflow engine.
//!
//! Everything outside the features `runtime`, `http`, `boa` and `sandbox` is pure: no clock, randomness,
//! environment, file, network, tokio or JavaScript engine. Those arrive through [`ports`].

#[cfg(feature = "boa")]
pub mod boa;
pub mod call;
pub mod catalog;
pub mod code;
pub mod declarations;
pub mod diagnostic;
pub mod digest;
pub mod dry_run;
pub mod engine;
mod evaluate;
pub mod expression;
#[cfg(feature = "http")]
pub mod http;
pub mod json;
pub mod layout;
pub mod openflow;
pub mod origin;
pub mod ports;
pub mod prepared;
#[cfg(feature = "runtime")]
pub mod runtime;
pub mod template;
mod url;
pub mod validate;
mod value_type;
