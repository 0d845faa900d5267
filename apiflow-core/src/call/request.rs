//! Builds the requests of a call.

use std::time::Duration;

use serde_json::{Map, Value};

use super::duration_ms::to_ms;
use super::media_inputs::{MediaInputs, SentAs};
use super::plan::{BodyKind, BodyPlan, CallPlan};
use super::{CallContext, CallError, ErrorClass, Operation};
use crate::declarations::credential_names::is_auth_header;
use crate::origin::{Origin, SecretOrigin};
use crate::ports::HttpRequest;
use crate::template::{
    DraftBody, DraftContent, DraftPart, DraftRequest, Expanded, Piece, Template, TemplateScope, Text, encode_pair,
    percent_encode,
};
use crate::url;

/// Time limit of a submit that only returns an id, in milliseconds.
const ACK_TIMEOUT_MS: u64 = 60_000;
/// Time limit of a call that returns its result, in milliseconds.
const DIRECT_TIMEOUT_MS: u64 = 600_000;
/// Time limit of a request that follows long-running work, in milliseconds.
const FOLLOW_TIMEOUT_MS: u64 = 30_000;
/// Default time limit of long-running work, in milliseconds: Replicate and others stop theirs after half an hour.
const OPERATION_TIMEOUT_MS: u64 = 1_800_000;
/// Default time for which an attempt of unknown fate is searched for while its provider is unavailable, in
/// milliseconds.
const RECOVERY_TIMEOUT_MS: u64 = 6 * 3_600_000;
/// Time for uploads before a submit, in milliseconds.
const UPLOAD_TIMEOUT_MS: u64 = 600_000;
/// Time that a held submit is given beyond the provider's own limit, in milliseconds.
const HOLD_MARGIN_MS: u64 = 30_000;

type Pairs = Vec<(String, Vec<Piece>)>;

impl CallPlan {
    /// Builds the request that starts the work.
    ///
    /// # Errors
    /// [`ErrorClass::InvalidInput`] if an argument does not fit where a template uses it, or a file cannot be sent there.
    pub fn submit_request(
        &self,
        arguments: &Map<String, Value>,
        context: &CallContext<'_>,
    ) -> Result<HttpRequest, CallError> {
        let (media, arguments) = MediaInputs::find(self, arguments, context.artifacts)?;
        let scope = TemplateScope::for_submit(&arguments, context.job_id, context.step_id, context.attempt)
            .with_files(media.files.clone());
        let unplaced = || arguments.iter().filter(|(name, _)| !self.placed.contains(name));
        let mut pairs = expand_pairs(&self.query, &scope)?;
        let body = match &self.body {
            BodyPlan::None => None,
            BodyPlan::Query => {
                for (name, value) in unplaced().filter(|(name, _)| !self.query.iter().any(|(known, _)| known == *name))
                {
                    push_pairs(&mut pairs, name, Expanded::Value(value.clone()))?;
                }
                None
            }
            BodyPlan::Given(template) => Some(template.expand_value(&scope)),
            BodyPlan::Overlay(fields) => Some(lay_over(fields, unplaced(), &scope)),
        };
        pairs.extend(self.webhook_pair(true, context.webhook));
        let body = self.write_body(self.add_webhook(body, context.webhook), &media)?;
        let mut headers = self.submit_headers(&scope, context)?;
        set_content_type(&mut headers, &body);
        let draft = DraftRequest {
            method: self.method.clone(),
            url: self.submit_url(&scope, &pairs)?,
            headers,
            body,
            masked_secrets: Vec::new(),
            credential_origins: Origin::of_url(&self.base_url).map(SecretOrigin::from).into_iter().collect(),
            timeout: Duration::from_millis(self.submit_timeout_ms()),
        };
        let mut request = draft.seal_request();
        request.auth.clone_from(&self.auth);
        media.attach_to(&mut request, self)?;
        Ok(request)
    }

