//! Reads the replies to submits, polls and results.

use serde_json::Value;

use super::classify_failure::has_word;
use super::http_failure::Purpose;
use super::operation_rule::{ErrorRule, LinkRule, Progress, Rule, StateRule};
use super::plan::CallPlan;
use super::reply_body::Body;
use super::retry_after::retry_after_ms;
use super::{CallError, ErrorClass, Operation, ReplyReading, output};
use crate::json::{JsonPath, PathMatch, scalar_text};
use crate::ports::HttpReply;
use crate::template::{Template, TemplateScope};

/// The state that a reply shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Queued,
    Running,
    /// The provider does not know the work.
    Missing,
    Done,
    Failed,
    Cancelled,
    Moderated,
}

impl CallPlan {
    /// Reads the reply to a submit.
    pub fn read_submit(&self, reply: &HttpReply) -> ReplyReading {
        let mut body = Body::read(reply);
        if let Err(error) = self.status_succeeded(reply, &body, Purpose::Submit) {
            return ReplyReading::Failed(error);
        }
        if self.rule.is_some() && body.json().is_none() {
            return ReplyReading::Failed(self.lost_operation_error(
                reply,
                &body,
                &format!("the reply is {}", body.describe_kind()),
            ));
        }
        if let Err(error) = self.body_succeeded(reply, &body, Purpose::Submit) {
            return ReplyReading::Failed(error);
        }
        let Some(rule) = &self.rule else { return self.read_final_result(None, reply, &mut body) };
        let json = body.json().unwrap_or(&Value::Null);
        let operation = self.update_operation(rule, &Operation::default(), json, reply);
        match read_phase(&rule.state, json, None) {
            Phase::Running | Phase::Queued if operation.poll_url.is_none() => {
                let links: Vec<String> =
                    rule.poll.link.links.iter().map(super::reply_link::Link::describe_link).collect();
                ReplyReading::Failed(self.lost_operation_error(
                    reply,
                    &body,
                    &format!("the reply has no {}", links.join(" or ")),
                ))
            }
            Phase::Running => ReplyReading::Running(operation),
            Phase::Queued => ReplyReading::Running(Operation { is_queued: true, ..operation }),
            ended @ (Phase::Done | Phase::Failed | Phase::Cancelled | Phase::Moderated | Phase::Missing) => {
                self.read_end(ended, rule, operation, reply, &mut body)
            }
        }
    }

    /// Reads the reply to a poll.
    pub fn read_poll(&self, operation: &Operation, reply: &HttpReply) -> ReplyReading {
        let mut body = Body::read(reply);
        let Some(rule) = &self.rule else { return self.read_final_result(Some(operation), reply, &mut body) };
        let by_status = matches!(rule.state, StateRule::Http { .. });
        let settled = by_status && read_phase(&rule.state, &Value::Null, Some(reply.status)) != Phase::Running;
        if !settled && !is_listed_as_running(&rule.state, reply.status) {
            if let Err(error) = self.status_succeeded(reply, &body, Purpose::Follow) {
                return again_or_failed(with_id(error, operation.id.as_deref()));
            }
            if body.json().is_none() && !by_status {
                let message = format!("{} answered a poll with {}", self.provider, body.describe_kind());
                return ReplyReading::Again(self.error_with_reply(ErrorClass::Unavailable, message, reply, &body));
            }
        }
        let json = body.json().unwrap_or(&Value::Null);
        let next = self.update_operation(rule, operation, json, reply);
        let phase = read_phase(&rule.state, json, Some(reply.status));
        // If the work failed, the operation's own rule says more than the rule of success.
        if matches!(phase, Phase::Running | Phase::Queued | Phase::Done)
            && body.json().is_some()
            && let Err(error) = self.body_succeeded(reply, &body, Purpose::Follow)
        {
            return again_or_failed(with_id(error, next.id.as_deref()));
        }
        match phase {
            Phase::Running => ReplyReading::Running(next),
            Phase::Queued => ReplyReading::Running(Operation { is_queued: true, ..next }),
            ended @ (Phase::Done | Phase::Failed | Phase::Cancelled | Phase::Moderated | Phase::Missing) => {
                self.read_end(ended, rule, next, reply, &mut body)
            }
        }
    }

