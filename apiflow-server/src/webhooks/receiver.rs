//! Where a job is announced, as requests and workflows say it.

use apiflow_core::http::OutgoingPolicy;
use apiflow_core::ports::{JobWebhook, WebhookEvent};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use crate::api::Fault;
use crate::http::problem::Problem;

/// Field with the URL of a receiver.
pub(crate) const URL_FIELD: &str = "webhook";
/// Field with the events that are announced.
pub(crate) const EVENTS_FIELD: &str = "webhook_events_filter";

/// Maximum length of a receiver's URL, in bytes.
const MAX_URL_BYTES: usize = 2_048;

/// The receiver that a request or workflow names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NamedReceiver<'a> {
    /// URL that messages are sent to.
    pub(crate) url: Option<&'a str>,
    /// The events that it is told; `None` for all.
    pub(crate) events: Option<&'a [WebhookEvent]>,
}

impl NamedReceiver<'_> {
    /// Returns what identifies a request with this receiver, in addition to its other parts.
    pub(crate) fn fingerprint(self) -> Option<Value> {
        self.url.map(|url| json!({URL_FIELD: url, EVENTS_FIELD: self.events}))
    }

    /// Checks the receiver; `signer` is the user whose secret signs the messages. `None` if no receiver is named.
    ///
    /// # Errors
    /// 422, naming the field.
    pub(crate) fn check(self, policy: &OutgoingPolicy, signer: &str) -> Result<Option<JobWebhook>, Problem> {
        let Self { url, events } = self;
        let Some(url) = url else {
            return match events {
                None => Ok(None),
                Some(_) => Err(fault(EVENTS_FIELD, format!("`{EVENTS_FIELD}` needs a `{URL_FIELD}`"))),
            };
        };
        if url.len() > MAX_URL_BYTES {
            return Err(fault(URL_FIELD, format!("the URL is longer than {MAX_URL_BYTES} bytes")));
        }
        let host = policy.check_receiver(url).map_err(|reason| fault(URL_FIELD, reason))?;
        let mut events = events.unwrap_or(&WebhookEvent::ALL).to_vec();
        events.sort_unstable();
        events.dedup();
        if events.is_empty() {
            let message = "choose at least one event, or leave the field out to be told of all";
            return Err(fault(EVENTS_FIELD, message.to_owned()));
        }
        Ok(Some(JobWebhook { url: url.to_owned(), host, events, signer: signer.to_owned() }))
    }
}

/// Reads the receiver in the fields of a saved workflow.
///
/// # Errors
/// 422, naming the field.
pub(crate) fn receiver_of_workflow(
    policy: &OutgoingPolicy,
    fields: &Map<String, Value>,
    signer: &str,
) -> Result<Option<JobWebhook>, Problem> {
    let url = match fields.get(URL_FIELD) {
        None | Some(Value::Null) => None,
        Some(Value::String(url)) => Some(url.as_str()),
        Some(_) => return Err(fault(URL_FIELD, format!("`{URL_FIELD}` must be a string, a URL"))),
    };
    let events = match fields.get(EVENTS_FIELD) {
        None | Some(Value::Null) => None,
        Some(given) => Some(Vec::<WebhookEvent>::deserialize(given).map_err(|_| {
            let known = WebhookEvent::ALL.map(|event| format!("`{}`", event.as_str())).join(", ");
            fault(EVENTS_FIELD, format!("`{EVENTS_FIELD}` must be a list of {known}"))
        })?),
    };
    NamedReceiver { url, events: events.as_deref() }.check(policy, signer)
}

fn fault(field: &str, message: String) -> Problem {
    let fault = Fault { pointer: format!("/{field}"), message, code: None, help: None };
    Problem::invalid("invalid webhook", vec![fault])
}