    /// Builds the request that asks for the state.
    ///
    /// # Errors
    /// [`ErrorClass::Refused`] if the link leads to a host that the connector does not list.
    pub fn poll_request(&self, operation: &Operation) -> Result<HttpRequest, CallError> {
        let method = self.rule.as_ref().map_or("GET", |rule| rule.poll.link.method.as_str());
        let url = require_url(operation.poll_url.as_ref(), "poll")?;
        let query = self.rule.iter().flat_map(|rule| &rule.poll.query);
        self.follow_link(method, &with_parameters(url, query), operation.poll_body.clone())
    }

    /// Builds the request that fetches the result after [`super::ReplyReading::Fetch`].
    ///
    /// # Errors
    /// [`ErrorClass::Refused`] if the link leads to a host that the connector does not list.
    pub fn result_request(&self, operation: &Operation) -> Result<HttpRequest, CallError> {
        let rule = self.rule.as_ref().and_then(|rule| rule.result.as_ref());
        let method = rule.map_or("GET", |result| result.method.as_str());
        self.follow_link(method, require_url(operation.result_url.as_ref(), "result")?, None)
    }

    /// Builds the request that cancels the work; `None` if the provider does not support that.
    pub fn cancel_request(&self, operation: &Operation) -> Option<Result<HttpRequest, CallError>> {
        let rule = self.rule.as_ref()?.cancel.as_ref()?;
        let url = operation.cancel_url.as_ref()?;
        Some(self.follow_link(&rule.link.method, url, operation.cancel_body.clone()))
    }

    /// Builds the request that lists the provider's operations, to determine the fate of a submit; `None` if the
    /// provider has no list.
    pub fn recover_request(&self) -> Option<Result<HttpRequest, CallError>> {
        let rule = self.rule.as_ref()?.recover.as_ref()?;
        let text = rule.url.literal_text()?;
        let url = if text.starts_with("http") { text } else { url::append_path(&self.base_url, &text) };
        Some(self.follow_link("GET", &url, None))
    }

    /// Returns the time limit of the submit, in milliseconds.
    pub fn submit_timeout_ms(&self) -> u64 {
        let whole = self.timeout_s.map(to_ms);
        match &self.rule {
            None => whole.unwrap_or(DIRECT_TIMEOUT_MS),
            Some(rule) if rule.hold => to_ms(rule.hold_s) + HOLD_MARGIN_MS,
            Some(_) => whole.unwrap_or(ACK_TIMEOUT_MS).min(ACK_TIMEOUT_MS),
        }
    }

    /// Returns the time limit of an attempt until its submit is answered, in milliseconds: that of the submit, and time to
    /// send files before it or with it.
    pub(crate) fn attempt_timeout_ms(&self) -> u64 {
        self.submit_timeout_ms() + if self.has_upload() || self.sends_files() { UPLOAD_TIMEOUT_MS } else { 0 }
    }

    /// Returns whether the submit may contain large files, which take long to send.
    fn sends_files(&self) -> bool {
        self.inputs.iter().filter_map(SentAs::of_input).any(|sent_as| match sent_as {
            SentAs::DataUri | SentAs::Base64 | SentAs::Multipart => true,
            SentAs::Url | SentAs::Upload => false,
        })
    }

    /// Returns whether files can be uploaded to the provider before they are sent.
    pub(super) fn has_upload(&self) -> bool {
        self.upload.is_some()
    }

    /// Returns how long a submit that the provider does not accept yet may be postponed, in milliseconds: as long as
    /// the work may take.
    pub fn refusal_patience_ms(&self) -> u64 {
        if self.rule.is_some() { self.operation_timeout_ms() } else { self.submit_timeout_ms() }
    }

    /// Returns the time limit of the work from acceptance to its end, in milliseconds.
    pub fn operation_timeout_ms(&self) -> u64 {
        self.timeout_s.map_or(OPERATION_TIMEOUT_MS, to_ms)
    }

    /// Returns how long an attempt of unknown fate is searched for at a provider whose list cannot be read, in
    /// milliseconds: until the operation's own deadline if one is declared.
    pub fn recovery_timeout_ms(&self) -> u64 {
        self.timeout_s.map_or(RECOVERY_TIMEOUT_MS, to_ms)
    }

