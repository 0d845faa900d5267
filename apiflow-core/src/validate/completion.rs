//! Completes expressions: the names in scope at a cursor, the steps whose results are visible, and the parts of values.
//!
//! The checker walks to the expression, so that what is offered is what the checks accept.

use serde::Serialize;
use serde_json::Value;

use super::checker::{Checker, Surroundings};
use super::expression_scope::Site;
use super::expressions::{iter_depth, member_access};
use super::result_shape::Shape;
use super::sub_flows::SubFlows;
use super::visibility::{Visibility, visibility_of};
use crate::catalog::{Catalog, ValueType};
use crate::expression::{PlainPath, Segment, plain_path};
use crate::openflow::{Findings, Place, parse_leniently};

/// What can be written at a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Completions {
    /// The number of UTF-16 code units before the cursor that a completion replaces.
    pub replaced: usize,
    /// The completions, the nearest steps first.
    pub options: Vec<Completion>,
}

/// One completion of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completion {
    /// The name that is offered: a step's id, an output, a name in scope.
    pub label: String,
    /// The text that replaces what is before the cursor.
    pub insert: String,
    /// `name`, `step`, `input` or `member`.
    pub kind: &'static str,
    /// The type of the value, as in declarations; empty if unknown.
    pub r#type: &'static str,
    /// What the value is; may be empty.
    pub description: String,
}

/// An expression that is being completed.
#[derive(Debug)]
pub(super) struct ExpressionAtCursor {
    /// JSON Pointer of the expression in the document.
    pointer: String,
    /// The expression's text before the cursor.
    before: String,
    found: Completions,
}

/// Completes the expression at a JSON Pointer of a workflow; `before` is its text before the cursor. Returns no
/// completions if there is no expression at the pointer.
pub fn complete_expression(document: &Value, catalog: &Catalog, pointer: &str, before: &str) -> Completions {
    let reading = parse_leniently(document);
    let Some(flow) = &reading.flow else { return Completions::default() };
    let sub_flows = SubFlows::read_reachable(flow, catalog);
    let around = Surroundings { catalog, sub_flows: &sub_flows, faults: None };
    let mut findings = Findings::default();
    let mut checker = Checker::new(document, flow, around, &reading.broken, &mut findings);
    let (pointer, before) = (pointer.to_owned(), before.to_owned());
    checker.completing = Some(ExpressionAtCursor { pointer, before, found: Completions::default() });
    checker.check_flow(flow);
    checker.completing.map(|completed| completed.found).unwrap_or_default()
}

impl Checker<'_> {
    /// Completes the expression at a place, if it is the one that is being completed.
    pub(super) fn complete_at_cursor(&mut self, place: &Place<'_>, site: Site, step: Option<usize>) {
        let Some(mut cursor) = self.completing.take() else { return };
        if place.pointer() == cursor.pointer {
            let written = Written::before_cursor(&cursor.before);
            cursor.found = Completions {
                replaced: written.replaced().encode_utf16().count(),
                options: match &written.parent {
                    Some(parent) => {
                        let link = if written.link.starts_with('?') { "?." } else { "" };
                        let members = self.members_of(parent, site, step);
                        members.into_iter().map(|member| member.into_completion(link)).collect()
                    }
                    None if written.link.is_empty() => self.names_in_scope(site, step),
                    None => Vec::new(),
                },
            };
        }
        self.completing = Some(cursor);
    }

    /// Lists the names in scope, and what is in `results` and `flow_input` with its whole path.
    fn names_in_scope(&mut self, site: Site, step: Option<usize>) -> Vec<Completion> {
        let root = |name: &str| PlainPath { root: name.to_owned(), segments: Vec::new() };
        let mut found = Vec::new();
        for name in ["results", "flow_input"].into_iter().filter(|name| site.knows_name(name)) {
            let members = self.members_of(&root(name), site, step);
            found.extend(members.into_iter().map(|member| member.into_path(name)));
        }
        let names = site.all_names().map(|name| Completion {
            label: name.to_owned(),
            insert: name.to_owned(),
            kind: "name",
            r#type: type_word(&self.shape_of_name(name, site, step)),
            description: describe_name(name).to_owned(),
        });
        found.extend(names);
        found
    }

    fn members_of(&mut self, path: &PlainPath, site: Site, step: Option<usize>) -> Vec<Member> {
        let segments: Vec<Segment> = path.segments.iter().map(|(segment, _)| segment.clone()).collect();
        match (path.root.as_str(), segments.as_slice()) {
            ("results", []) => self.visible_steps(site, step),
            ("results", [id, rest @ ..]) => {
                let step = self.steps.find_step(&id.text());
                let shape = step.map_or(Shape::Any, |step| self.result_of_step(step));
                members_at(&shape, rest)
            }
            ("flow_input", []) => self.inputs(),
            ("flow_input", [name, rest @ ..]) => match (iter_depth(&name.text()), rest) {
                (Some(depth), rest) if depth < self.items.len() => self.members_of_item(depth, rest),
                _ => {
                    let property = self.schema.and_then(|schema| schema.get("properties")?.get(name.text()));
                    members_at(&property.map_or(Shape::Any, Shape::Schema), rest)
                }
            },
            (name, rest) => members_at(&self.shape_of_name(name, site, step), rest),
        }
    }

    fn visible_steps(&mut self, site: Site, step: Option<usize>) -> Vec<Member> {
        let Some(step) = step else { return Vec::new() };
        let others = (0..self.steps.all.len()).rev();
        let visible = others.filter(|&other| {
            let is_first = self.steps.find_step(&self.steps.all[other].module.id) == Some(other);
            is_first && visibility_of(&self.steps, step, site.result_time(), other) == Visibility::Visible
        });
        let visible: Vec<usize> = visible.collect();
        let describe = |other: usize| {
            let module = self.steps.all[other].module;
            (module.id.clone(), module.summary.clone().unwrap_or_default())
        };
        let described: Vec<_> = visible.iter().map(|&other| describe(other)).collect();
        let members = visible.into_iter().zip(described).map(|(other, (label, description))| Member {
            label,
            kind: "step",
            r#type: type_word(&self.result_of_step(other)),
            description,
        });
        members.collect()
    }

    fn inputs(&self) -> Vec<Member> {
        let loops = (0..self.items.len()).map(|depth| Member {
            label: format!("iter{}", "_parent".repeat(depth)),
            kind: "input",
            r#type: "object",
            description: "the item of the loop and its index".to_owned(),
        });
        let inputs = self.schema.map(Shape::Schema).map(|schema| members_at(&schema, &[])).unwrap_or_default();
        loops.chain(inputs.into_iter().map(|member| Member { kind: "input", ..member })).collect()
    }

    fn members_of_item(&self, depth: usize, path: &[Segment]) -> Vec<Member> {
        let item = self.items.iter().rev().nth(depth).cloned().unwrap_or(Shape::Any);
        match path {
            [] => vec![
                Member::new("value", &item, "the current item of the loop"),
                Member::new("index", &Shape::Type(ValueType::Integer), "the number of the item, from 0"),
            ],
            [Segment::Key(value), rest @ ..] if value == "value" => members_at(&item, rest),
            [..] => Vec::new(),
        }
    }
}

