//! The behaviour of the stand-in, and what follows from it for each create call.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The settings of the stand-in; their JSON form is the body of `POST /_control`.
///
/// Counters (`skip_creates`, `fail_first`, `drop_before_accept`, `drop_after_accept`, `fail_predictions`, `fail_polls`, `fail_lists`,
/// `drop_polls`, `lose_webhooks`, `repeat_webhooks`, `forge_webhooks`) contain how many calls are *left* to disturb, and count down. A create that is refused because of its token,
/// model or input does not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Duration of a prediction from creation to its end, in milliseconds.
    pub delay_ms: u64,
    /// States of a prediction before its end, each for an equal part of `delay_ms`. Any strings: clients must handle unknown
    /// states.
    pub states: Vec<String>,
    /// How a prediction ends.
    pub end: End,
    /// The `error` message of a prediction that fails.
    pub error: String,
    /// The output of a prediction that succeeds: any JSON, in whose strings `{id}`, `{uri}`, `{host}` and `{prompt}` are
    /// replaced. Null: an output that matches the model's schema.
    pub output: Option<Value>,
    /// The location of output files, for which `{uri}` stands.
    pub delivery: Delivery,
    /// Whether progress lines (` 45%|####      | 9/20 [...]`) are added to `logs` while a prediction runs.
    pub progress_logs: bool,
    /// Milliseconds after the end until input, output and logs are removed (an hour at Replicate).
    pub data_removed_after_ms: Option<u64>,
    /// Milliseconds after a prediction's end until its file under `/delivery/` is 404.
    pub delivery_gone_after_ms: Option<u64>,
    /// Number of creates that succeed before the faults below begin.
    pub skip_creates: u32,
    /// Number of creates that are refused with `fail_with`; no prediction is created.
    pub fail_first: u32,
    /// The reply to a create or a poll that fails.
    pub fail_with: Failure,
    /// Number of creates whose connection is reset before a prediction is created.
    pub drop_before_accept: u32,
    /// Number of creates whose connection is reset although the prediction was created and runs.
    pub drop_after_accept: u32,
    /// Time that the reply to an accepted create is held, in milliseconds.
    pub hold_create_ms: u64,
    /// Number of predictions that fail with `error`, regardless of `end`; their creates succeed.
    pub fail_predictions: u32,
    /// Number of reads of a prediction that are answered with `fail_with`.
    pub fail_polls: u32,
    /// Number of reads of a prediction whose connection is reset.
    pub drop_polls: u32,
    /// Number of reads of the list that are answered with `fail_with`.
    pub fail_lists: u32,
    /// Whether the provider is down: every connection is reset, and requests have no effect.
    pub outage: bool,
    /// How a create with `Prefer: wait` is answered.
    pub prefer_wait: PreferWait,
    /// Whether the reply to a waiting create has `Preference-Applied`.
    pub preference_applied: bool,
    /// The only token that is accepted; null: any token that is not empty.
    pub require_token: Option<String>,
    /// Whether inputs are checked against the model's schema.
    pub validate_input: bool,
    /// Number of webhooks that are not sent.
    pub lose_webhooks: u32,
    /// Number of webhooks that are sent twice.
    pub repeat_webhooks: u32,
    /// Number of webhooks that are signed with another secret.
    pub forge_webhooks: u32,
    /// Predictions per page of the list.
    pub page_size: usize,
    /// Additional models (`owner/name`) that accept any input and output one file.
    pub models: Vec<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            delay_ms: 200,
            states: vec!["starting".into(), "processing".into()],
            end: End::Succeeded,
            error: "the model failed: out of memory (E1001)".into(),
            output: None,
            delivery: Delivery::Remote,
            progress_logs: true,
            data_removed_after_ms: None,
            delivery_gone_after_ms: None,
            skip_creates: 0,
            fail_first: 0,
            fail_with: Failure::default(),
            drop_before_accept: 0,
            drop_after_accept: 0,
            hold_create_ms: 0,
            fail_predictions: 0,
            fail_polls: 0,
            drop_polls: 0,
            fail_lists: 0,
            outage: false,
            prefer_wait: PreferWait::Honest,
            preference_applied: true,
            require_token: None,
            validate_input: true,
            lose_webhooks: 0,
            repeat_webhooks: 0,
            forge_webhooks: 0,
            page_size: 100,
            models: Vec::new(),
        }
    }
}

/// How a prediction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With an output.
    Succeeded,
    /// With an error message and no output.
    Failed,
    /// Cancelled while it ran.
    Canceled,
    /// Aborted before it ran: a status that is newer than the official clients' types.
    Aborted,
}

impl End {
    /// Returns the status in the prediction object.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Aborted => "aborted",
        }
    }
}

/// The location of output files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// `https://replicate.delivery/fake/<id>.png`: looks real, but can't be fetched.
    Remote,
    /// `http://<the stand-in>/delivery/<id>.png`: a real picture that follows from the prompt and the input image, different for
    /// each prediction; a film or a sound if the model's name says so.
    Local,
    /// A small image as a `data:` URI.
    Data,
}

