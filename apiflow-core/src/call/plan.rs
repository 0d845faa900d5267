//! Compiles a node's call with its connector's defaults.

use std::collections::BTreeSet;

use serde_json::Value;

use super::auth_plan::{AuthPlan, add_static_auth};
use super::media_inputs::SentAs;
use super::merged_declarations::{Entry, Merged, connector_findings, relocate_findings};
use super::operation_rule::{self, Rule, WebhookSecret};
use super::output::Mapping;
use super::price::Price;
use super::reply_rules::{ErrorPaths, FollowedHost, Success};
use super::submit_limits::read_limits;
use super::upload_rule::UploadRule;
use crate::declarations::{Connector, Node, NodeInput};
use crate::diagnostic::suggest::{did_you_mean, list_all, nearest_name};
use crate::diagnostic::{Diagnostic, codes, has_errors};
use crate::ports::{RequestAuth, SubmitLimits};
use crate::template::{Part, Root, Template, TemplateCompiler, Text, dot_segment};
use crate::url;

/// A node's call, compiled with its connector's defaults.
#[derive(Debug, Clone)]
pub struct CallPlan {
    /// The connector's name, for messages.
    pub(super) provider: String,
    pub(super) base_url: String,
    pub(super) method: String,
    pub(super) path: Option<Text>,
    pub(super) query: Vec<(String, Template)>,
    pub(super) headers: Vec<(String, Text)>,
    pub(super) accept: Option<String>,
    pub(super) body: BodyPlan,
    pub(super) kind: BodyKind,
    /// Size of the largest file that may be sent inside a request, if one is declared, in bytes.
    pub(super) max_data_uri_bytes: Option<u64>,
    /// How files are uploaded to the provider before they are sent, if it has uploads.
    pub(super) upload: Option<UploadRule>,
    pub(super) success: Success,
    pub(super) rule: Option<Rule>,
    pub(super) idempotent: bool,
    pub(super) idempotency_header: Option<String>,
    pub(super) timeout_s: Option<f64>,
    pub(super) errors: ErrorPaths,
    pub(super) hosts: Vec<FollowedHost>,
    /// Hosts whose files are kept although the output is a string.
    pub(super) media_hosts: Vec<String>,
    pub(super) inputs: Vec<NodeInput>,
    pub(super) outputs: Vec<Mapping>,
    /// Inputs that templates of the path, the query or a header refer to: they are not repeated in the body.
    pub(super) placed: Vec<String>,
    /// Credentials that are computed when a request is sent.
    pub(super) auth: Option<RequestAuth>,
    /// References to all secrets of the call.
    pub(super) secrets: BTreeSet<String>,
    /// What an attempt costs, if that is declared.
    pub(super) price: Option<Price>,
    /// The connector's limits on submits.
    pub(super) limits: Option<SubmitLimits>,
}

impl CallPlan {
    /// Returns what an attempt costs, if that is declared.
    pub fn price(&self) -> Option<&Price> {
        self.price.as_ref()
    }

    /// Returns the limits on submits of the connector, if it has any.
    pub fn submit_limits(&self) -> Option<SubmitLimits> {
        self.limits
    }
}

#[cfg(feature = "runtime")]
impl CallPlan {
    /// Returns whether the node declares outputs.
    pub(crate) fn has_outputs(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// Returns whether an output is media, so that the reply may contain large files.
    pub(crate) fn has_media_outputs(&self) -> bool {
        self.outputs.iter().any(Mapping::is_media)
    }

    /// Returns whether an output is the whole body as a file.
    pub(crate) fn wants_whole_body(&self) -> bool {
        self.outputs.iter().any(|output| output.is_media() && output.is_whole_body())
    }

    /// Returns whether a status may be one of success.
    pub(crate) fn accepts_status(&self, status: u16) -> bool {
        (200..300).contains(&status) || self.success.accepts_status(status)
    }
}

/// Where the body comes from.
#[derive(Debug, Clone)]
pub(super) enum BodyPlan {
    /// The request has no body.
    None,
    /// The template that the declaration gives as `body`.
    Given(Template),
    /// The connector's body, with the inputs merged over its fields.
    Overlay(Vec<(String, Template)>),
    /// No body: the inputs become the query.
    Query,
}

/// The encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyKind {
    Json,
    Form,
    Multipart,
    Raw,
    None,
}

