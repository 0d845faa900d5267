//! One call to a provider, without sending anything: from a node and its inputs to the request, from the reply to
//! the outputs, and for long-running work the requests and replies in between.
//!
//! The order of use: [`plan`], [`CallPlan::arguments`], [`CallPlan::submit`], [`CallPlan::read_submit`]; while the
//! reading is [`Reading::Running`], [`CallPlan::poll`] and [`CallPlan::read_poll`]; after [`Reading::Fetch`],
//! [`CallPlan::result`] and [`CallPlan::read_result`].

mod error;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::error::{CallError, ErrorClass, from_http_error};
use crate::catalog::{Connector, Node};
use crate::diagnostic::Diagnostic;
use crate::ports::{HttpReply, HttpRequest, Timestamp};

/// A node's call, compiled with its connector's defaults.
#[derive(Debug, Clone)]
pub struct CallPlan {}

/// What a submit knows of the attempt that it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct CallContext<'a> {
    /// The job; `{{ job.id }}`.
    pub job_id: &'a str,
    /// The step; `{{ step.id }}`.
    pub step_id: &'a str,
    /// The attempt, from 1; `{{ step.attempt }}`.
    pub attempt: u32,
    /// Stable over all sendings of one attempt; the value of `idempotency_header`.
    pub idempotency_key: &'a str,
}

/// A provider's long-running work: small, journalled before waiting, enough to re-attach after a crash.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// The provider's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Absolute URL to ask for the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_url: Option<String>,
    /// Body to send with each poll, where the provider wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_body: Option<Value>,
    /// Absolute URL to cancel at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
    /// Absolute URL of the result, where it is fetched separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_url: Option<String>,
    /// The state in the provider's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// How far it is, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// The provider's hint when to ask next, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// What a reply means.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// The call succeeded: the object of mapped outputs, or the reply's JSON where no output is declared.
    Done(Value),
    /// The provider is at work.
    Running(Operation),
    /// The work ended; its result is fetched by [`CallPlan::result`] and read by [`CallPlan::read_result`].
    Fetch(Operation),
    /// The reply to a poll or result says nothing about the work (overload, gateway): ask again, after
    /// [`CallError::retry_after_ms`] or the next interval. Never given for a submit.
    Again(CallError),
    /// The call failed.
    Failed(CallError),
}

/// What a list of the provider's operations says about a submit of unknown fate.
#[derive(Debug, Clone, PartialEq)]
pub enum Recovery {
    /// The provider accepted it: go on polling.
    Found(Operation),
    /// Not on this page, and older ones exist that are young enough: send this request and read its reply the same way.
    More(Box<HttpRequest>),
    /// The provider's list does not have it.
    NotFound,
    /// The reply cannot be read; the fate stays unknown.
    Unreadable(CallError),
}

/// A ready-made rule for `operation`.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// The name that `operation` gives.
    pub name: &'static str,
    /// The rule, as a declaration would spell it out.
    pub rule: Map<String, Value>,
}

/// The ready-made rules, by name in order.
pub fn presets() -> Vec<Preset> {
    unimplemented!()
}

/// Compiles a node's call.
///
/// # Errors
/// Everything that makes the call impossible, pointers into the node; faults of the connector point to `/connector_id`.
pub fn plan(_node: &Node, _connector: &Connector) -> Result<CallPlan, Vec<Diagnostic>> {
    unimplemented!()
}

impl CallPlan {
    /// Checks what the caller gave, and fills in `value` and `default`.
    ///
    /// # Errors
    /// [`ErrorClass::InvalidInput`] naming every input at fault; `detail.fields` lists them.
    pub fn arguments(&self, _given: &Map<String, Value>) -> Result<Map<String, Value>, CallError> {
        unimplemented!()
    }

    /// The request that starts the work.
    ///
    /// # Errors
    /// [`ErrorClass::InvalidInput`] where an argument cannot stand in its place.
    pub fn submit(
        &self,
        _arguments: &Map<String, Value>,
        _context: &CallContext<'_>,
    ) -> Result<HttpRequest, CallError> {
        unimplemented!()
    }

    /// Reads the reply to a submit.
    pub fn read_submit(&self, _reply: &HttpReply) -> Reading {
        unimplemented!()
    }

    /// The request that asks for the state.
    ///
    /// # Errors
    /// [`ErrorClass::Refused`] where the link leads to a host that the connector does not list.
    pub fn poll(&self, _operation: &Operation) -> Result<HttpRequest, CallError> {
        unimplemented!()
    }

    /// Reads the reply to a poll.
    pub fn read_poll(&self, _operation: &Operation, _reply: &HttpReply) -> Reading {
        unimplemented!()
    }

    /// The request that fetches the result after [`Reading::Fetch`].
    ///
    /// # Errors
    /// [`ErrorClass::Refused`] where the link leads to a host that the connector does not list.
    pub fn result(&self, _operation: &Operation) -> Result<HttpRequest, CallError> {
        unimplemented!()
    }

    /// Reads the reply to a result's fetch.
    pub fn read_result(&self, _operation: &Operation, _reply: &HttpReply) -> Reading {
        unimplemented!()
    }

    /// The request that cancels the work; `None` where the provider cannot.
    pub fn cancel(&self, _operation: &Operation) -> Option<Result<HttpRequest, CallError>> {
        unimplemented!()
    }

    /// The request that lists the provider's operations, to settle a submit of unknown fate; `None` where there is none.
    pub fn recover(&self) -> Option<Result<HttpRequest, CallError>> {
        unimplemented!()
    }

    /// Looks for `submitted` in the provider's list: created at or after `after`, with the same input, its id not in
    /// `taken`. The oldest such one counts.
    pub fn read_recover(
        &self,
        _reply: &HttpReply,
        _submitted: &HttpRequest,
        _after: Timestamp,
        _taken: &BTreeSet<String>,
    ) -> Recovery {
        unimplemented!()
    }

    /// How long to wait before the next poll after `tries` polls that changed nothing, in milliseconds.
    pub fn poll_after_ms(&self, _tries: u32) -> u64 {
        unimplemented!()
    }

    /// Bound on the submit's exchange, in milliseconds.
    pub fn submit_timeout_ms(&self) -> u64 {
        unimplemented!()
    }

    /// Bound on the work from acceptance to its end, in milliseconds.
    pub fn operation_timeout_ms(&self) -> u64 {
        unimplemented!()
    }

    /// Whether the same request may be sent again without being paid twice: declared `idempotent`, with an
    /// `idempotency_header`, or GET or HEAD.
    pub fn is_repeatable(&self) -> bool {
        unimplemented!()
    }
}