/// How a create with `Prefer: wait` is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreferWait {
    /// In time: 201 and the ended prediction. Too slow: 202, `starting`, null output.
    Honest,
    /// As `honest`, but a success in time has the status `processing` with its complete output, as Replicate often does.
    ProcessingWithOutput,
    /// `processing` with null output, in time or not: a client that considers this the end returns nothing.
    ProcessingNull,
}

/// The reply to a call that is made to fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// The body: a string is sent as `text/html`, other JSON as `application/problem+json`. Null: Replicate's own body for
    /// this status.
    pub body: Option<Value>,
    /// Additional headers, such as `retry-after` or `ratelimit-reset`.
    pub headers: BTreeMap<String, String>,
}

impl Default for Failure {
    fn default() -> Self {
        Self { status: 500, body: None, headers: BTreeMap::new() }
    }
}

/// The outcome of a valid create call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CreatePlan {
    /// The prediction is created.
    Accept {
        /// Time that the reply is held.
        hold: Duration,
        /// Whether the connection is reset instead of a reply.
        drop_reply: bool,
        /// Whether the prediction fails.
        fail: bool,
    },
    /// No prediction is created; this is the reply.
    Refuse(Failure),
    /// No prediction is created; the connection is reset.
    Drop,
}

/// The outcome of a read of a prediction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PollPlan {
    /// The prediction is returned.
    Answer,
    /// This is the reply.
    Refuse(Failure),
    /// The connection is reset.
    Drop,
}

impl Behaviour {
    /// Returns the behaviour after a JSON merge patch (RFC 7396): null resets a field to its default. Fails on an unknown field
    /// or a value of the wrong type.
    pub fn merge_patch(&self, patch: &Value) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        merge_json(&mut value, patch);
        serde_json::from_value(value)
    }

    /// Counts down for a create.
    pub(crate) fn plan_create(&mut self) -> CreatePlan {
        let undisturbed = CreatePlan::Accept { hold: Duration::ZERO, drop_reply: false, fail: false };
        if use_one(&mut self.skip_creates) {
            return undisturbed;
        }
        if use_one(&mut self.drop_before_accept) {
            return CreatePlan::Drop;
        }
        if use_one(&mut self.fail_first) {
            return CreatePlan::Refuse(self.fail_with.clone());
        }
        CreatePlan::Accept {
            hold: Duration::from_millis(self.hold_create_ms),
            drop_reply: use_one(&mut self.drop_after_accept),
            fail: use_one(&mut self.fail_predictions),
        }
    }

    /// Counts down for a read of the list; returns the reply if it fails.
    pub(crate) fn plan_list(&mut self) -> Option<Failure> {
        use_one(&mut self.fail_lists).then(|| self.fail_with.clone())
    }

    /// Counts down for a read.
    pub(crate) fn plan_poll(&mut self) -> PollPlan {
        if use_one(&mut self.drop_polls) {
            PollPlan::Drop
        } else if use_one(&mut self.fail_polls) {
            PollPlan::Refuse(self.fail_with.clone())
        } else {
            PollPlan::Answer
        }
    }
}

/// Counts down; returns whether there was any left.
pub(crate) fn use_one(left: &mut u32) -> bool {
    let any = *left > 0;
    *left = left.saturating_sub(1);
    any
}

/// Applies a JSON merge patch (RFC 7396).
pub(crate) fn merge_json(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge_json(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_null_restores_the_default() {
        let slow = Behaviour::default()
            .merge_patch(&json!({"delay_ms": 9, "fail_with": {"status": 429, "headers": {"retry-after": "2"}}}))
            .expect("the patch is in order");
        assert_eq!((slow.delay_ms, slow.fail_with.status, slow.page_size), (9, 429, 100));
        assert_eq!(slow.fail_with.headers["retry-after"], "2");
        let back = slow.merge_patch(&json!({"delay_ms": null, "fail_with": null})).expect("the patch is in order");
        assert_eq!(back, Behaviour::default());
    }

    #[test]
    fn a_patch_with_an_unknown_field_is_refused() {
        let error = Behaviour::default().merge_patch(&json!({"delay": 1})).expect_err("the field is unknown");
        assert!(error.to_string().contains("unknown field `delay`"), "{error}");
    }

    #[test]
    fn a_template_with_null_inside_is_kept_whole_when_it_replaces_no_object() {
        let patched =
            Behaviour::default().merge_patch(&json!({"output": ["{uri}", null]})).expect("the patch is in order");
        assert_eq!(patched.output, Some(json!(["{uri}", null])));
    }

    #[test]
    fn faults_are_spent_in_order_after_the_skipped_creates() {
        let mut behaviour = Behaviour {
            skip_creates: 1,
            drop_before_accept: 1,
            fail_first: 1,
            drop_after_accept: 1,
            fail_predictions: 1,
            ..Behaviour::default()
        };
        let plain = CreatePlan::Accept { hold: Duration::ZERO, drop_reply: false, fail: false };
        let plans: Vec<CreatePlan> = (0..5).map(|_| behaviour.plan_create()).collect();
        assert_eq!(
            plans,
            [
                plain.clone(),
                CreatePlan::Drop,
                CreatePlan::Refuse(Failure::default()),
                CreatePlan::Accept { hold: Duration::ZERO, drop_reply: true, fail: true },
                plain,
            ]
        );
    }
}
