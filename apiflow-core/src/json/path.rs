//! Paths into JSON: `output`, `output[0].url`, `$.data[*].b64_json`, and the queries of RFC 9535.

use serde_json::Value;

use super::query::Query;

/// A path into a JSON value. A leading `$` stands for the whole value and is optional.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonPath {
    source: String,
    steps: PathSteps,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PathSteps {
    Plain(Vec<PathSegment>),
    /// A query with filters, slices, unions or descendants, which matches any number of values.
    Query(Query),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PathSegment {
    Key(String),
    /// An element of an array: from the start, or from the end if negative.
    Index(i64),
    /// Every element of an array, or every value of an object.
    All,
}

/// The result of looking up a path in a JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PathMatch<'a> {
    /// A key or an element does not exist.
    Absent,
    /// Null at the path itself or on the way to it.
    Null,
    /// The value at a path without `[*]`; never null.
    One(&'a Value),
    /// The values that a path with `[*]`, or a query, matches, in order.
    Many(Vec<&'a Value>),
}

impl PathMatch<'_> {
    /// Converts the match to an owned value; several values become an array, `Absent` becomes `None`.
    pub(crate) fn into_value(self) -> Option<Value> {
        match self {
            Self::Absent => None,
            Self::Null => Some(Value::Null),
            Self::One(value) => Some(value.clone()),
            Self::Many(values) => Some(Value::Array(values.into_iter().cloned().collect())),
        }
    }
}

impl JsonPath {
    /// Parses a path; the error message says what was expected at which position.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let source = source.trim();
        let mut segments = Vec::new();
        let mut rest = source;
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
        } else if !rest.starts_with('[') {
            rest = read_key(rest, &mut segments)?;
        }
        while !rest.is_empty() {
            rest = match rest.strip_prefix('.') {
                Some(after) => read_key(after, &mut segments)?,
                None => match rest.strip_prefix('[') {
                    Some(after) => read_bracket(after, &mut segments)?,
                    None => return Err(format!("expected `.` or `[` before `{rest}`")),
                },
            };
        }
        Ok(Self { source: source.to_owned(), steps: PathSteps::Plain(segments) })
    }

    /// Parses a path, or a query of RFC 9535: it begins with `$` and contains a filter, a slice, a union or `..`.
    pub(crate) fn parse_query(source: &str) -> Result<Self, String> {
        let source = source.trim();
        let plain = Self::parse(source);
        let is_query = source.starts_with('$') && ["?", ":", ",", ".."].iter().any(|mark| source.contains(mark));
        if plain.is_ok() || !is_query {
            return plain;
        }
        Ok(Self { source: source.to_owned(), steps: PathSteps::Query(Query::parse(source)?) })
    }

    /// Creates the path of a single key, whatever characters the key contains.
    pub(crate) fn from_key(name: &str) -> Self {
        Self { source: name.to_owned(), steps: PathSteps::Plain(vec![PathSegment::Key(name.to_owned())]) }
    }

    /// Returns the path as it was written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Returns the first key, if the path begins with one.
    pub(crate) fn first_key(&self) -> Option<&str> {
        match &self.steps {
            PathSteps::Plain(segments) => match segments.first() {
                Some(PathSegment::Key(key)) => Some(key),
                Some(PathSegment::Index(_) | PathSegment::All) | None => None,
            },
            PathSteps::Query(_) => None,
        }
    }

    /// Returns the number of segments; a query counts as one.
    pub(crate) fn len(&self) -> usize {
        match &self.steps {
            PathSteps::Plain(segments) => segments.len(),
            PathSteps::Query(_) => 1,
        }
    }

    /// Removes the first segment of a plain path.
    pub(crate) fn without_first(mut self) -> Self {
        match &mut self.steps {
            PathSteps::Plain(segments) if !segments.is_empty() => drop(segments.remove(0)),
            PathSteps::Plain(_) | PathSteps::Query(_) => {}
        }
        self
    }

    /// Looks the path up in a value.
    pub(crate) fn find_in<'a>(&self, value: &'a Value) -> PathMatch<'a> {
        match &self.steps {
            PathSteps::Plain(segments) => find_segments(value, segments),
            PathSteps::Query(query) => PathMatch::Many(query.find_all(value)),
        }
    }

    /// Looks the path up and converts a string, number or boolean to a string; of the matches of a query the first.
    pub(crate) fn find_text(&self, value: &Value) -> Option<String> {
        match (self.find_in(value), &self.steps) {
            (PathMatch::One(found), _) => scalar_text(found),
            (PathMatch::Many(found), PathSteps::Query(_)) => scalar_text(found.first()?),
            (PathMatch::Absent | PathMatch::Null | PathMatch::Many(_), _) => None,
        }
    }
}

