//! Finds the values that an evaluation needs.

use std::collections::BTreeSet;

use super::CONTEXT_NAMES;
use super::plain_path::{Segment, read_segment};
use super::token::{Kind, Token, split_tokens};

/// The values that an evaluation can read: a superset of those that it does read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Every word that could name a value, including local names.
    pub names: BTreeSet<String>,
    /// The steps whose results the expression can read.
    pub results: WantedResults,
}

/// The steps whose results an expression can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedResults {
    /// Only these steps; one without a result is null.
    Some(BTreeSet<String>),
    /// Any step: the whole object or a computed key is used.
    All,
}

/// Finds what an evaluation can read, based on the tokens alone.
pub fn find_free_variables(source: &str) -> Wanted {
    let everything = || CONTEXT_NAMES.iter().map(|&name| name.to_owned()).collect();
    let Ok(tokens) = split_tokens(source) else {
        return Wanted { names: everything(), results: WantedResults::All };
    };
    let mut names = BTreeSet::new();
    let mut steps = Some(BTreeSet::new());
    for (position, token) in tokens.iter().enumerate() {
        if token.kind != Kind::Word || is_property(&tokens[..position]) {
            continue;
        }
        if matches!(token.text, "this" | "globalThis" | "eval") {
            return Wanted { names: everything(), results: WantedResults::All };
        }
        names.insert(token.text.to_owned());
        if token.text == "results" {
            match read_segment(&tokens[position + 1..]) {
                Some((Segment::Key(step), ..)) => steps.as_mut().map(|steps| steps.insert(step)),
                Some((Segment::Index(number), ..)) => steps.as_mut().map(|steps| steps.insert(number.to_string())),
                None => {
                    steps = None;
                    None
                }
            };
        }
    }
    Wanted { names, results: steps.map_or(WantedResults::All, WantedResults::Some) }
}

/// Returns whether a word after these tokens is the name of a property.
fn is_property(before: &[Token<'_>]) -> bool {
    before.last().is_some_and(Token::is_dot)
}

#[cfg(test)]
mod tests {
    use super::{WantedResults, find_free_variables};

    fn check(source: &str, names: &str, results: Option<&str>) {
        let found = find_free_variables(source);
        assert_eq!(found.names.into_iter().collect::<Vec<_>>().join(" "), names, "names of {source}");
        let steps = match found.results {
            WantedResults::All => None,
            WantedResults::Some(steps) => Some(steps.into_iter().collect::<Vec<_>>().join(" ")),
        };
        assert_eq!(steps.as_deref(), results, "results of {source}");
    }

    #[test]
    fn literal_steps_are_told_apart() {
        check("results.b.x + results['a'] + results?.c", "results", Some("a b c"));
        check("[1].map(n => n * results.k.v)", "n results", Some("k"));
        check("`${results.a}` + flow_input.results", "flow_input results", Some("a"));
        check("'results.a'", "", Some(""));
        check("error", "error", Some(""));
    }

    #[test]
    fn whatever_may_read_more_wants_all() {
        const ALL: &str = "WM_SCHEDULED_FOR all_iters approvers error flow_env flow_input flow_job_id params \
            previous_result result results resume resumes started_at";
        check("Object.keys(results)", "Object results", None);
        check("results[flow_input.x]", "flow_input results", None);
        check("results['\\x61']", "results", None);
        check("const {a} = results; return a", "a const results return", None);
        check("this['res' + 'ults']", ALL, None);
        check("globalThis.results", ALL, None);
        check("(", ALL, None);
    }
}
