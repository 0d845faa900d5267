//! Finds what an expression refers to in its syntax tree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use oxc_ast::ast::{
    BindingIdentifier, CallExpression, ChainElement, ComputedMemberExpression, Expression, IdentifierReference,
    ObjectProperty, Program, StaticMemberExpression,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan as _, Span as Bytes};

use super::builtin_properties::is_natural;
use super::expression_reader::Reader;
use super::line_index::Lines;
use super::plain_path::{PlacedPath, Segment};
use crate::diagnostic::Span;

/// What an expression refers to. Empty for a source with a syntax error, which [`super::check_syntax`] reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Names that the expression uses but does not declare, with each use.
    pub names: BTreeMap<String, Vec<NameUse>>,
    /// Each use of a step's result, in order.
    pub results: Vec<Reference>,
    /// Each use of a workflow's input, in order; `iter` in a loop is one of them.
    pub flow_input: Vec<Reference>,
    /// Whether `results` is used other than with a literal step id.
    pub dynamic_results: bool,
    /// Whether `flow_input` is used other than with a literal key.
    pub dynamic_flow_input: bool,
}

/// One use of a step's result or of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The step's id or the input's name.
    pub key: String,
    /// The literal keys after it, up to the first one that is computed or inherited (`length`, `map`).
    pub path: Vec<Segment>,
    /// Position of the name before the key.
    pub span: Span,
    /// Byte ranges of the key and of the keys in `path`, including the quotes of keys in brackets.
    pub written: Vec<Range<usize>>,
}

/// One use of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameUse {
    /// Position of the name.
    pub span: Span,
    /// Byte range of the name in the source.
    pub written: Range<usize>,
    /// Whether the use is `{name}`, key and value in one.
    pub shorthand: bool,
}

/// Finds what a source refers to.
pub fn find_references(source: &str) -> References {
    Reader::default().read(source, false).map(|reading| reading.references).unwrap_or_default()
}

/// Returns what a plain path refers to.
pub(super) fn of_path(source: &str, path: &PlacedPath) -> References {
    let mut finder = Finder::new(source, 0);
    let keys = path.path.segments.iter().map(|(segment, _)| segment.clone()).zip(path.written.iter().cloned());
    finder.note_use(&path.path.root, keys.collect(), path.root.clone());
    finder.into_references()
}

/// Returns what a program refers to; the user's source begins at the byte `start` of the parsed one.
pub(super) fn of_program(source: &str, start: usize, program: &Program<'_>) -> References {
    let mut finder = Finder::new(source, start);
    finder.visit_program(program);
    finder.into_references()
}

struct Finder<'s> {
    /// Byte offset of the user's source in the parsed one.
    start: usize,
    lines: Lines<'s>,
    found: References,
    /// Names that the expression declares itself.
    declared: BTreeSet<String>,
    /// Whether the next member access is called, so that its last key is a method's name.
    method: bool,
    /// Whether the next name is also a key.
    shorthand: bool,
}

/// A chain of member accesses down to its root.
struct Chain<'n, 'a> {
    root: &'n Expression<'a>,
    /// The literal keys after the root and their byte ranges, outermost first.
    segments: Vec<(Segment, Bytes)>,
    /// Whether the key after the root is computed.
    dynamic: bool,
    /// The computed keys, outermost first.
    computed: Vec<&'n Expression<'a>>,
}

impl<'n, 'a> Chain<'n, 'a> {
    fn from_expression(object: &'n Expression<'a>, key: Key<'n, 'a>) -> Self {
        let mut chain = Self { root: object, segments: Vec::new(), dynamic: false, computed: Vec::new() };
        chain.push(key);
        while let Some((object, key)) = own_property(chain.root) {
            chain.root = object;
            chain.push(key);
        }
        chain
    }

    fn push(&mut self, key: Key<'n, 'a>) {
        match key {
            Key::Literal(segment, written) => {
                self.dynamic = false;
                self.segments.push((segment, written));
            }
            Key::Computed(expression) => {
                // The value of a computed key is unknown.
                self.segments.clear();
                self.dynamic = true;
                self.computed.push(expression);
            }
        }
    }
}

enum Key<'n, 'a> {
    Literal(Segment, Bytes),
    Computed(&'n Expression<'a>),
}

impl<'n, 'a> Key<'n, 'a> {
    fn from_name(name: &str, written: Bytes) -> Self {
        Self::Literal(Segment::Key(name.to_owned()), written)
    }

    fn from_expression(expression: &'n Expression<'a>) -> Self {
        if let Expression::StringLiteral(text) = expression {
            return Self::from_name(text.value.as_str(), text.span);
        }
        if let Expression::NumericLiteral(number) = expression
            && let Some(index) = to_index(number.value)
        {
            return Self::Literal(Segment::Index(index), expression.span());
        }
        Self::Computed(expression)
    }
}