/// Converts a string as it is, a number or boolean as JSON; returns `None` for other values.
pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn find_segments<'a>(value: &'a Value, segments: &[PathSegment]) -> PathMatch<'a> {
    let Some((first, rest)) = segments.split_first() else {
        return if value.is_null() { PathMatch::Null } else { PathMatch::One(value) };
    };
    if value.is_null() {
        return PathMatch::Null;
    }
    match first {
        PathSegment::Key(key) => value.get(key).map_or(PathMatch::Absent, |inner| find_segments(inner, rest)),
        PathSegment::Index(index) => {
            array_element(value, *index).map_or(PathMatch::Absent, |inner| find_segments(inner, rest))
        }
        PathSegment::All => match value {
            Value::Array(items) => gather_items(items.iter(), rest),
            Value::Object(fields) => gather_items(fields.values(), rest),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => PathMatch::Absent,
        },
    }
}

fn gather_items<'a>(items: impl Iterator<Item = &'a Value>, rest: &[PathSegment]) -> PathMatch<'a> {
    let mut all = Vec::new();
    for item in items {
        match find_segments(item, rest) {
            PathMatch::Absent => {}
            PathMatch::Null => all.push(&Value::Null),
            PathMatch::One(found) => all.push(found),
            PathMatch::Many(found) => all.extend(found),
        }
    }
    PathMatch::Many(all)
}

fn array_element(value: &Value, index: i64) -> Option<&Value> {
    let items = value.as_array()?;
    let from_end = || items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
    let position = usize::try_from(index).ok().or_else(from_end)?;
    items.get(position)
}

fn read_key<'a>(rest: &'a str, segments: &mut Vec<PathSegment>) -> Result<&'a str, String> {
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let key = &rest[..end];
    if key == "*" {
        segments.push(PathSegment::All);
    } else if key.is_empty() {
        return Err("expected a name".to_owned());
    } else if let Some(odd) = key.chars().find(|c| c.is_whitespace() || "]{}\"'`*|()".contains(*c)) {
        return Err(format!("unexpected `{odd}` in the name `{key}`"));
    } else {
        segments.push(PathSegment::Key(key.to_owned()));
    }
    Ok(&rest[end..])
}

