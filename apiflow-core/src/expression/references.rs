//! What an expression refers to, by its syntax tree.

use std::collections::BTreeSet;

use oxc_ast::ast::{
    BindingIdentifier, CallExpression, ChainElement, ComputedMemberExpression, Expression, IdentifierReference,
    StaticMemberExpression,
};
use oxc_ast_visit::{Visit, walk};

use super::natural::is_natural;
use super::parse::{offset, parsed};
use super::path::{Segment, index};
use super::scan::scan;
use super::span_at;
use crate::diagnostic::Span;

/// What an expression refers to. Empty for a text that does not parse: [`super::check`] says why it does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// The names used that the expression does not declare itself.
    pub names: BTreeSet<String>,
    /// Each use of a step's result, in order.
    pub results: Vec<Reference>,
    /// Each use of a workflow's input, in order; `iter` in a loop is one.
    pub flow_input: Vec<Reference>,
    /// Whether `results` is used in another way than by a literal step id.
    pub dynamic_results: bool,
    /// Whether `flow_input` is used in another way than by a literal key.
    pub dynamic_flow_input: bool,
}

/// One use of a step's result or of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The step's id or the input's key.
    pub key: String,
    /// The literal keys after it, up to the first that is computed or that every value has (`length`, `map`).
    pub path: Vec<Segment>,
    /// Where the name before the key begins.
    pub span: Span,
}

/// Finds what the text refers to.
pub fn references(source: &str) -> References {
    if scan(source).is_err() {
        return References::default();
    }
    parsed(source, false, |program| {
        if program.panicked {
            return References::default();
        }
        let mut finder = Finder { source, found: References::default(), declared: BTreeSet::new(), method: false };
        finder.visit_program(&program.program);
        finder.finish()
    })
}

struct Finder<'s> {
    source: &'s str,
    found: References,
    /// Names that the expression declares itself.
    declared: BTreeSet<String>,
    /// Whether the member access that comes next is called: its last key is a method's name.
    method: bool,
}

/// A chain of member accesses down to what it begins with.
struct Chain<'n, 'a> {
    root: &'n Expression<'a>,
    /// The literal keys next to the root, outermost first.
    segments: Vec<Segment>,
    /// Whether the key next to the root is computed.
    dynamic: bool,
    /// The computed keys, outermost first.
    computed: Vec<&'n Expression<'a>>,
}

impl<'n, 'a> Chain<'n, 'a> {
    fn of(object: &'n Expression<'a>, key: Key<'n, 'a>) -> Self {
        let mut chain = Self { root: object, segments: Vec::new(), dynamic: false, computed: Vec::new() };
        chain.push(key);
        while let Some((object, key)) = member(chain.root) {
            chain.root = object;
            chain.push(key);
        }
        chain
    }

    fn push(&mut self, key: Key<'n, 'a>) {
        match key {
            Key::Literal(segment) => {
                self.dynamic = false;
                self.segments.push(segment);
            }
            Key::Computed(expression) => {
                // What stands behind a computed key is not known.
                self.segments.clear();
                self.dynamic = true;
                self.computed.push(expression);
            }
        }
    }
}

enum Key<'n, 'a> {
    Literal(Segment),
    Computed(&'n Expression<'a>),
}

impl<'n, 'a> Key<'n, 'a> {
    fn named(name: &str) -> Self {
        Self::Literal(Segment::Key(name.to_owned()))
    }

    fn of(expression: &'n Expression<'a>) -> Self {
        if let Expression::StringLiteral(text) = expression {
            return Self::named(text.value.as_str());
        }
        if let Expression::NumericLiteral(number) = expression
            && let Some(number) = index(&number.value.to_string())
        {
            return Self::Literal(Segment::Index(number));
        }
        Self::Computed(expression)
    }
}

/// Takes one member access apart.
fn member<'n, 'a>(expression: &'n Expression<'a>) -> Option<(&'n Expression<'a>, Key<'n, 'a>)> {
    if let Expression::StaticMemberExpression(access) = expression {
        return Some((&access.object, Key::named(access.property.name.as_str())));
    }
    if let Expression::ComputedMemberExpression(access) = expression {
        return Some((&access.object, Key::of(&access.expression)));
    }
    let Expression::ChainExpression(chain) = expression else { return None };
    if let ChainElement::StaticMemberExpression(access) = &chain.expression {
        return Some((&access.object, Key::named(access.property.name.as_str())));
    }
    let ChainElement::ComputedMemberExpression(access) = &chain.expression else { return None };
    Some((&access.object, Key::of(&access.expression)))
}

impl Finder<'_> {
    fn take(&mut self, chain: Chain<'_, '_>) {
        let method = std::mem::take(&mut self.method);
        for expression in &chain.computed {
            self.visit_expression(expression);
        }
        let Expression::Identifier(root) = chain.root else { return self.visit_expression(chain.root) };
        let mut keys = chain.segments.into_iter().rev().peekable();
        let known = !chain.dynamic && keys.peek().is_some();
        let key = keys.next().map(|first| match first {
            Segment::Key(key) => key,
            Segment::Index(number) => number.to_string(),
        });
        let mut path: Vec<Segment> = keys.collect();
        if method && chain.computed.is_empty() {
            path.pop();
        }
        let natural = |segment: &Segment| matches!(segment, Segment::Key(key) if is_natural(key));
        path.truncate(path.iter().position(natural).unwrap_or(path.len()));
        self.found.names.insert(root.name.to_string());
        let reference = key.filter(|key| known && !is_natural(key)).map(|key| {
            let span = span_at(self.source, offset(self.source, false, root.span.start));
            Reference { key, path, span }
        });
        match (root.name.as_str(), reference) {
            ("results", Some(reference)) => self.found.results.push(reference),
            ("flow_input", Some(reference)) => self.found.flow_input.push(reference),
            (_, _) => self.whole(root.name.as_str()),
        }
    }

    /// A name used as a whole.
    fn whole(&mut self, name: &str) {
        self.found.dynamic_results |= name == "results";
        self.found.dynamic_flow_input |= name == "flow_input";
    }

    fn finish(mut self) -> References {
        if self.declared.contains("results") {
            self.found.dynamic_results = true;
            self.found.results.clear();
        }
        if self.declared.contains("flow_input") {
            self.found.dynamic_flow_input = true;
            self.found.flow_input.clear();
        }
        let by_place = |reference: &Reference| (reference.span.line, reference.span.column);
        self.found.results.sort_by_key(by_place);
        self.found.flow_input.sort_by_key(by_place);
        self.found.names.retain(|name| !self.declared.contains(name));
        self.found
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_static_member_expression(&mut self, access: &StaticMemberExpression<'a>) {
        self.take(Chain::of(&access.object, Key::named(access.property.name.as_str())));
    }

    fn visit_computed_member_expression(&mut self, access: &ComputedMemberExpression<'a>) {
        self.take(Chain::of(&access.object, Key::of(&access.expression)));
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        self.method = member(&call.callee).is_some();
        walk::walk_call_expression(self, call);
    }

    fn visit_identifier_reference(&mut self, identifier: &IdentifierReference<'a>) {
        self.found.names.insert(identifier.name.to_string());
        self.whole(identifier.name.as_str());
    }

    fn visit_binding_identifier(&mut self, identifier: &BindingIdentifier<'a>) {
        self.declared.insert(identifier.name.to_string());
    }
}