/// Returns a number as an index, if it is one.
fn to_index(number: f64) -> Option<u32> {
    // Not through its decimal digits: formatting floats is a large part of the page's WebAssembly.
    (number.fract() == 0.0 && (0.0..f64::from(u32::MAX)).contains(&number)).then_some(number as u32)
}

/// Splits one member access.
fn own_property<'n, 'a>(expression: &'n Expression<'a>) -> Option<(&'n Expression<'a>, Key<'n, 'a>)> {
    if let Expression::StaticMemberExpression(access) = expression {
        return Some((&access.object, Key::from_name(access.property.name.as_str(), access.property.span)));
    }
    if let Expression::ComputedMemberExpression(access) = expression {
        return Some((&access.object, Key::from_expression(&access.expression)));
    }
    let Expression::ChainExpression(chain) = expression else { return None };
    if let ChainElement::StaticMemberExpression(access) = &chain.expression {
        return Some((&access.object, Key::from_name(access.property.name.as_str(), access.property.span)));
    }
    let ChainElement::ComputedMemberExpression(access) = &chain.expression else { return None };
    Some((&access.object, Key::from_expression(&access.expression)))
}

impl<'s> Finder<'s> {
    fn new(source: &'s str, start: usize) -> Self {
        let (found, declared) = (References::default(), BTreeSet::new());
        Self { start, lines: Lines::from_source(source), found, declared, method: false, shorthand: false }
    }

    /// Converts byte offsets in the parsed source to those in the user's.
    fn to_user_bytes(&self, bytes: Bytes) -> Range<usize> {
        (bytes.start as usize).saturating_sub(self.start)..(bytes.end as usize).saturating_sub(self.start)
    }

    fn take_chain(&mut self, chain: Chain<'_, '_>) {
        let method = std::mem::take(&mut self.method);
        for expression in &chain.computed {
            self.visit_expression(expression);
        }
        let Expression::Identifier(root) = chain.root else { return self.visit_expression(chain.root) };
        let mut keys: Vec<(Segment, Range<usize>)> =
            chain.segments.into_iter().rev().map(|(segment, written)| (segment, self.to_user_bytes(written))).collect();
        if method && chain.computed.is_empty() && keys.len() > 1 {
            keys.pop();
        }
        if chain.dynamic {
            keys.clear();
        }
        self.note_use(root.name.as_str(), keys, self.to_user_bytes(root.span));
    }

    /// Records a name and the literal keys after it, with their byte ranges in the user's source.
    fn note_use(&mut self, root: &str, keys: Vec<(Segment, Range<usize>)>, written: Range<usize>) {
        let span = self.lines.span_of_byte(written.start);
        self.note_name(root, span, written);
        let mut keys = keys.into_iter();
        let key = keys.next().map(|(first, written)| (first.text(), written));
        let natural = |segment: &Segment| matches!(segment, Segment::Key(key) if is_natural(key));
        let (path, rest): (Vec<_>, Vec<_>) = keys.take_while(|(segment, _)| !natural(segment)).unzip();
        let reference = key.filter(|(key, _)| !is_natural(key)).map(|(key, written)| {
            let written = std::iter::once(written).chain(rest).collect();
            Reference { key, path, span, written }
        });
        match (root, reference) {
            ("results", Some(reference)) => self.found.results.push(reference),
            ("flow_input", Some(reference)) => self.found.flow_input.push(reference),
            (_, _) => self.note_whole_use(root),
        }
    }

    fn note_name(&mut self, name: &str, span: Span, written: Range<usize>) {
        let used = NameUse { span, written, shorthand: self.shorthand };
        match self.found.names.get_mut(name) {
            // In the order of the source, in which nearly all are found.
            Some(uses) => uses.insert(uses.partition_point(|other| other.written.start <= used.written.start), used),
            None => drop(self.found.names.insert(name.to_owned(), vec![used])),
        }
    }

    /// Records a name that is used as a whole.
    fn note_whole_use(&mut self, name: &str) {
        self.found.dynamic_results |= name == "results";
        self.found.dynamic_flow_input |= name == "flow_input";
    }