fn read_bracket<'a>(rest: &'a str, segments: &mut Vec<PathSegment>) -> Result<&'a str, String> {
    for quote in ['"', '\''] {
        if let Some(inner) = rest.strip_prefix(quote) {
            let (key, after) =
                inner.split_once(quote).ok_or_else(|| format!("expected {quote} after `[{quote}{inner}`"))?;
            segments.push(PathSegment::Key(key.to_owned()));
            return after.strip_prefix(']').ok_or_else(|| format!("expected `]` after `[{quote}{key}{quote}`"));
        }
    }
    let (inner, after) = rest.split_once(']').ok_or_else(|| format!("expected `]` after `[{rest}`"))?;
    let inner = inner.trim();
    segments.push(match inner {
        "*" => PathSegment::All,
        number => PathSegment::Index(
            number.parse().map_err(|_| format!("expected a number, `*` or a quoted name in `[{inner}]`"))?,
        ),
    });
    Ok(after)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::JsonPath;

    fn check(path: &str, value: &Value, expected: Option<Value>) {
        let parsed = JsonPath::parse(path).unwrap_or_else(|fault| panic!("{path}: {fault}"));
        assert_eq!(parsed.find_in(value).into_value(), expected, "{path} in {value}");
    }

    #[test]
    fn paths_find_what_they_name() {
        let value = json!({"output": [{"url": "a"}, {"url": "b"}, {}], "urls": {"get": "g"}, "a.b": 1, "gone": null});
        check("output[0].url", &value, Some(json!("a")));
        check("$.output[*].url", &value, Some(json!(["a", "b"])));
        check("output[-2].url", &value, Some(json!("b")));
        check("output[3]", &value, None);
        check("output[-4]", &value, None);
        check("urls.get", &value, Some(json!("g")));
        check("urls.*", &value, Some(json!(["g"])));
        check("[\"a.b\"]", &value, Some(json!(1)));
        check("$['a.b']", &value, Some(json!(1)));
        check("gone", &value, Some(Value::Null));
        check("gone.deeper[0]", &value, Some(Value::Null));
        check("urls.get.deeper", &value, None);
        check("missing", &value, None);
        check("$", &json!(7), Some(json!(7)));
        check("$[*]", &json!({}), Some(json!([])));
        check("[1]", &json!([1, 2]), Some(json!(2)));
    }

    #[cfg(feature = "runtime")]
    fn check_query(path: &str, value: &Value, expected: &Value) {
        let parsed = JsonPath::parse_query(path).unwrap_or_else(|fault| panic!("{path}: {fault}"));
        assert_eq!(parsed.find_in(value).into_value().as_ref(), Some(expected), "{path} in {value}");
    }

    #[cfg(feature = "runtime")]
    #[test]
    fn queries_select_any_number_of_values() {
        let value = json!({
            "files": [{"name": "a.png", "n": 1}, {"name": "b.mp3", "n": 2}, {"name": "c.png", "n": 3}],
            "links": [{"rel": "next", "href": "/n"}, {"rel": "self", "href": "/s"}],
        });
        check_query("$.files[?@.name == 'b.mp3'].n", &value, &json!([2]));
        check_query("$.files[?match(@.name, '.*[.]png')].n", &value, &json!([1, 3]));
        check_query("$.files[1:].n", &value, &json!([2, 3]));
        check_query("$..n", &value, &json!([1, 2, 3]));
        check_query("$.files[0, 2].n", &value, &json!([1, 3]));
        check_query("$.files[?@.n > 9]", &value, &json!([]));
        check_query("$.files[*].n", &value, &json!([1, 2, 3]));
        check_query("files[0].n", &value, &json!(1));
        let link = JsonPath::parse_query("$.links[?@.rel == 'self'].href").expect("a query");
        assert_eq!(link.find_text(&value), Some("/s".to_owned()));
    }

    #[cfg(feature = "runtime")]
    #[test]
    fn faults_of_a_query_say_where_they_are() {
        for path in ["$.a[?", "$.a[?@.b ==]", "$..", "$.a[1:x]"] {
            let fault = JsonPath::parse_query(path).expect_err(path);
            assert!(!fault.is_empty() && !fault.contains('\n'), "{path}: {fault}");
        }
        assert_eq!(JsonPath::parse_query("a..b"), Err("expected a name".to_owned()), "a query begins with `$`");
        assert_eq!(JsonPath::parse_query("$a"), Err("expected `.` or `[` before `a`".to_owned()));
    }

    #[test]
    fn faults_of_a_path_say_what_was_expected() {
        for (path, expected) in [
            ("", "expected a name"),
            ("a..b", "expected a name"),
            ("a[", "expected `]` after `[`"),
            ("a[x]", "expected a number, `*` or a quoted name in `[x]`"),
            ("a b", "unexpected ` ` in the name `a b`"),
            ("a[0]b", "expected `.` or `[` before `b`"),
            ("$a", "expected `.` or `[` before `a`"),
            ("a[\"b]", "expected \" after `[\"b]`"),
        ] {
            assert_eq!(JsonPath::parse(path), Err(expected.to_owned()), "{path}");
        }
    }
}