/// Compiles a node's call.
///
/// # Errors
/// Everything that prevents the call, with pointers into the node; faults of the connector point to `/connector_id`.
/// Contains warnings, too, which do not cause the error.
pub fn compile_call(node: &Node, connector: &Connector) -> Result<CallPlan, Vec<Diagnostic>> {
    let (plan, found) = compile_with_findings(node, connector);
    if has_errors(&found) { Err(relocate_findings(found, connector)) } else { Ok(plan) }
}

/// Checks a node's call. Returns the errors for which [`compile_call`] refuses it, and warnings; pointers are relative
/// to the node.
pub(crate) fn check_call(node: &Node, connector: &Connector) -> Vec<Diagnostic> {
    relocate_findings(compile_with_findings(node, connector).1, connector)
}

/// Checks a connector by itself; pointers are relative to the connector.
pub(crate) fn check_connector(connector: &Connector) -> Vec<Diagnostic> {
    let node = Node::without_settings(connector.id.as_str());
    connector_findings(compile_with_findings(&node, connector).1)
}

fn compile_with_findings(node: &Node, connector: &Connector) -> (CallPlan, Vec<Diagnostic>) {
    let merged = Merged { node, connector };
    let mut found = Vec::new();
    let method = merged.get("method").and_then(|entry| entry.value.as_str().map(str::to_ascii_uppercase));
    let method = method.unwrap_or_else(|| connector.method.clone());
    let path = compile_path(&merged, &mut found);
    let mut query: Vec<(String, Template)> = merged
        .query_templates()
        .into_iter()
        .map(|(name, entry)| (name, compile_template(&merged, &entry, &mut found)))
        .collect();
    let mut headers: Vec<(String, Text)> = merged
        .header_templates()
        .into_iter()
        .map(|(name, entry)| (name, compile_text(&merged, &entry, &mut found)))
        .collect();
    // Only the connector decides how its calls are authenticated.
    let auth = merged
        .get_from_connector("auth")
        .and_then(|entry| AuthPlan::compile(entry.value, &entry.pointer, merged.own_secrets(&entry), &mut found));
    add_static_auth(auth.as_ref(), &mut headers, &mut query);
    let auth = auth.and_then(AuthPlan::into_computed);
    let kind = compile_kind(&merged);
    let body = compile_body(&merged, &method, kind, &mut found);
    check_inputs(&merged, kind, &mut found);
    let rule = merged.get("operation").and_then(|entry| {
        let mut rule = operation_rule::read(entry.value, &entry.pointer, &mut found)?;
        let texts = rule.submit_headers.iter_mut().filter_map(|(_, text)| text.as_mut());
        texts.for_each(|text| text.refer_to_own(merged.own_secrets(&entry)));
        if let Some(WebhookSecret::Reference(secret)) =
            rule.webhook.as_mut().and_then(|webhook| webhook.secret.as_mut())
        {
            secret.refer_to_own(merged.own_secrets(&entry));
        }
        Some(rule)
    });
    let success =
        merged.get("success").map(|entry| Success::read(entry.value, &entry.pointer, &mut found)).unwrap_or_default();
    let errors =
        merged.get("errors").map(|entry| ErrorPaths::read(entry.value, &entry.pointer, &mut found)).unwrap_or_default();
    // Only the connector decides which hosts links may lead to.
    let hosts = merged
        .get_from_connector("hosts")
        .map(|entry| FollowedHost::read_all(entry.value, &entry.pointer, &mut found))
        .unwrap_or_default();
    let price =
        merged.get("price").and_then(|entry| Price::read(entry.value, &entry.pointer, &node.output, &mut found));
    // All nodes of a connector share its limits.
    let limits =
        merged.get_from_connector("limits").and_then(|entry| read_limits(entry.value, &entry.pointer, &mut found));
    let outputs = Mapping::compile_outputs(&node.output, &mut found);
    let placed = placed_inputs(path.as_ref(), &query, &headers);
    let mut secrets = secrets_of(path.as_ref(), &query, &headers, &body, rule.as_ref());
    let of_auth = auth.iter().flat_map(RequestAuth::secret_references);
    secrets.extend(of_auth.map(str::to_owned));
    let plan = CallPlan {
        provider: if connector.name.is_empty() { connector.id.clone() } else { connector.name.clone() },
        base_url: connector.base_url.clone(),
        method,
        path,
        query,
        headers,
        accept: string_option(&merged, "accept"),
        body,
        kind,
        max_data_uri_bytes: merged.get("max_data_uri_bytes").and_then(|entry| entry.value.as_u64()),
        upload: merged.get("upload").and_then(|entry| UploadRule::read(entry.value, &entry.pointer, &mut found)),
        success,
        rule,
        idempotent: merged.get("idempotent").is_some_and(|entry| entry.value == &Value::Bool(true)),
        idempotency_header: string_option(&merged, "idempotency_header"),
        timeout_s: merged.get("timeout_s").and_then(|entry| entry.value.as_f64()),
        errors,
        hosts,
        media_hosts: read_media_hosts(&merged),
        inputs: node.input.clone(),
        outputs,
        placed,
        auth,
        secrets,
        price,
        limits,
    };
    plan.check_readable(&node.output, &mut found);
    (plan, found)
}