    /// Returns the delay before the next poll after `tries` polls without news, in milliseconds.
    pub fn poll_after_ms(&self, tries: u32) -> u64 {
        let Some(poll) = self.rule.as_ref().map(|rule| &rule.poll) else { return 1000 };
        let grown = poll.interval_s * poll.growth.powi(i32::try_from(tries).unwrap_or(i32::MAX));
        to_ms(grown.min(poll.max_interval_s))
    }

    /// Returns the kind of body that is requested (`accept`, or the header), unless it depends on inputs.
    pub(super) fn wanted_kind(&self) -> Option<String> {
        let header = || {
            let (_, text) = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("accept"))?;
            text.literal_text()
        };
        self.accept.clone().or_else(header)
    }

    /// Returns whether the call starts work that continues after the reply, and that may be cancelled.
    pub fn has_operation(&self) -> bool {
        self.rule.is_some()
    }

    /// Returns whether the same request may be sent again without paying twice: it is declared `idempotent`, has an
    /// `idempotency_header`, or is a GET or HEAD.
    pub fn is_repeatable(&self) -> bool {
        self.idempotent || self.idempotency_header.is_some() || ["GET", "HEAD"].contains(&self.method.as_str())
    }

    /// Builds a request to a link from a reply. Headers that belong to the submit alone, or that depend on its inputs,
    /// are left out; credentials are sent to the connector's own host and to hosts that are listed for them.
    pub(super) fn follow_link(&self, method: &str, link: &str, body: Option<Value>) -> Result<HttpRequest, CallError> {
        self.link_request(method, link, body, &[])
    }

    /// The same with further headers, which replace those without credentials.
    pub(super) fn link_request(
        &self,
        method: &str,
        link: &str,
        body: Option<Value>,
        further: &[(String, String)],
    ) -> Result<HttpRequest, CallError> {
        let trusted = self.is_trusted(link)?;
        let scope = TemplateScope::without_attempt();
        let mut headers: Pairs = Vec::new();
        for (name, text) in &self.headers {
            let own = !is_auth_header(name) && text.secret_names().next().is_none();
            if self.is_submit_only(name) || !(own || trusted) {
                continue;
            }
            if let Some(value) = header_value(name, text, &scope)? {
                headers.push((name.clone(), value));
            }
        }
        if body.is_some() {
            set(&mut headers, "Content-Type", "application/json");
        }
        lay_over_headers(&mut headers, further);
        let mut url = vec![Piece::Text(link.to_owned())];
        if trusted {
            let keys: Vec<_> =
                self.query.iter().filter(|(_, value)| value.has_secrets() && !value.has_places()).cloned().collect();
            append_query(&mut url, &expand_pairs(&keys, &scope)?);
        }
        let origin = Origin::of_url(link);
        let draft = DraftRequest {
            method: method.to_owned(),
            url,
            headers,
            body: body.map_or(DraftBody::None, |body| DraftBody::Json(Expanded::Value(body))),
            masked_secrets: self.secrets.iter().cloned().collect(),
            credential_origins: origin.filter(|_| trusted).map(SecretOrigin::from).into_iter().collect(),
            timeout: Duration::from_millis(FOLLOW_TIMEOUT_MS),
        };
        let mut request = draft.seal_request();
        request.auth = self.auth.clone().filter(|_| trusted);
        Ok(request)
    }

    /// Builds a request to a link that gets nothing of the connector.
    pub(super) fn bare_request(&self, method: &str, link: &str) -> HttpRequest {
        HttpRequest {
            masked_secrets: self.secrets.iter().cloned().collect(),
            ..HttpRequest::new(method, link, Duration::from_millis(FOLLOW_TIMEOUT_MS))
        }
    }

    /// Returns whether a request to a link may carry credentials.
    ///
    /// # Errors
    /// [`ErrorClass::Refused`] if the link may not be followed.
    pub(super) fn is_trusted(&self, link: &str) -> Result<bool, CallError> {
        let shown = url::without_query(link);
        let refused = |message: String| CallError::new(ErrorClass::Refused, message).with_detail("url", shown);
        let host =
            url::host_of(link).ok_or_else(|| refused(format!("`{shown}` is not an http or https link to follow")))?;
        let encrypted = url::is_https(link) || !url::is_https(&self.base_url);
        if url::host_of(&self.base_url).as_ref() == Some(&host) {
            return Ok(encrypted);
        }
        let listed = self.hosts.iter().filter(|listed| listed.matches_host(&host)).collect::<Vec<_>>();
        if listed.is_empty() {
            let message = format!(
                "{} links to `{host}`, which is another host: to follow such links, add it to the connector's \
                 `data.hosts`",
                self.provider
            );
            return Err(refused(message));
        }
        Ok(encrypted && listed.iter().any(|listed| listed.credentials))
    }

    fn is_submit_only(&self, name: &str) -> bool {
        let by_rule = self.rule.iter().flat_map(|rule| &rule.submit_only);
        by_rule
            .map(String::as_str)
            .chain(["Content-Type"])
            .chain(self.idempotency_header.as_deref())
            .any(|own| name.eq_ignore_ascii_case(own))
    }

    fn submit_url(&self, scope: &TemplateScope<'_>, pairs: &Pairs) -> Result<Vec<Piece>, CallError> {
        let mut url = match &self.path {
            None => vec![Piece::Text(self.base_url.clone())],
            Some(path) => {
                let mut pieces = path.expand_path(scope).map_err(|fault| argument_misfit("path", &fault))?;
                let base = format!("{}/", self.base_url.trim_end_matches('/'));
                match pieces.first_mut() {
                    Some(Piece::Text(first)) => *first = format!("{base}{}", first.trim_start_matches('/')),
                    Some(Piece::Secret(_)) | None => pieces.insert(0, Piece::Text(base)),
                }
                pieces
            }
        };
        append_query(&mut url, pairs);
        Ok(url)
    }

    fn submit_headers(&self, scope: &TemplateScope<'_>, context: &CallContext<'_>) -> Result<Pairs, CallError> {
        let mut headers: Pairs = Vec::new();
        for (name, text) in &self.headers {
            if let Some(value) = header_value(name, text, scope)? {
                headers.push((name.clone(), value));
            }
        }
        for (name, text) in self.rule.iter().flat_map(|rule| &rule.submit_headers) {
            let at = headers.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
            match (text, at) {
                (None, Some(at)) => drop(headers.remove(at)),
                (Some(text), None) => {
                    headers.extend(header_value(name, text, scope)?.map(|value| (name.clone(), value)));
                }
                (None, None) | (Some(_), Some(_)) => {}
            }
        }
        let timeout_ms = [context.timeout_ms, self.timeout_s.map(to_ms)].into_iter().flatten().min();
        if let (Some(header), Some(timeout_ms)) = (self.deadline_header(), timeout_ms)
            && !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(&header.name))
        {
            set(&mut headers, &header.name, &header.value_for(timeout_ms));
        }
        headers.extend(self.webhook_pair(false, context.webhook));
        if let Some(accept) = &self.accept {
            set(&mut headers, "Accept", accept);
        }
        if let Some(name) = &self.idempotency_header {
            set(&mut headers, name, context.idempotency_key);
        }
        Ok(headers)
    }

    fn write_body(&self, body: Option<Expanded>, media: &MediaInputs) -> Result<DraftBody, CallError> {
        let body = match body {
            None | Some(Expanded::Absent) => return Ok(DraftBody::None),
            Some(body) => body,
        };
        match self.kind {
            BodyKind::None => Ok(DraftBody::None),
            BodyKind::Json => Ok(DraftBody::Json(body)),
            BodyKind::Raw => {
                if let Expanded::Value(text) = &body
                    && let Some(file) = media.file_of_text(text)
                {
                    return Ok(DraftBody::Media(file.clone()));
                }
                let pieces = body.into_pieces().map_err(|fault| argument_misfit("body", &fault))?;
                Ok(pieces.map_or(DraftBody::None, DraftBody::Raw))
            }
            BodyKind::Form => {
                let mut pairs = Vec::new();
                for (name, value) in body_fields(body, "a form body must be an object")? {
                    push_pairs(&mut pairs, &name, value)?;
                }
                Ok(DraftBody::Form(pairs))
            }
            BodyKind::Multipart => {
                let mut parts = Vec::new();
                for (name, value) in body_fields(body, "a multipart body must be an object")? {
                    push_parts(&mut parts, &name, value, media)?;
                }
                // Files come last, because some servers ignore what follows them (S3).
                parts.sort_by_key(|part| matches!(part.content, DraftContent::Media(_)));
                Ok(DraftBody::Multipart(parts))
            }
        }
    }
}

