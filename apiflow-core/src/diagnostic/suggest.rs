//! "Did you mean": finds the name nearest to a misspelled one.
//!
//! Documents may contain any number of wrong names and of candidates, so the work of one check is bounded. Beyond the
//! bound, findings are reported without suggestions.

use std::cell::Cell;

/// Maximum length of a name that is compared: longer ones are not typed by hand.
const MAX_NAME_CHARS: usize = 64;

/// Maximum number of candidates for one name.
const MAX_CANDIDATES: usize = 2_000;

/// Maximum work that one check spends on suggestions: names looked at plus cells of edit distances.
const MAX_WORK: usize = 4_000_000;

thread_local! {
    /// The work that the check on this thread may still spend; `None` outside of a check.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Runs one check, whose suggestions share one budget.
pub(crate) fn within_budget<T>(check: impl FnOnce() -> T) -> T {
    struct Before(Option<usize>);
    impl Drop for Before {
        fn drop(&mut self) {
            LEFT.set(self.0);
        }
    }
    let _before = Before(LEFT.replace(Some(MAX_WORK)));
    check()
}

/// Subtracts work from the budget; returns whether enough was left.
fn spend_budget(work: usize) -> bool {
    let Some(left) = LEFT.get() else { return true };
    LEFT.set(Some(left.saturating_sub(work)));
    left >= work
}

/// Returns the candidate nearest to `name`, if it is near enough to be a typo: at most a third of the name's length,
/// and at most 3, in edits (insert, delete, replace, swap neighbours). The first one of equally near candidates wins.
pub fn nearest_name<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    find_nearest(name, &mut candidates.into_iter())
}

/// Compiled once, not for each kind of iterator: the page's WebAssembly is small.
fn find_nearest<'c>(name: &str, candidates: &mut dyn Iterator<Item = &'c str>) -> Option<&'c str> {
    let name: Vec<char> = lowercase_chars(name);
    if name.is_empty() || name.len() > MAX_NAME_CHARS {
        return None;
    }
    // Another letter is no typo if the name has only one.
    let allowed = if name.len() == 1 { 0 } else { (name.len() / 3).clamp(1, 3) };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.take(MAX_CANDIDATES) {
        let limit = best.map_or(allowed + 1, |(distance, _)| distance);
        if !spend_budget(1 + candidate.len().min(MAX_NAME_CHARS)) {
            return None;
        }
        let other = lowercase_chars(candidate);
        if other.len() > MAX_NAME_CHARS || name.len().abs_diff(other.len()) >= limit {
            continue;
        }
        if !spend_budget(name.len() * other.len()) {
            return None;
        }
        let distance = edit_distance(&name, &other);
        if distance < limit {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Formats the help for a name found by [`nearest_name`].
pub(crate) fn did_you_mean(candidate: &str) -> String {
    format!("did you mean `{candidate}`?")
}

/// Formats names as a list for users; the rest of a long list is counted.
pub(crate) fn list_names<'c>(names: impl IntoIterator<Item = &'c str>) -> String {
    const MAX_SHOWN_NAMES: usize = 12;
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(MAX_SHOWN_NAMES).map(|name| format!("`{name}`")).collect();
    let shown = shown.join(", ");
    let mut more = 0;
    for _ in names {
        if !spend_budget(1) {
            return format!("{shown} and more");
        }
        more += 1;
    }
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Formats all names of a closed vocabulary: `` `a`, `b` ``.
pub(crate) fn list_all(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn lowercase_chars(name: &str) -> Vec<char> {
    name.chars().take(MAX_NAME_CHARS + 1).flat_map(char::to_lowercase).collect()
}

/// Returns the optimal string alignment distance.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &right) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(left != right)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && left == b[j - 1] && a[i - 1] == right {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{list_names, nearest_name, within_budget};
    use crate::catalog::Catalog;
    use crate::diagnostic::Diagnostic;
    use crate::diagnostic::codes;

    fn check(name: &str, candidates: &[&str], expected: Option<&str>) {
        assert_eq!(nearest_name(name, candidates.iter().copied()), expected, "{name}");
    }

    #[test]
    fn the_nearest_name_within_a_slip_is_suggested() {
        check("promt", &["image", "prompt", "seed"], Some("prompt"));
        check("pormpt", &["prompt"], Some("prompt"));
        check("Prompt", &["prompt"], Some("prompt"));
        check("ab", &["ac", "abc"], Some("ac"));
        check("xyz", &["abc", "prompt"], None);
        check("a", &["prompt", "b"], None);
        check("a", &["A"], Some("A"));
        check("", &["a"], None);
        check("baseurl", &["base_url", "method", "header"], Some("base_url"));
        check("Headers", &["base_url", "method", "header"], Some("header"));
        check("colour", &["base_url", "method", "header"], None);
        check(&"a".repeat(500), &["a"], None);
    }

    #[test]
    fn long_lists_say_how_many_are_left_out() {
        let names: Vec<String> = (0..14).map(|n| format!("n{n}")).collect();
        let text = list_names(names.iter().map(String::as_str));
        assert!(text.ends_with("`n11` and 2 more"), "{text}");
        assert_eq!(list_names(["a"]), "`a`");
    }

    #[test]
    fn one_check_gives_only_so_much_advice() {
        let names: Vec<String> = (0..2_000).map(|n| format!("step{n}")).collect();
        let all = || names.iter().map(String::as_str);
        let advised = within_budget(|| (0..2_000).filter(|_| nearest_name("step_1", all()).is_some()).count());
        assert!((1..200).contains(&advised), "{advised}");
        let text = within_budget(|| {
            (0..10_000).for_each(|_| drop(list_names(all())));
            list_names(all())
        });
        assert!(text.ends_with("`step11` and more"), "{text}");
        // The next check has a budget of its own.
        assert!(within_budget(|| nearest_name("step_1", all())).is_some());
    }

    #[test]
    fn a_document_of_many_wrong_names_is_read_to_its_end() {
        let modules: Vec<_> = (0..5_000)
            .map(|n| {
                json!({"id": format!("step{n}"), "value": {"type": "identity"},
                    "skip_if": {"expr": format!("results.stpe{n} == 1")}})
            })
            .collect();
        let found = crate::validate::validate_workflow(&json!({"value": {"modules": modules}}), &Catalog::default());
        let meant = |found: &Diagnostic| found.help.as_ref().is_some_and(|help| help.starts_with("did you mean"));
        let [first, .., last, note] = found.as_slice() else { panic!("{found:?}") };
        // The end of the list says how many more there are.
        assert_eq!(note.code, codes::TOO_MANY_FINDINGS);
        assert!(meant(first), "{first:?}");
        assert!(!meant(last), "{last:?}");
    }
}
