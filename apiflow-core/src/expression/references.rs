//! What an expression refers to, by its syntax tree.

use std::collections::BTreeSet;

use oxc_ast::ast::{
    BindingIdentifier, CallExpression, ChainElement, ComputedMemberExpression, Expression, IdentifierReference,
    StaticMemberExpression,
};
use oxc_ast_visit::{Visit, walk};

use super::lines::Lines;
use super::natural::is_natural;
use super::parse::parsed;
use super::path::{PlainPath, Segment, index, path_of};
use super::scan::scanned;
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
    let Ok(tokens) = scanned(source) else { return References::default() };
    let finder = Finder {
        start: 0,
        lines: Lines::of(source),
        found: References::default(),
        declared: BTreeSet::new(),
        method: false,
    };
    if let Some(path) = path_of(&tokens) {
        return finder.path(path, tokens[0].start);
    }
    parsed(source, &tokens, false, |program, start| {
        if program.panicked {
            return References::default();
        }
        let mut finder = Finder { start, ..finder };
        finder.visit_program(&program.program);
        finder.finish()
    })
}

struct Finder<'s> {
    /// The byte of the parsed text that the user's begins at.
    start: usize,
    lines: Lines<'s>,
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
        let mut keys: Vec<Segment> = chain.segments.into_iter().rev().collect();
        if method && chain.computed.is_empty() && keys.len() > 1 {
            keys.pop();
        }
        if chain.dynamic {
            keys.clear();
        }
        self.used(root.name.as_str(), keys, (root.span.start as usize).saturating_sub(self.start));
    }

    /// A name and the literal keys after it, used at a byte of the user's text.
    fn used(&mut self, root: &str, keys: Vec<Segment>, byte: usize) {
        self.found.names.insert(root.to_owned());
        let mut keys = keys.into_iter();
        let key = keys.next().map(|first| match first {
            Segment::Key(key) => key,
            Segment::Index(number) => number.to_string(),
        });
        let natural = |segment: &Segment| matches!(segment, Segment::Key(key) if is_natural(key));
        let path: Vec<Segment> = keys.take_while(|segment| !natural(segment)).collect();
        let reference = key.filter(|key| !is_natural(key)).map(|key| {
            let span = self.lines.span(byte);
            Reference { key, path, span }
        });
        match (root, reference) {
            ("results", Some(reference)) => self.found.results.push(reference),
            ("flow_input", Some(reference)) => self.found.flow_input.push(reference),
            (_, _) => self.whole(root),
        }
    }

    /// What a plain path refers to.
    fn path(mut self, path: PlainPath, byte: usize) -> References {
        self.used(&path.root, path.segments.into_iter().map(|(segment, _)| segment).collect(), byte);
        self.finish()
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

#[cfg(test)]
mod tests {
    use super::{Reference, references};
    use crate::expression::Segment;

    /// References in one way of writing: `key/path@line:column`.
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
        let found = references(source);
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
        let names = |source: &str| references(source).names.into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(names("const n = result; return [n].map(x => x + error.message)"), "error result");
        assert_eq!(names("previous_result.a ?? resume"), "previous_result resume");
        assert_eq!(names("all_iters.length > 3"), "all_iters");
        assert_eq!(names("does not parse"), "");
    }
}