/// Returns the fields of a body that must be an object.
fn body_fields(body: Expanded, otherwise: &str) -> Result<Vec<(String, Expanded)>, CallError> {
    match body {
        Expanded::Object(fields) => Ok(fields),
        Expanded::Value(Value::Object(fields)) => {
            Ok(fields.into_iter().map(|(name, value)| (name, Expanded::Value(value))).collect())
        }
        Expanded::Absent | Expanded::Value(_) | Expanded::Pieces(_) | Expanded::List(_) => {
            Err(argument_misfit("body", otherwise))
        }
    }
}

/// Adds the parts of one field: a list repeats the name, an object is a part of JSON, a file is a part of its own; null
/// and absent values are skipped.
fn push_parts(parts: &mut Vec<DraftPart>, name: &str, value: Expanded, media: &MediaInputs) -> Result<(), CallError> {
    for item in list_items(value) {
        if let Expanded::Value(text) = &item
            && let Some(file) = media.file_of_text(text)
        {
            parts.push(DraftPart {
                name: name.to_owned(),
                file_name: Some(file.file_name()),
                content_type: Some(file.mime().to_owned()),
                content: DraftContent::Media(file.clone()),
            });
            continue;
        }
        let is_json = matches!(&item, Expanded::Object(_) | Expanded::List(_))
            || matches!(&item, Expanded::Value(Value::Object(_) | Value::Array(_)));
        let pieces = item.into_pieces().map_err(|fault| argument_misfit(&format!("`{name}`"), &fault))?;
        parts.extend(pieces.map(|pieces| DraftPart {
            name: name.to_owned(),
            file_name: None,
            content_type: is_json.then(|| "application/json".to_owned()),
            content: DraftContent::Text(pieces),
        }));
    }
    Ok(())
}

