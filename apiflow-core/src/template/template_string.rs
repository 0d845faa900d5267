//! Template strings: literal text, secret references and placeholders.

use std::collections::BTreeMap;

use crate::json::JsonPath;
use crate::ports::own_secret;

/// A parsed template string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) parts: Vec<Part>,
}

/// A part of a template string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Literal text, which is copied unchanged.
    Literal(String),
    /// `$NAME`, or the reference to a user's own secret ([`own_secret`]).
    Secret(String),
    /// `{{ root.path }}`.
    Place(Placeholder),
}

/// A placeholder and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placeholder {
    pub(crate) root: Root,
    pub(crate) path: JsonPath,
}

/// The root of a placeholder's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// The inputs of the call.
    Input,
    /// The reply being read.
    Reply,
    /// The file being uploaded.
    File,
    /// The value that an output's mapping finds.
    Item,
    /// Fields of the job, such as its id.
    Job,
    /// Fields of the step, such as its id and the number of the attempt.
    Step,
}

impl Root {
    pub(crate) const ALL: [Self; 6] = [Self::Input, Self::Reply, Self::Job, Self::Step, Self::File, Self::Item];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Reply => "reply",
            Self::File => "file",
            Self::Item => "item",
            Self::Job => "job",
            Self::Step => "step",
        }
    }
}

/// A fault of a template string and its position: the column counts from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextFault {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Placeholder {
    /// Returns the name of the input that the placeholder refers to; `None` for other roots, and for `{{ input }}`,
    /// which is all inputs.
    pub(crate) fn input_name(&self) -> Option<&str> {
        (self.root == Root::Input).then(|| self.path.first_key()).flatten()
    }

    /// Returns the placeholder as it was written.
    pub(crate) fn source(&self) -> &str {
        self.path.source()
    }
}

impl Text {
    /// Parses a template string. A `$` that is not followed by a name is literal.
    pub(crate) fn parse(source: &str) -> Result<Self, TextFault> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['$', '{']) {
            literal.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("{{") {
                let fault = |message: String, help| syntax_fault(source, rest, message, help);
                let (inner, after) =
                    after.split_once("}}").ok_or_else(|| fault("`{{` without `}}`".to_owned(), None))?;
                let place = parse_place(inner).map_err(|(message, help)| fault(message, help))?;
                flush_literal(&mut literal, &mut parts);
                parts.push(Part::Place(place));
                rest = after;
            } else if let Some(after) = rest.strip_prefix("$$") {
                literal.push('$');
                rest = after;
            } else if let Some(name) = secret_name(&rest[1..]).filter(|_| rest.starts_with('$')) {
                flush_literal(&mut literal, &mut parts);
                parts.push(Part::Secret(name.to_owned()));
                rest = &rest[1 + name.len()..];
            } else {
                literal.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
        literal.push_str(rest);
        flush_literal(&mut literal, &mut parts);
        Ok(Self { parts })
    }

    pub(crate) fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Secret(name) => Some(name.as_str()),
            Part::Literal(_) | Part::Place(_) => None,
        })
    }

    /// Converts references to the names in `owners` to references to their owners' own secrets.
    pub(crate) fn refer_to_own(&mut self, owners: &BTreeMap<String, String>) {
        for part in &mut self.parts {
            if let Part::Secret(name) = part
                && let Some(owner) = owners.get(name)
            {
                *name = own_secret(owner, name);
            }
        }
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Place(place) => Some(place),
            Part::Literal(_) | Part::Secret(_) => None,
        })
    }

    /// Returns the text, if it contains neither secrets nor placeholders.
    pub(crate) fn literal_text(&self) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Secret(_) | Part::Place(_) => return None,
            }
        }
        Some(text)
    }
}

fn flush_literal(literal: &mut String, parts: &mut Vec<Part>) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal)));
    }
}

/// Returns the name at the start of the text: a letter or `_`, then letters, digits and `_`, all ASCII.
fn secret_name(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let name = &text[..end];
    name.starts_with(|c: char| !c.is_ascii_digit()).then_some(name)
}

