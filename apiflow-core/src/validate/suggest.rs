//! "Did you mean": the nearest of some names.

/// The longest name that is compared: longer ones are not typed by hand.
const MAX_NAME_CHARS: usize = 64;

/// The most names that are compared with one.
const MAX_CANDIDATES: usize = 2_000;

/// The candidate nearest to `name`, if it is near enough to be a slip of the hand: at most a third of
/// the name's length, and at most 3, in edits (insert, delete, replace, swap neighbours).
/// Of equally near ones the first.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let name: Vec<char> = lower(name);
    if name.is_empty() || name.len() > MAX_NAME_CHARS {
        return None;
    }
    // One letter for another is no slip where there is only one.
    let allowed = if name.len() == 1 { 0 } else { (name.len() / 3).clamp(1, 3) };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.into_iter().take(MAX_CANDIDATES) {
        let limit = best.map_or(allowed + 1, |(distance, _)| distance);
        let other = lower(candidate);
        if other.len() > MAX_NAME_CHARS || name.len().abs_diff(other.len()) >= limit {
            continue;
        }
        let distance = edits(&name, &other);
        if distance < limit {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The help that goes with [`nearest`].
pub(crate) fn did_you_mean(candidate: &str) -> String {
    format!("did you mean `{candidate}`?")
}

/// Names as a list for people, cut with a count where there are many.
pub(crate) fn listed<'c>(names: impl IntoIterator<Item = &'c str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn lower(name: &str) -> Vec<char> {
    name.chars().take(MAX_NAME_CHARS + 1).flat_map(char::to_lowercase).collect()
}

/// Optimal string alignment distance.
fn edits(a: &[char], b: &[char]) -> usize {
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
    use super::{listed, nearest};

    fn check(name: &str, candidates: &[&str], expected: Option<&str>) {
        assert_eq!(nearest(name, candidates.iter().copied()), expected, "{name}");
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
        check(&"a".repeat(500), &["a"], None);
    }

    #[test]
    fn long_lists_say_how_many_are_left_out() {
        let names: Vec<String> = (0..14).map(|n| format!("n{n}")).collect();
        let text = listed(names.iter().map(String::as_str));
        assert!(text.ends_with("`n11` and 2 more"), "{text}");
        assert_eq!(listed(["a"]), "`a`");
    }
}