/// A part of a value.
struct Member {
    label: String,
    kind: &'static str,
    r#type: &'static str,
    description: String,
}

impl Member {
    fn new(label: &str, shape: &Shape<'_>, description: &str) -> Self {
        Self { label: label.to_owned(), kind: "member", r#type: type_word(shape), description: description.to_owned() }
    }

    /// Returns the completion that follows a value; `optional` is `?.` if the access is.
    fn into_completion(self, optional: &str) -> Completion {
        let access = if self.label == "0" { "[0]".to_owned() } else { member_access("", &self.label) };
        let insert = match access.strip_prefix('.') {
            Some(name) if !optional.is_empty() => format!("{optional}{name}"),
            Some(_) | None => format!("{}{access}", if access.starts_with('.') { "" } else { optional }),
        };
        self.with_insert(insert)
    }

    /// Returns the completion with its whole path, which begins with `root`.
    fn into_path(mut self, root: &str) -> Completion {
        self.label = member_access(root, &self.label);
        let insert = self.label.clone();
        self.with_insert(insert)
    }

    fn with_insert(self, insert: String) -> Completion {
        Completion { label: self.label, insert, kind: self.kind, r#type: self.r#type, description: self.description }
    }
}

fn members_at(shape: &Shape<'_>, path: &[Segment]) -> Vec<Member> {
    let members = shape.follow_path(path).map(|found| found.named_members()).unwrap_or_default();
    members.iter().map(|(name, shape, description)| Member::new(name, shape, description)).collect()
}

fn type_word(shape: &Shape<'_>) -> &'static str {
    shape.value_type().map_or("", ValueType::word)
}

/// What is written before the cursor: a value, a dot or a bracket, and the start of a name.
struct Written<'t> {
    parent: Option<PlainPath>,
    link: &'t str,
    word: &'t str,
    text: &'t str,
}

impl<'t> Written<'t> {
    fn before_cursor(before: &'t str) -> Self {
        let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$' | '-');
        let without_word = before.trim_end_matches(is_part);
        let links = ["?.[\"", "[\"", "?.", "."];
        let link = links.iter().find(|link| without_word.ends_with(**link)).map_or("", |link| *link);
        let (holder, _) = without_word.split_at(without_word.len() - link.len());
        // Only keys have dashes; elsewhere they are minus signs.
        let start = if link.is_empty() { before.rfind('-').map_or(0, |at| at + 1) } else { 0 };
        let start = start.max(without_word.len());
        let parent = if link.is_empty() { None } else { plain_path(path_at_end(holder)) };
        let link_start = if link.is_empty() { start } else { holder.len() };
        Self { parent, link, word: &before[start..], text: &before[link_start..] }
    }

    /// Returns the text that a completion replaces.
    fn replaced(&self) -> &'t str {
        if self.link.is_empty() { self.word } else { self.text }
    }
}

/// Returns the longest text at the end that may be a plain path.
fn path_at_end(text: &str) -> &str {
    let mut start = text.len();
    loop {
        let rest = &text[..start];
        let before = if rest.ends_with(']') {
            let Some(open) = rest.rfind('[') else { return &text[start..] };
            open
        } else {
            let name =
                rest.trim_end_matches(|character: char| character.is_alphanumeric() || matches!(character, '_' | '$'));
            if name.len() == start {
                return &text[start..];
            }
            let access = name.strip_suffix("?.").or_else(|| name.strip_suffix('.'));
            match access {
                Some(access) => access.len(),
                None => return &text[name.len()..],
            }
        };
        start = text[..before].strip_suffix("?.").map_or(before, str::len);
    }
}

/// Describes a name that is in scope.
fn describe_name(name: &str) -> &'static str {
    match name {
        "results" => "the results of other steps, by their ids",
        "flow_input" => "the inputs of the workflow",
        "previous_result" => "the result of the previous step",
        "result" => "the result of this step, or of the previous one before it ran",
        "resume" => "the payload of the last approval",
        "resumes" => "the payloads of all approvals",
        "approvers" => "the users who approved",
        "error" => "the error, after a failure",
        "all_iters" => "the results of the iterations so far",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Labels of what is offered at the end of `before` in an expression, after the text that it replaces.
    fn check(pointer: &str, before: &str, expected: &str) {
        let document = json!({
            "schema": {"type": "object", "properties": {"photos": {"type": "array", "items": {"type": "object",
                "properties": {"url": {"type": "string"}}}}}},
            "value": {"modules": [
                {"id": "hat", "value": {"type": "script", "path": "node/hat", "input_transforms": {}}},
                {"id": "each", "value": {"type": "forloopflow", "modules": [
                    {"id": "inner", "value": {"type": "script", "path": "node/hat", "input_transforms":
                        {"x": {"type": "javascript", "expr": ""}}}},
                ], "iterator": {"type": "javascript", "expr": "flow_input.photos"}}},
                {"id": "my-last", "value": {"type": "identity"}, "stop_after_if": {"expr": ""}},
            ]},
        });
        let catalog = json!({"nodes": {"hat": {"id": "hat", "name": "Hat", "connector_id": "c",
            "output": [{"name": "image", "type": "image"}, {"name": "a b", "type": "string", "pick": "all"}]}}});
        let catalog = Catalog::from_json(&catalog).expect("it is a catalog");
        let found = complete_expression(&document, &catalog, pointer, before);
        let options: Vec<String> = found.options.iter().map(|one| format!("{}:{}", one.insert, one.r#type)).collect();
        assert_eq!(format!("{}|{}", found.replaced, options.join(" ")), expected, "{before}");
    }

    #[test]
    fn offers_what_the_checks_accept() {
        let inner = "/value/modules/1/value/modules/0/value/input_transforms/x/expr";
        // The loop runs one iteration after another, so that a step sees its own earlier result.
        check(inner, "results.", "1|.inner:object .hat:object");
        check(inner, "results?.h", "3|?.inner:object ?.hat:object");
        check(inner, "f(results.hat.im", "3|.image:image [\"a b\"]:array");
        check(inner, "results.hat?.", "2|?.image:image ?.[\"a b\"]:array");
        check(inner, "results.hat[\"", "2|.image:image [\"a b\"]:array");
        check(inner, "results.hat[\"a b\"].", "1|.length:integer [0]:string");
        check(
            inner,
            "`${results.hat.image.u",
            "2|.artifact:string .url:string .mime:string .size_bytes:integer \
            .sha256:string .name:string .width:integer .height:integer .duration_s:number",
        );
        check(inner, "flow_input.", "1|.iter:object .photos:array");
        check(inner, "flow_input.iter.", "1|.value:object .index:integer");
        check(inner, "flow_input.iter.value.", "1|.url:string");
        check(inner, "flow_input.photos[0].", "1|.url:string");
        check(inner, "nothing.", "1|");
        check(inner, "results.none.", "1|");
        check(inner, "\"text\".", "1|");
        let last = "/value/modules/2/stop_after_if/expr";
        check(last, "results.", "1|[\"my-last\"]: .inner:object .each:array .hat:object");
        check(last, "results.each[0].", "1|.image:image [\"a b\"]:array");
        check(
            last,
            "é + res",
            "3|results[\"my-last\"]: results.inner:object results.each:array results.hat:object flow_input.photos:array \
            flow_input: flow_env: results: result: previous_result: all_iters:",
        );
        check("/value/modules/0/nowhere", "results.", "0|");
    }
}