/// Returns the elements of a list, or the single value.
fn list_items(value: Expanded) -> Vec<Expanded> {
    match value {
        Expanded::List(items) => items,
        Expanded::Value(Value::Array(items)) => items.into_iter().map(Expanded::Value).collect(),
        single @ (Expanded::Absent | Expanded::Value(_) | Expanded::Pieces(_) | Expanded::Object(_)) => vec![single],
    }
}

fn require_url<'a>(url: Option<&'a String>, what: &str) -> Result<&'a String, CallError> {
    url.ok_or_else(|| CallError::new(ErrorClass::OutputInvalid, format!("the provider returned no link to {what}")))
}

fn argument_misfit(place: &str, fault: &str) -> CallError {
    CallError::new(ErrorClass::InvalidInput, format!("{place}: {fault}"))
}

/// Merges the inputs over the connector's fields, whose templates are expanded first.
fn lay_over<'a>(
    fields: &[(String, Template)],
    inputs: impl Iterator<Item = (&'a String, &'a Value)>,
    scope: &TemplateScope<'_>,
) -> Expanded {
    let mut whole: Vec<(String, Expanded)> =
        fields.iter().map(|(name, template)| (name.clone(), template.expand_value(scope))).collect();
    for (name, value) in inputs {
        let value = Expanded::Value(value.clone());
        match whole.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => whole.push((name.clone(), value)),
        }
    }
    Expanded::Object(whole)
}