fn read_media_hosts(merged: &Merged<'_>) -> Vec<String> {
    let hosts = merged.get_from_connector("media_hosts").and_then(|entry| entry.value.as_array());
    hosts.into_iter().flatten().filter_map(|host| host.as_str().map(str::to_ascii_lowercase)).collect()
}

fn string_option(merged: &Merged<'_>, key: &str) -> Option<String> {
    merged.get(key).and_then(|entry| entry.value.as_str().map(str::to_owned))
}

const CALL_ROOTS: &[Root] = &[Root::Input, Root::Job, Root::Step];

fn compile_template(merged: &Merged<'_>, entry: &Entry<'_>, found: &mut Vec<Diagnostic>) -> Template {
    let mut template =
        TemplateCompiler { roots: CALL_ROOTS, diagnostics: found }.compile_value(entry.value, &entry.pointer);
    template.refer_to_own(merged.own_secrets(entry));
    template
}

fn compile_text(merged: &Merged<'_>, entry: &Entry<'_>, found: &mut Vec<Diagnostic>) -> Text {
    let source = entry.value.as_str().unwrap_or_default();
    let mut text = TemplateCompiler { roots: CALL_ROOTS, diagnostics: found }.compile_text(source, &entry.pointer);
    text.refer_to_own(merged.own_secrets(entry));
    text
}

fn compile_path(merged: &Merged<'_>, found: &mut Vec<Diagnostic>) -> Option<Text> {
    let entry = merged.get("path")?;
    let source = entry.value.as_str().filter(|source| !source.is_empty())?;
    let mut refuse = |message: String| found.push(Diagnostic::new_error(codes::BAD_PATH, &entry.pointer, message));
    if source.contains('#') {
        refuse("`path` must not have a fragment (`#`)".to_owned());
    }
    if dot_segment(source).is_some() {
        refuse("`path` must not contain the segments `.` or `..`".to_owned());
    }
    if url::has_query(&merged.connector.base_url) {
        refuse("`path` cannot be appended to a `base_url` that has a query: move the query to `query`".to_owned());
    }
    let compiled = compile_text(merged, &entry, found);
    let literal_space = compiled.parts.iter().any(|part| match part {
        Part::Literal(literal) => literal.chars().any(|c| c.is_whitespace() || c.is_control()),
        Part::Secret(_) | Part::Place(_) => false,
    });
    if literal_space {
        found.push(Diagnostic::new_error(
            codes::BAD_PATH,
            &entry.pointer,
            "`path` must not contain spaces or line breaks",
        ));
    }
    Some(compiled)
}