    /// Reads the reply to a result's request. A server error other than an overload is the failure of the work itself,
    /// because queues report it like this.
    pub fn read_result(&self, operation: &Operation, reply: &HttpReply) -> ReplyReading {
        let mut body = Body::read(reply);
        let succeeded = self
            .status_succeeded(reply, &body, Purpose::Follow)
            .and_then(|()| self.body_succeeded(reply, &body, Purpose::Follow))
            .map_err(|error| with_id(error, operation.id.as_deref()));
        match succeeded {
            Ok(()) => self.read_final_result(Some(operation), reply, &mut body),
            Err(error) if is_passing(error.class) && reply.status != 500 => ReplyReading::Again(error),
            Err(error) if is_passing(error.class) => {
                ReplyReading::Failed(CallError { class: ErrorClass::ProviderFailed, ..error })
            }
            Err(error) => ReplyReading::Failed(error),
        }
    }

    /// Returns whether the status is one of success. `success` applies to the submit; later requests may be answered
    /// with any 2xx, too.
    fn status_succeeded(&self, reply: &HttpReply, body: &Body<'_>, purpose: Purpose) -> Result<(), CallError> {
        let follows = purpose == Purpose::Follow && (200..300).contains(&reply.status);
        if follows || self.success.accepts_status(reply.status) {
            return Ok(());
        }
        Err(self.http_failure(reply, body, purpose))
    }

    /// Returns whether the body is one of success; the rule applies to submits, polls and results alike.
    fn body_succeeded(&self, reply: &HttpReply, body: &Body<'_>, purpose: Purpose) -> Result<(), CallError> {
        let failed = match (body.json(), self.success.word_path()) {
            (Some(json), _) if !self.success.accepts_body(json) => self.http_failure(reply, body, purpose),
            (None, Some(path)) => self.unreadable_success(path, reply, body),
            (Some(_), _) | (None, None) => return Ok(()),
        };
        Err(failed)
    }

    /// Returns the error for work that the provider accepted, but that cannot be followed: it must not be submitted
    /// again.
    fn lost_operation_error(&self, reply: &HttpReply, body: &Body<'_>, reason: &str) -> CallError {
        let class = if self.is_repeatable() { ErrorClass::OutputInvalid } else { ErrorClass::SubmitUnknown };
        let message = format!(
            "{} answered {}, but the operation cannot be tracked: {reason}; check the node's `data.operation`",
            self.provider, reply.status
        );
        self.error_with_reply(class, message, reply, body)
    }

    /// Updates an operation from a reply; keeps what the reply does not repeat.
    fn update_operation(&self, rule: &Rule, known: &Operation, json: &Value, reply: &HttpReply) -> Operation {
        let link = |rule: &LinkRule| {
            let base = self.reply_url(reply);
            rule.links.iter().find_map(|link| link.resolve_url(json, base, &self.base_url))
        };
        let fill = |body: Option<&Template>| {
            body?.expand_value(&TemplateScope::for_reply(json)).to_value(&mut |_| String::new())
        };
        let cancel = rule.cancel.as_ref();
        Operation {
            id: known.id.clone().or_else(|| rule.id.as_ref()?.find_text(json)),
            poll_url: link(&rule.poll.link).or_else(|| known.poll_url.clone()),
            poll_body: known.poll_body.clone().or_else(|| fill(rule.poll.body.as_ref())),
            cancel_url: cancel.and_then(|cancel| link(&cancel.link)).or_else(|| known.cancel_url.clone()),
            cancel_body: known.cancel_body.clone().or_else(|| fill(cancel?.body.as_ref())),
            result_url: rule.result.as_ref().and_then(link).or_else(|| known.result_url.clone()),
            state: state_word(&rule.state, json).or_else(|| known.state.clone()),
            is_queued: false,
            progress: read_progress(&rule.progress, json).or(known.progress),
            retry_after_ms: retry_hint(reply),
            reported_cost: known.reported_cost.clone(),
            downloads: known.downloads.clone(),
        }
    }

    /// Creates an operation from an item of a provider's list.
    pub(super) fn listed_operation(&self, rule: &Rule, item: &Value, reply: &HttpReply) -> Operation {
        self.update_operation(rule, &Operation::default(), item, reply)
    }