fn parse_place(inner: &str) -> Result<Placeholder, (String, Option<String>)> {
    let inner = inner.trim();
    let written = format!("{{{{ {inner} }}}}");
    let path = JsonPath::parse(inner).map_err(|fault| {
        let help = "a placeholder is a path such as `{{ input.prompt }}`; logic belongs in a workflow's transforms";
        (format!("`{written}` is not a path: {fault}"), Some(help.to_owned()))
    })?;
    let first = path.first_key().unwrap_or_default().to_owned();
    let Some(root) = Root::ALL.into_iter().find(|root| root.name() == first) else {
        let help =
            format!("a placeholder begins with input, reply, job or step: did you mean `{{{{ input.{inner} }}}}`?");
        return Err((format!("`{written}` does not begin with a known name"), Some(help)));
    };
    let known: &[&str] = match root {
        Root::Job => &["id"],
        Root::Step => &["id", "attempt"],
        Root::Input | Root::Reply | Root::File | Root::Item => {
            return Ok(Placeholder { root, path: path.without_first() });
        }
    };
    let path = path.without_first();
    if path.len() == 1 && path.first_key().is_some_and(|key| known.contains(&key)) {
        return Ok(Placeholder { root, path });
    }
    let names: Vec<String> = known.iter().map(|key| format!("`{{{{ {first}.{key} }}}}`")).collect();
    Err((format!("there is no `{written}`"), Some(format!("the known names are {}", names.join(" and ")))))
}

fn syntax_fault(source: &str, rest: &str, message: String, help: Option<String>) -> TextFault {
    let before = &source[..source.len() - rest.len()];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    TextFault { message, help, line: number(line), column: number(column) }
}

#[cfg(test)]
mod tests {
    use super::{Part, Text};

    fn check(source: &str, expected: &[&str]) {
        let shown: Vec<String> = match Text::parse(source) {
            Ok(text) => text
                .parts
                .iter()
                .map(|part| match part {
                    Part::Literal(literal) => format!("'{literal}'"),
                    Part::Secret(name) => format!("secret {name}"),
                    Part::Place(place) => format!("{} {}", place.root.name(), place.path.source()),
                })
                .collect(),
            Err(fault) => vec![format!("{}:{} {}", fault.line, fault.column, fault.message)],
        };
        assert_eq!(shown, expected, "{source}");
    }

    #[test]
    fn template_strings_fall_into_parts() {
        check("", &[]);
        check("plain", &["'plain'"]);
        check("Bearer $REPLICATE_API_TOKEN", &["'Bearer '", "secret REPLICATE_API_TOKEN"]);
        check("$A$B-$c_1.", &["secret A", "secret B", "'-'", "secret c_1", "'.'"]);
        check("$$A costs $5 or $ {x} ${X}", &["'$A costs $5 or $ {x} ${X}'"]);
        check("$$$A", &["'$'", "secret A"]);
        check("{{ input }}", &["input input"]);
        check("a/{{input.voice-id}}/b", &["'a/'", "input input.voice-id", "'/b'"]);
        check("{{ reply.urls.get }}{{ step.attempt }}", &["reply reply.urls.get", "step step.attempt"]);
        check("ünï {{ job.id }} é$A", &["'ünï '", "job job.id", "' é'", "secret A"]);
    }

    #[test]
    fn faults_of_a_template_name_the_place() {
        check("a\nb {{ input.x", &["2:3 `{{` without `}}`"]);
        check("{{ prompt }}", &["1:1 `{{ prompt }}` does not begin with a known name"]);
        check("é{{ input.a + 1 }}", &["1:2 `{{ input.a + 1 }}` is not a path: unexpected ` ` in the name `a + 1`"]);
        check("{{ step.name }}", &["1:1 there is no `{{ step.name }}`"]);
        check("{{ job }}", &["1:1 there is no `{{ job }}`"]);
        check("{{}}", &["1:1 `{{  }}` is not a path: expected a name"]);
    }
}