fn compile_kind(merged: &Merged<'_>) -> BodyKind {
    match merged.get("body_kind").and_then(|entry| entry.value.as_str()) {
        Some("form") => BodyKind::Form,
        Some("multipart") => BodyKind::Multipart,
        Some("raw") => BodyKind::Raw,
        Some("none") => BodyKind::None,
        Some(_) | None => BodyKind::Json,
    }
}

/// Compiles the body: the node's; else the connector's, if it has a placeholder; else the connector's with the inputs
/// merged over it.
fn compile_body(merged: &Merged<'_>, method: &str, kind: BodyKind, found: &mut Vec<Diagnostic>) -> BodyPlan {
    let bodiless = ["GET", "HEAD", "DELETE"].contains(&method);
    if kind == BodyKind::None {
        return if bodiless { BodyPlan::Query } else { BodyPlan::None };
    }
    let connector_body = merged.connector_body();
    if let Some(entry) = merged.get("body") {
        let body = compile_template(merged, &entry, found);
        check_form(&entry, &body, kind, found);
        return BodyPlan::Given(body);
    }
    let Some(entry) = connector_body else {
        return if bodiless { BodyPlan::Query } else { overlay_body(Vec::new(), kind, "/data/body_kind", found) };
    };
    let body = compile_template(merged, &entry, found);
    if body.has_places() {
        check_form(&entry, &body, kind, found);
        return BodyPlan::Given(body);
    }
    match body {
        Template::Object(fields) => overlay_body(fields, kind, &entry.pointer, found),
        Template::Constant(_) | Template::Text(_) | Template::List(_) => {
            if kind != BodyKind::Raw {
                let message = "inputs can be merged only into an object; any other body needs a placeholder such as \
                               `{{ input }}`";
                found.push(Diagnostic::new_error(codes::BAD_BODY, &entry.pointer, message));
            }
            BodyPlan::Given(body)
        }
    }
}

fn overlay_body(
    fields: Vec<(String, Template)>,
    kind: BodyKind,
    pointer: &str,
    found: &mut Vec<Diagnostic>,
) -> BodyPlan {
    if kind == BodyKind::Raw {
        let message = "a raw body needs a `body` that is a string, such as `{{ input.text }}`";
        found.push(Diagnostic::new_error(codes::BAD_BODY, pointer, message));
    }
    BodyPlan::Overlay(fields)
}

/// Checks that the body of a form or of multipart is an object, and a raw body a string.
fn check_form(entry: &Entry<'_>, body: &Template, kind: BodyKind, found: &mut Vec<Diagnostic>) {
    let fits = match (kind, body) {
        (BodyKind::Json | BodyKind::None, _) => true,
        (BodyKind::Form | BodyKind::Multipart, Template::Object(_) | Template::Text(_)) => true,
        (BodyKind::Raw, Template::Text(_)) => true,
        (BodyKind::Form | BodyKind::Multipart, Template::Constant(_) | Template::List(_)) => false,
        (BodyKind::Raw, Template::Constant(_) | Template::List(_) | Template::Object(_)) => false,
    };
    if !fits {
        let wanted = match kind {
            BodyKind::Form => "a form body must be an object",
            BodyKind::Multipart => "a multipart body must be an object",
            BodyKind::Raw | BodyKind::Json | BodyKind::None => "a raw body must be a string",
        };
        found.push(Diagnostic::new_error(codes::BAD_BODY, &entry.pointer, wanted));
    }
}

