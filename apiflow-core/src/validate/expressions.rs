//! Checks an expression: its syntax, and that what it refers to exists.
//!
//! The only check that uses [`crate::expression`], besides the fixes.

use std::collections::BTreeSet;
use std::ops::Range;

use super::checker::Checker;
use super::expression_fixes;
use super::expression_scope::Site;
use super::result_shape::{Absent, Shape};
use super::visibility::{Visibility, visibility_of};
use crate::catalog::ValueType;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::fixes;
use crate::diagnostic::{codes, suggest};
use crate::expression::{NameUse, Reading, Reference, Segment, plain_path};
use crate::openflow::Place;

/// An expression and its location.
#[derive(Clone, Copy)]
struct Expression<'e> {
    source: &'e str,
    place: &'e Place<'e>,
    site: Site,
    /// The module that it belongs to.
    step: Option<usize>,
}

/// A reference in an expression.
#[derive(Clone, Copy)]
struct Use<'e> {
    here: &'e Expression<'e>,
    /// `results` or `flow_input`.
    root: &'static str,
    reference: &'e Reference,
    /// All references of the expression with this root.
    all: &'e [Reference],
}

impl<'a> Checker<'a> {
    /// Checks an expression; returns the shape of its value if it is a plain path.
    pub(super) fn check_expression(
        &mut self,
        source: &str,
        place: &Place<'_>,
        site: Site,
        step: Option<usize>,
    ) -> Shape<'a> {
        self.complete_at_cursor(place, site, step);
        if source.trim().is_empty() {
            self.check_not_empty(place, site);
            return Shape::Any;
        }
        let here = Expression { source, place, site, step };
        match self.reader.read(source, site.is_predicate()) {
            Ok(reading) => self.check_references(&here, &reading),
            Err(fault) => {
                let mut found = Diagnostic::new_error(codes::EXPRESSION_SYNTAX, place.pointer(), fault.message);
                found.span = fault.span;
                self.push(without_braces(found, source));
                Shape::Any
            }
        }
    }

    fn check_not_empty(&mut self, place: &Place<'_>, site: Site) {
        let (mut pointer, message) = (place.pointer(), site.when_empty());
        // A missing expression has no location of its own.
        if self.document.pointer(&pointer).is_none() {
            pointer.truncate(pointer.rfind('/').unwrap_or_default());
        }
        self.push(match site {
            Site::Iterator => Diagnostic::new_error(codes::EMPTY_EXPRESSION, pointer, message),
            Site::Transform
            | Site::Failure
            | Site::Predicate
            | Site::Stop
            | Site::StopAll
            | Site::RetryIf
            | Site::Sleep
            | Site::SkipWorkflow => Diagnostic::new_warning(codes::EMPTY_EXPRESSION, pointer, message),
        });
    }

    fn check_references(&mut self, here: &Expression<'_>, reading: &Reading) -> Shape<'a> {
        let dashed = self.find_dashed_ids(here, &reading.references.results);
        for (name, uses) in &reading.references.names {
            let inside = |used: &NameUse| dashed.iter().any(|(range, _)| range.contains(&used.written.start));
            if !uses.iter().all(inside) {
                self.check_name(name, uses, here);
            }
        }
        let mut given = Shape::Any;
        let all = &reading.references.flow_input;
        for reference in once_each(all) {
            given = self.flow_input(&Use { here, root: "flow_input", reference, all });
        }
        let all = &reading.references.results;
        for (range, id) in dashed {
            self.warn_subtraction(range, id, here);
        }
        for reference in once_each(all).filter(|_| here.site.knows_name("results")) {
            given = self.step_result(&Use { here, root: "results", reference, all });
        }
        match &reading.path {
            Some(path) if path.segments.is_empty() => self.shape_of_name(&path.root, here.site, here.step),
            Some(path) => {
                let references = &reading.references;
                let literal = references.results.first().or(references.flow_input.first());
                let followed = literal.map_or(0, |reference| 1 + reference.path.len());
                builtin_property_shape(given, &path.segments[followed.min(path.segments.len())..])
            }
            None => Shape::Any,
        }
    }

    fn check_name(&mut self, name: &str, uses: &[NameUse], here: &Expression<'_>) {
        let Some(first) = uses.first() else { return };
        let site = here.site;
        if name == "variable" || name == "resource" {
            let message = format!("`{name}()` exists only in Windmill");
            let found = Diagnostic::new_error(codes::UNSUPPORTED_VARIABLE, here.place.pointer(), message);
            return self.push(found.with_help(super::constants::USE_SECRETS).with_span(first.span));
        }
        if site.knows_name(name) {
            return self.check_approval_names(name, first, here);
        }
        let message = format!("`{name}` is not defined here");
        let found = Diagnostic::new_warning(codes::UNKNOWN_NAME, here.place.pointer(), message).with_span(first.span);
        let meant = match suggest::nearest_name(name, site.all_names()) {
            Some(near) => Some(near.to_owned()),
            None if site.knows_name("results") && self.steps.find_step(name).is_some() => {
                Some(member_access("results", name))
            }
            None if self.flow_inputs.as_ref().is_some_and(|inputs| inputs.contains(name)) => {
                Some(member_access("flow_input", name))
            }
            None => None,
        };
        self.push(match meant {
            Some(meant) if self.only_counts() => found.with_help(suggest::did_you_mean(&meant)),
            Some(meant) => {
                let text = expression_fixes::with_name(here.source, uses, &meant);
                expression_fixes::fix_with_text(found.with_help(suggest::did_you_mean(&meant)), &meant, text)
            }
            None => found.with_help(format!(
                "available names are {} and JavaScript's built-ins",
                suggest::list_names(site.all_names())
            )),
        });
    }

    /// Reports names that only have a value after an approval.
    fn check_approval_names(&mut self, name: &str, used: &NameUse, here: &Expression<'_>) {
        if self.gated || self.in_failure || !["resume", "resumes", "approvers"].contains(&name) {
            return;
        }
        let nothing = if name == "resume" { "null" } else { "empty" };
        let message = format!("`{name}` is always {nothing} here: the previous step does not wait for an approval");
        let found = Diagnostic::new_warning(codes::NO_APPROVAL, here.place.pointer(), message).with_span(used.span);
        self.push(found.with_help("add a `suspend` with `required_events` to the previous step"));
    }

    fn flow_input(&mut self, used: &Use<'_>) -> Shape<'a> {
        let (key, path) = (used.reference.key.as_str(), used.reference.path.as_slice());
        if self.items.is_empty() || iter_depth(key).is_none() {
            let known = self.flow_inputs.as_ref();
            if known.is_none_or(|known| known.contains(key)) {
                let property = self.schema.and_then(|schema| schema.get("properties")?.get(key));
                return self.check_path(&property.map_or(Shape::Any, Shape::Schema), path, used);
            }
            self.unknown_flow_input(used);
            return Shape::Any;
        }
        let item = self.items.iter().rev().nth(iter_depth(key).unwrap_or_default()).cloned();
        match path {
            [Segment::Key(index)] if index == "index" => Shape::Type(ValueType::Integer),
            [Segment::Key(value), rest @ ..] if value == "value" => {
                self.check_path(&item.unwrap_or(Shape::Any), rest, used)
            }
            _ => Shape::Any,
        }
    }

    fn unknown_flow_input(&mut self, used: &Use<'_>) {
        let key = used.reference.key.as_str();
        let message = format!("the workflow's schema has no input `{key}`");
        let found = Diagnostic::new_warning(codes::UNKNOWN_FLOW_INPUT, used.here.place.pointer(), message);
        let found = found.with_span(used.reference.span);
        let known = || self.flow_inputs.iter().flatten().copied();
        let found = match suggest::nearest_name(key, known()) {
            _ if iter_depth(key).is_some() => found.with_help("`flow_input.iter` is available only inside loops"),
            Some(near) => self.renamed_key(found, used, 0, near),
            None if known().next().is_none() => found.with_help("the schema has no inputs"),
            None => found.with_help(format!("the schema has {}", suggest::list_names(known()))),
        };
        self.push(found);
    }

    fn step_result(&mut self, used: &Use<'_>) -> Shape<'a> {
        let key = used.reference.key.as_str();
        let Some(target) = self.steps.find_step(key) else {
            self.unknown_step(used);
            return Shape::Any;
        };
        let Some(step) = used.here.step else { return Shape::Any };
        let (code, why) = match visibility_of(&self.steps, step, used.here.site.result_time(), target) {
            Visibility::Visible => return self.check_output(used, target),
            Visibility::Later(why) => (codes::LATER_STEP, why),
            Visibility::Never(why) => (codes::INVISIBLE_STEP, why),
        };
        let message = format!("the result of step `{key}` is always null here: {why}");
        self.push(Diagnostic::new_error(code, used.here.place.pointer(), message).with_span(used.reference.span));
        Shape::Any
    }

    fn unknown_step(&mut self, used: &Use<'_>) {
        let Use { here, reference, .. } = used;
        let key = reference.key.as_str();
        let message = format!("there is no step `{key}`");
        let found = Diagnostic::new_error(codes::UNKNOWN_STEP, here.place.pointer(), message).with_span(reference.span);
        // `results.my-step` is a subtraction, and reported as one.
        if reference.written.first().is_some_and(|written| self.dashed_id(&here.source[written.start..]).is_some()) {
            return;
        }
        self.push(match suggest::nearest_name(key, self.steps.step_ids()) {
            Some(near) => self.renamed_key(found, used, 0, near),
            None => match self.sub_flows.with_step(key) {
                Some(path) => found.with_help(format!(
                    "`{path}` has a step with this id, but only the result of its last step is visible to the caller"
                )),
                None => found.with_help(format!("the steps are {}", suggest::list_names(self.steps.step_ids()))),
            },
        });
    }

    fn warn_subtraction(&mut self, range: Range<usize>, id: &str, here: &Expression<'_>) {
        let message = format!("`{id}` cannot follow a dot: JavaScript reads its `-` as minus");
        let found = Diagnostic::new_error(codes::UNKNOWN_STEP, here.place.pointer(), message);
        let found = found.with_span(crate::expression::span_of_byte(here.source, range.start));
        let text = expression_fixes::with_key(here.source, &[range], id);
        self.push(expression_fixes::fix_with_text(
            found.with_help(format!("write `{}`", member_access("results", id))),
            id,
            text,
        ));
    }

    /// Finds ids with dashes that are written after a dot, with their byte ranges.
    fn find_dashed_ids<'t>(&self, here: &Expression<'t>, results: &[Reference]) -> Vec<(Range<usize>, &'t str)> {
        let unknown =
            results.iter().filter(|one| here.site.knows_name("results") && self.steps.find_step(&one.key).is_none());
        let found = unknown.filter_map(|one| {
            let start = one.written.first()?.start;
            let id = self.dashed_id(&here.source[start..])?;
            Some((start..start + id.len(), id))
        });
        found.collect()
    }

    /// Returns the id with dashes at the start of a string, if a step has it.
    fn dashed_id<'t>(&self, text: &'t str) -> Option<&'t str> {
        let end = text.find(|character: char| !(character.is_ascii_alphanumeric() || matches!(character, '_' | '-')));
        let mut id = &text[..end.unwrap_or(text.len())];
        while id.contains('-') {
            if self.steps.find_step(id).is_some() {
                return Some(id);
            }
            id = &id[..id.rfind('-')?];
        }
        None
    }

    /// Checks that the keys after a step's id exist in its result; returns the shape of the value.
    fn check_output(&mut self, used: &Use<'_>, target: usize) -> Shape<'a> {
        let module = self.steps.all[target].module;
        let path = used.reference.path.as_slice();
        // The result of a step that failed without ending the run is an error object.
        let fails = path.first().is_some_and(|first| first.text() == "error");
        let unfinished =
            used.here.step == Some(target) && used.here.site == Site::Stop && module.value.nesting().collects_results();
        if fails || unfinished {
            return Shape::Any;
        }
        let result = self.result_of_step(target);
        let found = self.check_path(&result, path, used);
        if module.continue_on_error { Shape::Any } else { found }
    }

    /// Follows the last part of a reference's path from a value; reports a key that does not exist.
    fn check_path(&mut self, from: &Shape<'a>, path: &[Segment], used: &Use<'_>) -> Shape<'a> {
        match from.follow_path(path) {
            Ok(shape) => shape,
            Err(mut absent) => {
                absent.at += used.reference.path.len() - path.len();
                self.report_absent(&absent, used);
                Shape::Any
            }
        }
    }

    fn report_absent(&mut self, absent: &Absent<'a>, used: &Use<'_>) {
        let Use { here, root, reference, .. } = used;
        let key = reference.path[absent.at].text();
        let before = &reference.path[..absent.at];
        let holder = before.iter().fold(member_access(root, &reference.key), |text, segment| match segment {
            Segment::Key(key) => member_access(&text, key),
            Segment::Index(index) => format!("{text}[{index}]"),
        });
        let of_step = *root == "results";
        let message = match (&absent.owner, before) {
            (None, []) if of_step => format!("step `{}` has no output `{key}`", reference.key),
            (None, _) => format!("`{holder}` has no `{key}`"),
            (Some(owner), _) => format!("`{holder}` is {owner}, without `{key}`"),
        };
        let pointer = here.place.pointer();
        let found = if of_step {
            Diagnostic::new_error(codes::UNKNOWN_OUTPUT, pointer, message)
        } else {
            Diagnostic::new_warning(codes::UNKNOWN_FLOW_INPUT, pointer, message)
        };
        let found = found.with_span(reference.span);
        self.push(match absent.nearest_key(&key) {
            Some(near) => self.renamed_key(found, used, absent.at + 1, near),
            None if absent.list => found
                .with_help(format!("select an element by its index, such as `{holder}[0]`, or iterate over the list")),
            None if absent.known.is_empty() => found,
            None => found.with_help(format!("it has {}", suggest::list_names(absent.known.iter().copied()))),
        });
    }

    /// Adds the fix that renames a key in every reference that means the same value.
    fn renamed_key(&self, found: Diagnostic, used: &Use<'_>, at: usize, right: &str) -> Diagnostic {
        let found = found.with_help(suggest::did_you_mean(right));
        if self.only_counts() {
            return found;
        }
        let (key, before) = (&used.reference.key, used.reference.path.get(..at));
        let same = |other: &&Reference| other.key == *key && (at == 0 || other.path.get(..at) == before);
        let keys: Vec<_> = used.all.iter().filter(same).filter_map(|other| other.written.get(at).cloned()).collect();
        expression_fixes::fix_with_text(found, right, expression_fixes::with_key(used.here.source, &keys, right))
    }

    /// Returns the shape of the value of a name.
    pub(super) fn shape_of_name(&mut self, name: &str, site: Site, step: Option<usize>) -> Shape<'a> {
        let before = match (name, site) {
            ("previous_result", Site::Transform) | ("previous_result" | "result", Site::Predicate | Site::Iterator) => {
                step.and_then(|step| self.steps.step_before(step))
            }
            (_, _) => None,
        };
        match before {
            Some(before) if !self.steps.all[before].module.continue_on_error => self.result_of_step(before),
            Some(_) | None => Shape::Any,
        }
    }
}

