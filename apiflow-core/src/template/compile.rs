//! Compiled JSON values whose strings are templates.

use std::collections::BTreeMap;

use serde_json::Value;

use super::template_string::{Part, Placeholder, Root, Text};
use crate::diagnostic::{Diagnostic, Span, codes};
use crate::json::pointer_push;

/// A compiled JSON template. Keys of objects are not templates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Template {
    /// A value without strings, used as it is.
    Constant(Value),
    /// A compiled string, which may contain placeholders.
    Text(Text),
    /// An array of templates.
    List(Vec<Template>),
    /// An object whose values are templates, in order; its keys are literal.
    Object(Vec<(String, Template)>),
}

/// Compiles the templates of one declaration and collects the findings.
pub(crate) struct TemplateCompiler<'a> {
    /// The roots that placeholders may have here.
    pub(crate) roots: &'a [Root],
    /// The findings so far.
    pub(crate) diagnostics: &'a mut Vec<Diagnostic>,
}

impl TemplateCompiler<'_> {
    /// Compiles a value; an invalid string becomes an empty one.
    pub(crate) fn compile_value(&mut self, value: &Value, pointer: &str) -> Template {
        match value {
            Value::String(source) => Template::Text(self.compile_text(source, pointer)),
            Value::Array(items) => Template::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.compile_value(item, &pointer_push(pointer, &index.to_string())))
                    .collect(),
            ),
            Value::Object(fields) => Template::Object(
                fields
                    .iter()
                    .map(|(key, item)| (key.clone(), self.compile_value(item, &pointer_push(pointer, key))))
                    .collect(),
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => Template::Constant(value.clone()),
        }
    }

    /// Compiles a string; an invalid one becomes an empty one.
    pub(crate) fn compile_text(&mut self, source: &str, pointer: &str) -> Text {
        let text = match Text::parse(source) {
            Ok(text) => text,
            Err(fault) => {
                let mut found = Diagnostic::new_error(codes::TEMPLATE_SYNTAX, pointer, fault.message)
                    .with_span(Span { line: fault.line, column: fault.column });
                found.help = fault.help;
                self.diagnostics.push(found);
                return Text { parts: Vec::new() };
            }
        };
        for place in text.places() {
            if !self.roots.contains(&place.root) {
                let allowed: Vec<&str> = self.roots.iter().map(|root| root.name()).collect();
                let message = format!("`{}` is not available here", place.root.name());
                let help = format!("placeholders here begin with {}", allowed.join(", "));
                self.diagnostics.push(Diagnostic::new_error(codes::TEMPLATE_SCOPE, pointer, message).with_help(help));
            }
        }
        text
    }
}

impl Template {
    /// Calls `visit` with every string.
    pub(crate) fn each_text<'a>(&'a self, visit: &mut impl FnMut(&'a Text)) {
        match self {
            Self::Constant(_) => {}
            Self::Text(text) => visit(text),
            Self::List(items) => items.iter().for_each(|item| item.each_text(visit)),
            Self::Object(fields) => fields.iter().for_each(|(_, item)| item.each_text(visit)),
        }
    }

    /// Converts references to the names in `owners` to references to their owners' own secrets.
    pub(crate) fn refer_to_own(&mut self, owners: &BTreeMap<String, String>) {
        match self {
            Self::Constant(_) => {}
            Self::Text(text) => text.refer_to_own(owners),
            Self::List(items) => items.iter_mut().for_each(|item| item.refer_to_own(owners)),
            Self::Object(fields) => fields.iter_mut().for_each(|(_, item)| item.refer_to_own(owners)),
        }
    }

    /// Returns whether the template contains a placeholder.
    pub(crate) fn has_places(&self) -> bool {
        let mut found = false;
        self.each_text(&mut |text| found |= text.places().next().is_some());
        found
    }

    /// Returns whether the template contains a secret reference.
    pub(crate) fn has_secrets(&self) -> bool {
        let mut found = false;
        self.each_text(&mut |text| found |= text.secret_names().next().is_some());
        found
    }

    /// Returns the placeholders of the template.
    pub(crate) fn places(&self) -> Vec<&Placeholder> {
        let mut found = Vec::new();
        self.each_text(&mut |text| {
            found.extend(text.parts.iter().filter_map(|part| match part {
                Part::Place(place) => Some(place),
                Part::Literal(_) | Part::Secret(_) => None,
            }));
        });
        found
    }
}