    fn read_end(
        &self,
        phase: Phase,
        rule: &Rule,
        operation: Operation,
        reply: &HttpReply,
        body: &mut Body<'_>,
    ) -> ReplyReading {
        let json = body.json().unwrap_or(&Value::Null);
        let said = error_message(&rule.error, json);
        let state = operation.state.clone().unwrap_or_else(|| reply.status.to_string());
        let failed = |class: ErrorClass| {
            let reason = said.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
            let message = format!("{} finished the operation with the state `{state}`{reason}", self.provider);
            ReplyReading::Failed(with_id(self.error_with_reply(class, message, reply, body), operation.id.as_deref()))
        };
        let code = rule.error.code.iter().find_map(|path| path.find_text(json));
        let moderated = said.iter().chain(&code).any(|text| is_moderated(&rule.error, text));
        match phase {
            Phase::Running | Phase::Queued => ReplyReading::Running(operation),
            Phase::Missing => failed(ErrorClass::NotFound),
            Phase::Moderated => failed(ErrorClass::Moderated),
            Phase::Failed | Phase::Done if moderated => failed(ErrorClass::Moderated),
            Phase::Failed => failed(ErrorClass::ProviderFailed),
            Phase::Done if said.is_some() => failed(ErrorClass::ProviderFailed),
            Phase::Cancelled => failed(ErrorClass::Cancelled),
            Phase::Done if rule.result.is_some() => self.read_fetch(rule, operation, reply, body),
            Phase::Done => match rule.output.as_ref().filter(|path| is_empty_at(path, json)) {
                Some(path) => {
                    let message = format!(
                        "{} finished the operation with the state `{state}`, but `{}` is empty",
                        self.provider,
                        path.source()
                    );
                    let error = self.error_with_reply(ErrorClass::OutputInvalid, message, reply, body);
                    ReplyReading::Failed(with_id(error, operation.id.as_deref()))
                }
                None => self.read_final_result(Some(&operation), reply, body),
            },
        }
    }

    fn read_fetch(&self, rule: &Rule, operation: Operation, reply: &HttpReply, body: &Body<'_>) -> ReplyReading {
        if operation.result_url.is_some() {
            return ReplyReading::Fetch(operation);
        }
        let links: Vec<String> =
            rule.result.iter().flat_map(|result| &result.links).map(super::reply_link::Link::describe_link).collect();
        let message = format!("{} finished the operation, but its reply has no {}", self.provider, links.join(" or "));
        let error = self.error_with_reply(ErrorClass::OutputInvalid, message, reply, body);
        ReplyReading::Failed(with_id(error, operation.id.as_deref()))
    }

    fn read_final_result(&self, operation: Option<&Operation>, reply: &HttpReply, body: &mut Body<'_>) -> ReplyReading {
        let reply_url = self.reply_url(reply);
        let links = output::LinkContext { reply_url, base_url: &self.base_url, media_hosts: &self.media_hosts };
        match output::read_all(&self.outputs, self.wanted_kind().as_deref(), (reply, &links), body) {
            Ok(mapped) if mapped.media.is_empty() => ReplyReading::Done(mapped.result),
            Ok(mut mapped) => {
                let lifetime_s = self.rule.as_ref().and_then(|rule| rule.link_lifetime_s);
                mapped.media.iter_mut().for_each(|media| media.lifetime_s = media.lifetime_s.or(lifetime_s));
                let operation = operation.cloned().unwrap_or_default();
                ReplyReading::Download(Operation { downloads: Some(Box::new(mapped)), ..operation })
            }
            Err(error) => {
                let error = self.error_with_reply(error.class, error.message, reply, body);
                ReplyReading::Failed(with_id(error, operation.and_then(|operation| operation.id.as_deref())))
            }
        }
    }
}

fn with_id(error: CallError, id: Option<&str>) -> CallError {
    match id {
        Some(id) => error.with_detail("provider_id", id),
        None => error,
    }
}

fn again_or_failed(error: CallError) -> ReplyReading {
    if is_passing(error.class) { ReplyReading::Again(error) } else { ReplyReading::Failed(error) }
}

fn is_empty_at(path: &JsonPath, json: &Value) -> bool {
    match path.find_in(json) {
        PathMatch::Absent | PathMatch::Null => true,
        PathMatch::One(_) | PathMatch::Many(_) => false,
    }
}

/// Returns whether the failure concerns the request, not the work.
fn is_passing(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Unavailable | ErrorClass::RateLimited)
}