/// Reports duplicate names, ways of sending that do not fit the body, and placeholders that name no input.
fn check_inputs(merged: &Merged<'_>, kind: BodyKind, found: &mut Vec<Diagnostic>) {
    let inputs: Vec<&str> = merged.node.input.iter().map(|input| input.name.as_str()).collect();
    let outputs: Vec<&str> = merged.node.output.iter().map(|output| output.name.as_str()).collect();
    for (list, names) in [("input", &inputs), ("output", &outputs)] {
        for (index, name) in names.iter().enumerate().filter(|(index, name)| names[..*index].contains(name)) {
            let pointer = format!("/{list}/{index}/name");
            let counts = if list == "input" { "first" } else { "last" };
            let message = format!("duplicate {list} `{name}`: the {counts} one is used");
            found.push(Diagnostic::new_warning(codes::DUPLICATE_NAME, pointer, message));
        }
    }
    for (index, input) in merged.node.input.iter().enumerate() {
        if SentAs::of_input(input) == Some(SentAs::Multipart) && !matches!(kind, BodyKind::Multipart | BodyKind::Raw) {
            let message = "`as` `multipart` needs a body that consists of files";
            let help = "set `data.body_kind` to `multipart`, or to `raw` if the file is the whole body";
            let fault = Diagnostic::new_error(codes::BAD_BODY, format!("/input/{index}/as"), message);
            found.push(fault.with_help(help));
        }
    }
    if inputs.is_empty() {
        return;
    }
    let mut entries: Vec<Entry<'_>> = ["path", "body"].iter().filter_map(|key| merged.get(key)).collect();
    entries.extend(merged.header_templates().into_iter().chain(merged.query_templates()).map(|(_, entry)| entry));
    for entry in entries.iter().filter(|entry| entry.is_from_node()) {
        let compiled = compile_template(merged, entry, &mut Vec::new());
        for name in compiled.places().into_iter().filter_map(|place| place.input_name()) {
            if !inputs.contains(&name) {
                let fault = Diagnostic::new_error(
                    codes::UNKNOWN_INPUT,
                    &entry.pointer,
                    format!("the node has no input `{name}`"),
                );
                found.push(match nearest_name(name, inputs.iter().copied()) {
                    Some(near) => fault.with_help(did_you_mean(near)),
                    None => fault.with_help(format!("its inputs are {}", list_all(&inputs))),
                });
            }
        }
    }
}

fn secrets_of(
    path: Option<&Text>,
    query: &[(String, Template)],
    headers: &[(String, Text)],
    body: &BodyPlan,
    rule: Option<&Rule>,
) -> BTreeSet<String> {
    let submit_headers = rule.into_iter().flat_map(|rule| &rule.submit_headers).filter_map(|(_, text)| text.as_ref());
    let texts = path.into_iter().chain(headers.iter().map(|(_, text)| text)).chain(submit_headers);
    let mut secrets: BTreeSet<String> = texts.flat_map(Text::secret_names).map(str::to_owned).collect();
    let fields = match body {
        BodyPlan::None | BodyPlan::Query => &[][..],
        BodyPlan::Given(template) => {
            template.each_text(&mut |text| secrets.extend(text.secret_names().map(str::to_owned)));
            &[]
        }
        BodyPlan::Overlay(fields) => fields,
    };
    for (_, template) in query.iter().chain(fields) {
        template.each_text(&mut |text| secrets.extend(text.secret_names().map(str::to_owned)));
    }
    secrets
}

fn placed_inputs(path: Option<&Text>, query: &[(String, Template)], headers: &[(String, Text)]) -> Vec<String> {
    let in_texts = path.into_iter().chain(headers.iter().map(|(_, text)| text)).flat_map(Text::places);
    let in_query = query.iter().flat_map(|(_, template)| template.places());
    in_texts.chain(in_query).filter_map(|place| place.input_name().map(str::to_owned)).collect()
}