fn expand_pairs(templates: &[(String, Template)], scope: &TemplateScope<'_>) -> Result<Pairs, CallError> {
    let mut pairs = Vec::new();
    for (name, template) in templates {
        push_pairs(&mut pairs, name, template.expand_value(scope))?;
    }
    Ok(pairs)
}

/// Adds the pairs of one value: a list repeats the name; null and absent values are skipped.
fn push_pairs(pairs: &mut Pairs, name: &str, value: Expanded) -> Result<(), CallError> {
    for item in list_items(value) {
        let pieces = item.into_pieces().map_err(|fault| argument_misfit(&format!("`{name}`"), &fault))?;
        pairs.extend(pieces.map(|pieces| (name.to_owned(), pieces)));
    }
    Ok(())
}

/// Adds parameters to the query of a link, except those that it has.
fn with_parameters<'p>(link: &str, parameters: impl Iterator<Item = &'p (String, String)>) -> String {
    parameters.fold(link.to_owned(), |link, (name, value)| {
        let name = percent_encode(name);
        let query = link.split_once('?').map_or("", |(_, query)| query);
        if query.split('&').any(|pair| pair.split('=').next() == Some(name.as_str())) {
            return link;
        }
        let separator = if link.contains('?') { '&' } else { '?' };
        format!("{link}{separator}{name}={}", percent_encode(value))
    })
}

fn append_query(url: &mut Vec<Piece>, pairs: &Pairs) {
    let known = url.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains('?')));
    for (index, (name, value)) in pairs.iter().enumerate() {
        url.push(Piece::Text(if index == 0 && !known { "?" } else { "&" }.to_owned()));
        url.extend(encode_pair(name, value));
    }
}

fn header_value(name: &str, text: &Text, scope: &TemplateScope<'_>) -> Result<Option<Vec<Piece>>, CallError> {
    let place = format!("header `{name}`");
    let pieces = text.expand_text(scope).into_pieces().map_err(|fault| argument_misfit(&place, &fault))?;
    let control = |piece: &Piece| match piece {
        Piece::Text(text) => text.chars().any(|c| c.is_control() && c != '\t'),
        Piece::Secret(_) => false,
    };
    if pieces.iter().flatten().any(control) {
        return Err(argument_misfit(&place, "line breaks and other control characters are not allowed in it"));
    }
    Ok(pieces)
}

fn set(headers: &mut Pairs, name: &str, value: &str) {
    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    headers.push((name.to_owned(), vec![Piece::Text(value.to_owned())]));
}

/// Replaces headers by further ones of the same names, and adds the others; headers with credentials stay.
fn lay_over_headers(headers: &mut Pairs, further: &[(String, String)]) {
    let has_credentials = |(name, value): &(String, Vec<Piece>)| {
        is_auth_header(name) || value.iter().any(|piece| matches!(piece, Piece::Secret(_)))
    };
    let is_named = |name: &str| further.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    headers.retain(|header| has_credentials(header) || !is_named(&header.0));
    let kept: Vec<String> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let added = further.iter().filter(|(name, _)| !kept.contains(&name.to_ascii_lowercase()));
    headers.extend(added.map(|(name, value)| (name.clone(), vec![Piece::Text(value.clone())])));
}

/// Sets the content type; that of a template is used only if the kind of body does not determine it.
fn set_content_type(headers: &mut Pairs, body: &DraftBody) {
    let declared = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    match body {
        DraftBody::None => headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type")),
        DraftBody::Form(_) => set(headers, "Content-Type", "application/x-www-form-urlencoded"),
        DraftBody::Json(_) if !declared => set(headers, "Content-Type", "application/json"),
        DraftBody::Raw(_) if !declared => set(headers, "Content-Type", "text/plain; charset=utf-8"),
        DraftBody::Media(media) if !declared => set(headers, "Content-Type", media.mime()),
        // It names the boundary, which is derived from the whole request.
        DraftBody::Multipart(_) => headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type")),
        DraftBody::Json(_) | DraftBody::Raw(_) | DraftBody::Media(_) => {}
    }
}