    fn into_references(mut self) -> References {
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
        self.found.names.retain(|name, _| !self.declared.contains(name));
        self.found
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_static_member_expression(&mut self, access: &StaticMemberExpression<'a>) {
        self.take_chain(Chain::from_expression(
            &access.object,
            Key::from_name(access.property.name.as_str(), access.property.span),
        ));
    }

    fn visit_computed_member_expression(&mut self, access: &ComputedMemberExpression<'a>) {
        self.take_chain(Chain::from_expression(&access.object, Key::from_expression(&access.expression)));
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        self.method = own_property(&call.callee).is_some();
        walk::walk_call_expression(self, call);
    }

    fn visit_identifier_reference(&mut self, identifier: &IdentifierReference<'a>) {
        let written = self.to_user_bytes(identifier.span);
        self.note_name(identifier.name.as_str(), self.lines.span_of_byte(written.start), written);
        self.note_whole_use(identifier.name.as_str());
    }

    fn visit_object_property(&mut self, property: &ObjectProperty<'a>) {
        let around = std::mem::replace(&mut self.shorthand, property.shorthand);
        walk::walk_object_property(self, property);
        self.shorthand = around;
    }

    fn visit_binding_identifier(&mut self, identifier: &BindingIdentifier<'a>) {
        self.declared.insert(identifier.name.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::{Reference, find_references};
    use crate::expression::Segment;

    /// Formats references as `key/path@line:column`.
    fn written(references: &[Reference]) -> String {
        let one = |reference: &Reference| {
            let path = reference.path.iter().fold(reference.key.clone(), |text, segment| match segment {
                Segment::Key(key) => format!("{text}/{key}"),
                Segment::Index(number) => format!("{text}/#{number}"),
            });
            format!("{path}@{}:{}", reference.span.line, reference.span.column)
        };
        references.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn check(source: &str, results: &str, inputs: &str, dynamic: (bool, bool)) {
        let found = find_references(source);
        assert_eq!(written(&found.results), results, "results of {source}");
        assert_eq!(written(&found.flow_input), inputs, "inputs of {source}");
        assert_eq!((found.dynamic_results, found.dynamic_flow_input), dynamic, "dynamic uses of {source}");
    }

    #[test]
    fn a_use_is_followed_as_far_as_it_is_literal() {
        check("results.a.output[0].url", "a/output/#0/url@1:1", "", (false, false));
        check("results?.a?.b + results[\"c d\"]['e']", "a/b@1:1 c d/e@1:17", "", (false, false));
        check("1 +\n  results.a.list.map(n => n * results.b.k)", "a/list@2:3 b/k@2:31", "", (false, false));
        check("results.a.url.split('/')[0].length", "a/url@1:1", "", (false, false));
        check("results.a.name.fn()", "a/name@1:1", "", (false, false));
        check("results.a[flow_input.i.j].c", "a@1:1", "i/j@1:11", (false, false));
        check("`${flow_input.iter.value.x}`", "", "iter/value/x@1:4", (false, false));
        check("return {x: flow_input['k']}", "", "k@1:12", (false, false));
        check("(results.a).b", "a/b@1:2", "", (false, false));
    }

    #[test]
    fn another_use_is_dynamic() {
        check("results", "", "", (true, false));
        check("Object.keys(flow_input)", "", "", (false, true));
        check("results[flow_input.k]", "", "k@1:9", (true, false));
        check("results.toString()", "", "", (true, false));
        check("const {a} = results; return a + flow_input.b", "", "b@1:33", (true, false));
        check("[1].map(results => results.x)", "", "", (true, false));
        check("{a: {results: 1}.results.x}", "", "", (false, false));
        check("{results}", "", "", (true, false));
    }

    #[test]
    fn names_are_those_that_are_not_declared() {
        let names = |source: &str| find_references(source).names.into_keys().collect::<Vec<_>>().join(" ");
        assert_eq!(names("const n = result; return [n].map(x => x + error.message)"), "error result");
        assert_eq!(names("previous_result.a ?? resume"), "previous_result resume");
        assert_eq!(names("all_iters.length > 3"), "all_iters");
        assert_eq!(names("does not parse"), "");
    }

    #[test]
    fn keys_and_names_have_their_bytes() {
        let keys = |source: &str| -> Vec<String> {
            let found = find_references(source);
            let all = found.results.into_iter().chain(found.flow_input).flat_map(|reference| reference.written);
            all.map(|bytes| source[bytes].to_owned()).collect()
        };
        assert_eq!(keys("results.a['b c'][0].length"), ["a", "'b c'", "0"]);
        assert_eq!(keys("é + results?.a?.['b']"), ["a", "'b'"]);
        assert_eq!(keys("`${flow_input[\"k\"].v}`"), ["\"k\"", "v"]);
        let source = "{resume, x: errr.y, z: errr}";
        let names = find_references(source).names;
        let all = |name: &str| {
            names[name].iter().map(|one| (&source[one.written.clone()], one.shorthand)).collect::<Vec<_>>()
        };
        assert_eq!(all("errr"), [("errr", false), ("errr", false)]);
        assert_eq!(all("resume"), [("resume", true)]);
    }
}