/// Reads the state from a reply; `status` is the HTTP status of a poll, or `None` for a submit, whose status and keys
/// only say that the work was accepted.
fn read_phase(rule: &StateRule, json: &Value, status: Option<u16>) -> Phase {
    match rule {
        StateRule::Words { path, queued, done, failed, cancelled, moderated, missing } => {
            let word = path.find_text(json).map(|word| word.to_lowercase());
            let is_in = |words: &[String]| word.as_ref().is_some_and(|word| words.contains(word));
            match () {
                () if is_in(done) => Phase::Done,
                () if is_in(failed) => Phase::Failed,
                () if is_in(cancelled) => Phase::Cancelled,
                () if is_in(moderated) => Phase::Moderated,
                () if is_in(queued) => Phase::Queued,
                () if is_in(missing) => Phase::Missing,
                () => Phase::Running,
            }
        }
        StateRule::Flag(path) => match path.find_in(json) {
            PathMatch::One(Value::Bool(true)) => Phase::Done,
            PathMatch::One(_) | PathMatch::Many(_) | PathMatch::Null | PathMatch::Absent => Phase::Running,
        },
        StateRule::Http { done, failed, cancelled, .. } => match status {
            Some(status) if done.contains(&status) => Phase::Done,
            Some(status) if failed.contains(&status) => Phase::Failed,
            Some(status) if cancelled.contains(&status) => Phase::Cancelled,
            Some(_) | None => Phase::Running,
        },
        StateRule::Present(path) => match (status, path.find_in(json)) {
            (Some(_), PathMatch::One(_)) => Phase::Done,
            (Some(_), PathMatch::Many(found)) if !found.is_empty() => Phase::Done,
            (_, PathMatch::One(_) | PathMatch::Many(_) | PathMatch::Null | PathMatch::Absent) => Phase::Running,
        },
    }
}

fn is_listed_as_running(rule: &StateRule, status: u16) -> bool {
    match rule {
        StateRule::Http { running, .. } => running.contains(&status),
        StateRule::Words { .. } | StateRule::Flag(_) | StateRule::Present(_) => false,
    }
}

fn state_word(rule: &StateRule, json: &Value) -> Option<String> {
    match rule {
        StateRule::Words { path, .. } => path.find_text(json),
        StateRule::Flag(_) | StateRule::Http { .. } | StateRule::Present(_) => None,
    }
}

fn retry_hint(reply: &HttpReply) -> Option<u64> {
    let direct = ["retry-after", "retry-after-ms"];
    let told = reply.headers.iter().any(|(name, _)| direct.iter().any(|hint| name.eq_ignore_ascii_case(hint)));
    told.then(|| retry_after_ms(reply, None, None)).flatten()
}

/// Returns the provider's error message.
fn error_message(rule: &ErrorRule, json: &Value) -> Option<String> {
    rule.message.iter().find_map(|path| super::http_failure::text_of(&path.find_in(json).into_value()?))
}

fn is_moderated(rule: &ErrorRule, text: &str) -> bool {
    let text = text.to_lowercase();
    rule.moderated.iter().any(|word| has_word(&text, &word.to_lowercase()))
}

fn read_progress(rule: &Progress, json: &Value) -> Option<f64> {
    let read_number = |path: &JsonPath| {
        let number = path.find_text(json)?.parse::<f64>().ok()?;
        let part = number / rule.max.unwrap_or(if number > 1.0 { 100.0 } else { 1.0 });
        (0.0..=1.0).contains(&part).then_some(part)
    };
    let number = rule.number.as_ref().and_then(read_number);
    number.or_else(|| last_percentage(&read_log(rule.log.as_ref()?, json)?))
}

/// Reads a log: a text, or the lines of a list; `None` if it is empty.
pub(super) fn read_log(path: &JsonPath, json: &Value) -> Option<String> {
    let log = match path.find_in(json) {
        PathMatch::Absent | PathMatch::Null => return None,
        PathMatch::One(Value::Array(lines)) => join_lines(lines.iter()),
        PathMatch::One(text) => scalar_text(text)?,
        PathMatch::Many(lines) => join_lines(lines.into_iter()),
    };
    (!log.is_empty()).then_some(log)
}

fn join_lines<'v>(lines: impl Iterator<Item = &'v Value>) -> String {
    lines.filter_map(scalar_text).fold(String::new(), |mut log, line| {
        log.push_str(line.trim_end_matches('\n'));
        log.push('\n');
        log
    })
}

/// Parses the last `NN%` of a log as a fraction.
fn last_percentage(log: &str) -> Option<f64> {
    log.rmatch_indices('%').find_map(|(at, _)| {
        let digits = log[..at].rsplit(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
        let percent: f64 = digits.parse().ok()?;
        (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
    })
}
