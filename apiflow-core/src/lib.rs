//! The core of apiflow: documents, validation, the call protocol and the durable workflow engine.
//!
//! An embedder declares connectors and nodes, and runs OpenFlow documents that refer to them. For runs that end with
//! the process, [`Local`] is sufficient; for runs that survive a crash, a [`Runtime`] uses a durable [`Store`], such as
//! those of the crate `apiflow-store`.
//!
//! | wanted | entry point | features |
//! |---|---|---|
//! | what is wrong with a document | [`validate::validate_workflow`], [`prepare_workflow`] | none |
//! | what a run would send | [`dry_run::DryRun`] | none |
//! | one run in this process | [`Local::run`] | `runtime`, and `http` and `boa` for [`Local::new`] |
//! | runs that survive a crash | [`Runtime::submit_job`] | `runtime` |
//! | a store, client or evaluator of one's own | the traits in [`ports`] | none |
//!
//! Everything outside the features `runtime`, `http`, `boa`, `artifacts` and `sandbox` is pure: it uses no clock, randomness,
//! environment, files, network, tokio or JavaScript engine. A host provides those through [`ports`].
//!
//! # Validate only
//!
//! ```
//! use apiflow_core::{Catalog, validate};
//! use serde_json::json;
//!
//! let document = json!({"value": {"modules": [{"id": "a", "value": {"type": "script", "path": "node/none"}}]}});
//! let found = validate::validate_workflow(&document, &Catalog::default());
//! assert_eq!(found[0].pointer, "/value/modules/0/value/path");
//! ```
//!
//! # Run once, in memory
//!
//! [`Local::new`] sends calls over the network, to public addresses unless the policy allows others, and resolves
//! `$NAME` in declarations to the secrets that it is given.
//!
#![cfg_attr(all(feature = "http", feature = "boa"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "http", feature = "boa")), doc = "```ignore")]
//! use apiflow_core::Local;
//! use apiflow_core::http::OutgoingPolicy;
//! use apiflow_core::runtime::secrets::StaticSecrets;
//! use serde_json::json;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let secrets = StaticSecrets::new().with_secret("API_KEY", "a made-up key", &[]);
//! let mut local = Local::new(secrets, OutgoingPolicy::default())?;
//! local.declare_connector(&json!({"id": "images", "name": "Images", "base_url": "https://api.example.com",
//!     "header": {"Authorization": "Bearer $API_KEY"}}))?;
//! local.declare_node(&json!({"id": "draw", "name": "Draw", "connector_id": "images", "data": {"path": "/draw"}}))?;
//! let document = json!({"value": {"modules": [
//!     {"id": "picture", "value": {"type": "script", "path": "node/draw",
//!         "input_transforms": {"prompt": {"type": "javascript", "expr": "flow_input.prompt"}}}}]}});
//! let output = local.run(&document, json!({"prompt": "a fox"})).await?;
//! println!("{output}");
//! # Ok(())
//! # }
//! ```
//!
//! # An HTTP client of one's own
//!
//! [`Local::with_parts`] sends nothing by itself and needs neither the feature `http` nor `boa`.
//!
#![cfg_attr(all(feature = "runtime", feature = "boa"), doc = "```")]
#![cfg_attr(not(all(feature = "runtime", feature = "boa")), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use apiflow_core::ports::{HttpClient, HttpError, HttpReply, HttpRequest};
//! use apiflow_core::Local;
//! use apiflow_core::runtime::boa_evaluator::BoaEvaluator;
//! use serde_json::json;
//!
//! /// Answers each call with the same picture.
//! struct CannedReplies;
//!
//! #[async_trait::async_trait]
//! impl HttpClient for CannedReplies {
//!     async fn send(&self, request: &HttpRequest) -> Result<HttpReply, HttpError> {
//!         let body = br#"{"image": "https://example.com/fox.png"}"#.to_vec();
//!         let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
//!         Ok(HttpReply { status: 200, headers, body, url: request.url.clone(), memory: Default::default() })
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut local = Local::with_parts(Arc::new(CannedReplies), Arc::new(BoaEvaluator::new()));
//! local.declare_connector(&json!({"id": "images", "name": "Images", "base_url": "https://api.example.com"}))?;
//! local.declare_node(&json!({"id": "draw", "name": "Draw", "connector_id": "images", "data": {"path": "/draw"}}))?;
//! let document = json!({"value": {"modules": [{"id": "picture", "value": {"type": "script", "path": "node/draw"}}]}});
//! let output = local.run(&document, json!({})).await?;
//! assert_eq!(output["image"], "https://example.com/fox.png");
//! # Ok(())
//! # }
//! # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
//! # runtime.block_on(example()).expect("the example runs");
//! ```
//!
//! # Follow progress, and cancel
//!
#![cfg_attr(feature = "runtime", doc = "```no_run")]
#![cfg_attr(not(feature = "runtime"), doc = "```ignore")]
//! use std::pin::pin;
//! use std::time::Duration;
//!
//! use apiflow_core::{Local, LocalError};
//! use serde_json::{Value, json};
//!
//! # async fn example(local: Local, document: Value) -> Result<(), LocalError> {
//! let run = local.start(&document, json!({})).await?;
//! let mut output = pin!(run.wait_for_output(|step| println!("{}: {}", step.step_id, step.status.as_str())));
//! tokio::select! {
//!     output = output.as_mut() => println!("{}", output?),
//!     () = tokio::time::sleep(Duration::from_secs(60)) => {
//!         run.cancel_run("it took too long").await?;
//!         // Work at providers is cancelled too, then the run ends.
//!         assert!(matches!(output.await, Err(LocalError::Ended { status: "cancelled", .. })));
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Durable, with a store
//!
//! A job is driven by any process whose [`Runtime`] works on the same store, and goes on after a crash where its last
//! commit left it. `apiflow_store::open` opens a store on SQLite or Postgres.
//!
#![cfg_attr(feature = "runtime", doc = "```no_run")]
#![cfg_attr(not(feature = "runtime"), doc = "```ignore")]
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use apiflow_core::ports::{Artifacts, Evaluator, HttpClient, Store};
//! use apiflow_core::runtime::clock::SystemClock;
//! use apiflow_core::{Catalog, JobRequest, Runtime, RuntimeParts, RuntimeSettings, prepare_workflow};
//! use serde_json::{Value, json};
//!
//! # async fn example(
//! #     store: Arc<dyn Store>, artifacts: Arc<dyn Artifacts>, http: Arc<dyn HttpClient>, evaluator: Arc<dyn Evaluator>,
//! #     document: Value, catalog: Catalog,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let parts = RuntimeParts { store, artifacts, http, evaluator, clock: Arc::new(SystemClock) };
//! let runtime = Runtime::new(parts, RuntimeSettings::new("worker-1"));
//! let worker = runtime.clone();
//! tokio::spawn(async move { worker.run_worker(std::future::pending()).await });
//!
//! // Once for all runs of the document.
//! let prepared = Arc::new(prepare_workflow(document, catalog).map_err(|found| format!("{found:?}"))?);
//! runtime.submit_job(JobRequest::new("job-1", 42, prepared, json!({"prompt": "a fox"}))).await?;
//! if let Some(job) = runtime.wait_for_job("job-1", Duration::from_secs(60)).await? {
//!     println!("{}", job.state.status.as_str());
//! }
//! # Ok(())
//! # }
//! ```

pub mod artifact;
#[cfg(feature = "artifacts")]
pub mod artifacts;
#[cfg(feature = "boa")]
pub mod boa;
pub mod call;
pub mod catalog;
pub mod code;
mod declarations;
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
pub mod money;
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

pub use crate::catalog::Catalog;
pub use crate::diagnostic::Diagnostic;
pub use crate::ports::{Evaluator, HttpClient, Store};
pub use crate::prepared::{Prepared, prepare_workflow};
#[cfg(feature = "runtime")]
pub use crate::runtime::local::{Local, LocalError};
#[cfg(feature = "runtime")]
pub use crate::runtime::{JobRequest, Runtime, RuntimeParts, RuntimeSettings};