/// Returns the first of each group of equal references.
fn once_each(references: &[Reference]) -> impl Iterator<Item = &Reference> {
    let mut seen = BTreeSet::new();
    references.iter().filter(move |reference| seen.insert((&reference.key, &reference.path)))
}

/// Returns the shape of a value after its inherited properties have been applied.
fn builtin_property_shape<'a>(shape: Shape<'a>, rest: &[(Segment, bool)]) -> Shape<'a> {
    match rest {
        [] => shape,
        [(Segment::Key(key), _)] if key == "length" => match shape.value_type() {
            Some(ValueType::Array | ValueType::String) => Shape::Type(ValueType::Integer),
            Some(_) | None => Shape::Any,
        },
        [_, ..] => Shape::Any,
    }
}

/// Adds the fix of a path that is written as in a template: `{{ flow_input.x }}`, `${flow_input.x}`.
fn without_braces(found: Diagnostic, source: &str) -> Diagnostic {
    let text = source.trim();
    let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let inner = inner.or_else(|| text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))).map(str::trim);
    match inner.filter(|inner| plain_path(inner).is_some()) {
        Some(path) => {
            let help = format!("an expression is plain JavaScript, without braces around it: write `{path}`");
            fixes::with_replacement(found.with_help(help), path.into())
        }
        None => found,
    }
}

/// Formats a member access.
pub(super) fn member_access(of: &str, key: &str) -> String {
    if expression_fixes::is_identifier(key) {
        format!("{of}.{key}")
    } else {
        format!("{of}[{}]", serde_json::Value::from(key))
    }
}

/// Returns how many loops further out the loop of an `iter` is; `None` for another name.
pub(super) fn iter_depth(key: &str) -> Option<usize> {
    let rest = key.strip_prefix("iter")?;
    let parents = rest.split("_parent");
    let depth = parents.clone().count() - 1;
    parents.into_iter().all(str::is_empty).then_some(depth)
}
