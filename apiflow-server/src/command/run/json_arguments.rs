//! JSON values on the command line.

use serde_json::{Map, Value};

use crate::http::strict_json;

/// Reads the inputs: a JSON text, or `@file`.
pub(super) fn read_input(given: &str) -> Result<Map<String, Value>, String> {
    let (what, text) = match given.strip_prefix('@') {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| format!("{file} cannot be read: {error}"))?;
            (file, text)
        }
        None => ("--input", given.to_owned()),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let read = serde_json::from_str(text);
    if let (Ok(_), Some(lost)) = (&read, strict_json::find_losses(text.as_bytes()).first()) {
        return Err(format!("{what}: at `{}`: {}", lost.pointer, lost.message));
    }
    match read {
        Ok(Value::Object(input)) => Ok(input),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(format!("{what}: the inputs must be a JSON object with their names as keys")),
        Err(error) => Err(format!("{what}: invalid JSON: {error}; use `@FILE` to read a file")),
    }
}

/// Reads values by step, each written as `step=JSON`.
pub(super) fn by_step(flag: &str, given: &[String]) -> Result<Map<String, Value>, String> {
    let mut values = Map::new();
    for one in given {
        let (step, text) = one.split_once('=').ok_or_else(|| format!("invalid {flag} `{one}`: use `STEP=JSON`"))?;
        let value = serde_json::from_str(text)
            .map_err(|error| format!("{flag} {step}: invalid JSON: {error}; strings need double quotes"))?;
        if values.insert(step.to_owned(), value).is_some() {
            return Err(format!("duplicate {flag} for step `{step}`"));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(given: &[&str], expected: Result<Value, &str>) {
        let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        let found = by_step("--mock", &given).map(Value::Object);
        match expected {
            Ok(expected) => assert_eq!(found, Ok(expected)),
            Err(text) => assert!(found.as_ref().is_err_and(|error| error.contains(text)), "{found:?}"),
        }
    }

    #[test]
    fn values_are_given_by_step() {
        check(&[], Ok(json!({})));
        check(&["a=1", "loop[2]/b={\"x\": \"=\"}"], Ok(json!({"a": 1, "loop[2]/b": {"x": "="}})));
        check(&["a"], Err("invalid --mock `a`: use `STEP=JSON`"));
        check(&["a=text"], Err("strings need double quotes"));
        check(&["a=1", "a=2"], Err("duplicate --mock for step `a`"));
    }

    #[test]
    fn inputs_are_an_object() {
        assert_eq!(read_input("{\"a\": 1}").map(Value::Object), Ok(json!({"a": 1})));
        assert_eq!(read_input("null").map(Value::Object), Ok(json!({})));
        assert!(
            read_input("[1]")
                .is_err_and(|error| error == "--input: the inputs must be a JSON object with their names as keys")
        );
        assert!(read_input("{\"a\": 1, \"a\": 2}").is_err_and(|error| error.contains("`/a`: duplicate key `a`")));
        assert!(read_input("{").is_err_and(|error| error.starts_with("--input: invalid JSON")));
        assert!(read_input("@/no/such/file").is_err_and(|error| error.starts_with("/no/such/file cannot be read")));
    }
}
