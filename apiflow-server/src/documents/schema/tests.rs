use serde_json::json;

use crate::documents::schema::*;

fn compiled(schema: &Value) -> CompiledSchema {
    let SchemaCheck { compiled, findings } = compile_schema(schema);
    compiled.unwrap_or_else(|| panic!("{schema} cannot be used: {findings:?} {:?}", check_json_schema(schema, "")))
}

/// Returns the pointers of the faults of a value, or why the validation was aborted.
fn faults(schema: &Value, value: Value) -> Result<Vec<String>, &'static str> {
    let Value::Object(fields) = value else { panic!("an input is an object") };
    match compiled(schema).check_input(fields) {
        Ok(_) => Ok(Vec::new()),
        Err(SchemaRefusal::Mismatch(faults)) => Ok(faults.into_iter().map(|fault| fault.pointer).collect()),
        Err(SchemaRefusal::TooExpensive(reason)) => Err(reason),
    }
}

/// Returns the findings of core and of the compilation about a schema: codes and pointers.
fn findings(schema: &Value) -> Vec<(String, String)> {
    let core = check_json_schema(schema, "");
    let all = core.into_iter().chain(compile_schema(schema).findings);
    all.map(|found| (found.code, found.pointer)).collect()
}

fn found(code: &str, pointer: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), pointer.to_owned())]
}

/// Definitions that each reference the next one twice.
fn doubling(levels: usize) -> Value {
    let mut defs = Map::new();
    for level in 0..levels {
        let next = format!("#/$defs/d{}", level + 1);
        defs.insert(format!("d{level}"), json!({"allOf": [{"$ref": next}, {"$ref": next}]}));
    }
    defs.insert(format!("d{levels}"), json!({}));
    json!({"$defs": defs, "$ref": "#/$defs/d0"})
}

#[test]
fn a_schema_that_doubles_is_refused_at_its_place_before_it_is_compiled() {
    let schema = doubling(45);
    assert!(schema.to_string().len() < 4_000);
    let all = findings(&schema);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].0 == codes::SCHEMA_LIMIT && all[0].1.starts_with("/$defs/d"), "{all:?}");
    assert!(compile_schema(&schema).compiled.is_none());
    assert_eq!(findings(&doubling(8)), []);
}

#[test]
fn a_schema_that_has_no_end_or_is_too_long_is_refused() {
    let chain = |length: usize| {
        let next = |at: usize| json!({"$ref": format!("#/$defs/d{}", at + 1)});
        let mut defs: Map<String, Value> = (0..length).map(|at| (format!("d{at}"), next(at))).collect();
        defs.insert(format!("d{length}"), json!(true));
        json!({"$defs": defs, "$ref": "#/$defs/d0"})
    };
    let wide = |width: usize| {
        let properties: Map<String, Value> = (0..width).map(|at| (format!("p{at}"), json!({}))).collect();
        json!({ "properties": properties })
    };
    let mut deep = json!({});
    for _ in 0..40 {
        deep = json!({"properties": {"a": deep}});
    }
    for (schema, code) in [
        (json!({"allOf": [{"$ref": "#"}]}), codes::BAD_SCHEMA),
        (json!({"$anchor": "a", "anyOf": [{"$ref": "#a"}]}), codes::BAD_SCHEMA),
        (json!({"$recursiveRef": "#"}), codes::BAD_SCHEMA),
        (json!({"$ref": "#/$defs/none"}), codes::BAD_SCHEMA),
        (json!({"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}}), codes::BAD_SCHEMA),
        (json!({"properties": {"a": {"$ref": "http://127.0.0.1:1/schema.json"}}}), codes::BAD_SCHEMA),
        (json!({"properties": {"a": {"$ref": "file:///etc/passwd"}}}), codes::BAD_SCHEMA),
        (chain(1_000), codes::SCHEMA_LIMIT),
        (wide(10_001), codes::SCHEMA_LIMIT),
        (deep, codes::SCHEMA_LIMIT),
    ] {
        let all = findings(&schema);
        assert_eq!(all.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), [code], "{all:?}");
        assert!(compile_schema(&schema).compiled.is_none());
    }
    assert_eq!(findings(&chain(50)), []);
}

#[test]
fn a_value_that_multiplies_the_work_is_given_up() {
    let list: Vec<Value> = (0..30_000).map(Value::from).collect();
    let rules: Vec<Value> = (1..900).map(|number| json!({"not": {"maximum": -number}})).collect();
    let schema = json!({"properties": {"a": {"items": {"allOf": rules}}}});
    assert!(faults(&schema, json!({ "a": list })).is_err());

    let schema = json!({"properties": {"a": {"pattern": "(x|xx|xxx){1,3000}y"}}});
    assert!(faults(&schema, json!({"a": "x".repeat(1_000_000)})).is_err());
    let schema = json!({"patternProperties": {"(x|xx|xxx){1,3000}y": true}});
    assert!(faults(&schema, json!({"x".repeat(1_000_000): 1})).is_err());
}

#[test]
fn lists_of_much_the_same_are_compared_in_linear_time() {
    // The validator's own hash takes all of these for the same.
    let mut nested = json!([]);
    let mut list = Vec::new();
    for _ in 0..100 {
        nested = json!([nested]);
        list.push(nested.clone());
    }
    let schema = json!({"properties": {"a": {"uniqueItems": true}}});
    assert_eq!(faults(&schema, json!({ "a": list })), Ok(vec![]));
    assert_eq!(faults(&schema, json!({"a": [1, 2, 1.0]})), Ok(vec!["/a".to_owned()]));
    assert_eq!(faults(&schema, json!({"a": [{"x": 1, "y": 2}, {"y": 2.0, "x": 1}]})), Ok(vec!["/a".to_owned()]));
}

#[test]
fn faults_are_few_however_many_there_are() {
    let wrong: Vec<Value> = (0..400_000).map(Value::from).collect();
    let schema = json!({"properties": {"a": {"items": {"type": "string"}}}});
    assert_eq!(faults(&schema, json!({"a": wrong[..100].to_vec()})).map(|faults| faults.len()), Ok(MAX_FAULTS));
    assert_eq!(faults(&schema, json!({ "a": wrong })), Ok(vec!["/a/0".to_owned()]), "more would take much memory");
}

#[test]
fn a_deep_value_does_not_overflow_the_stack() {
    let next = |at: usize| json!({"$ref": format!("#/$defs/d{}", at + 1)});
    let mut defs: Map<String, Value> = (0..50).map(|at| (format!("d{at}"), next(at))).collect();
    defs.insert("d50".to_owned(), json!({"properties": {"a": {"$ref": "#/$defs/d0"}}}));
    let schema = json!({"$defs": defs, "$ref": "#/$defs/d0"});
    // As deep as a body can be.
    let mut value = json!({"a": 1});
    for _ in 0..120 {
        value = json!({ "a": value });
    }
    // How much fits depends on the build.
    match faults(&schema, value) {
        Ok(faults) => assert_eq!(faults, Vec::<String>::new()),
        Err(given_up) => assert_eq!(given_up, give_up_reason(GivenUp::Depth)),
    }
}

#[test]
fn schemas_as_editors_write_them_are_taken() {
    let schema = json!({
        "$schema": "http://json-schema.org/schema", "$id": "http://example.com/root.json", "type": "object",
        "properties": {
            "mail": {"$id": "#/properties/mail", "type": "string", "nullable": true, "default": null, "format": ""},
            "kind": {"type": "string", "enum": ["a", "b"], "nullable": true, "minLength": null, "pattern": ""},
            "link": {"$ref": "http://example.com/root.json#/definitions/link", "nullable": true},
            "any": {"type": "", "description": null, "required": true, "enum": []},
        },
        "definitions": {"link": {"type": "string", "minLength": 3}},
        "required": ["mail"], "order": ["mail", "kind"],
    });
    assert_eq!(findings(&schema), []);
    let fine = json!({"mail": null, "kind": null, "link": null, "any": 5});
    assert_eq!(faults(&schema, fine), Ok(vec![]));
    let wrong = json!({"mail": 1, "kind": "c", "link": "ab"});
    assert_eq!(faults(&schema, wrong), Ok(["/mail", "/kind", "/link"].map(str::to_owned).to_vec()));
}

#[test]
fn slips_are_warnings_and_never_refuse_every_run() {
    let schema = json!({"required": ["a", "a"], "properties": {"a": {"type": "string"}}});
    assert_eq!(findings(&schema), found(codes::REPEATED_REQUIRED, "/required/1"));
    assert_eq!(faults(&schema, json!({})), Ok(vec![String::new()]));

    let schema = json!({"properties": {"a": {"type": "object", "default": ""}}});
    assert_eq!(findings(&schema), found(codes::BAD_DEFAULT, "/properties/a/default"));
    assert_eq!(compiled(&schema).check_input(Map::new()).ok(), Some(json!({})));

    let schema = json!({"properties": {"a": {"type": "string", "pattern": "^x", "default": "y"}, "b": {"default": 1}}});
    assert_eq!(findings(&schema), found(codes::BAD_DEFAULT, "/properties/a/default"));
    assert_eq!(compiled(&schema).check_input(Map::new()).ok(), Some(json!({"b": 1})));

    let schema = json!({"properties": {"a": {"pattern": "^(?=.*[A-Z]).{8,}$"}, "b": {"pattern": "(a)\\1"}}});
    let places = ["/properties/a/pattern", "/properties/b/pattern"];
    let expected = places.map(|place| (codes::PATTERN_NOT_ENFORCED.to_owned(), place.to_owned()));
    assert_eq!(findings(&schema), expected);
    assert_eq!(faults(&schema, json!({"a": "x", "b": "y"})), Ok(vec![]));

    let schema = json!({"patternProperties": {"^(?!x)": {}, "^n": {"type": "number"}}, "additionalProperties": false});
    assert_eq!(findings(&schema), found(codes::PATTERN_NOT_ENFORCED, "/patternProperties/^(?!x)"));
    assert_eq!(faults(&schema, json!({"y": 1, "n": "x"})), Ok(vec!["/n".to_owned()]), "what it might allow is allowed");
}

#[test]
fn patterns_are_read_as_javascript_reads_them() {
    let matches = |pattern: &str, text: &str| {
        let schema = json!({"properties": {"a": {"type": "string", "pattern": pattern}}});
        assert_eq!(findings(&schema), [], "{pattern}");
        faults(&schema, json!({ "a": text })).expect("it is cheap").is_empty()
    };
    for (pattern, text, expected) in [
        (r"^[\w-+.]+@([\w-]+\.)+[\w-]{2,4}$", "mia@example.org", true),
        (r"^[\w-+.]+@([\w-]+\.)+[\w-]{2,4}$", "mia", false),
        (r"^a\-b\_c\@d\/e$", "a-b_c@d/e", true),
        (r"^{x}$", "{x}", true),
        (r"^a{,2}$", "a{,2}", true),
        (r"^a{2}$", "aa", true),
        (r"^]$", "]", true),
        (r"^[[]&&[\]]$", "[&&]", true),
        (r"^[^]$", "\n", true),
        (r"^[]$", "", false),
        (r"^[a-]$", "-", true),
        (r"^[--/]$", ".", true),
        (r"^[\d-x]$", "-", true),
        (r"^\u0041\x42\cJ?$", "AB", true),
        (r"^\ud83d\ude00$", "😀", true),
        (r"^(?<year>\d{4})$", "2026", true),
        (r"^\p{L}+$", "äß", true),
        (r"^[\p{L}\d]+$", "ä1", true),
        (r"^.$", "\n", false),
        (r"^\w$", "ä", false),
        (r"^a|b$", "xb", true),
        (r"^(a|b)*?c$", "abac", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} and {text:?}");
    }
}

#[test]
fn the_forms_of_gates_are_found_wherever_modules_stand() {
    let gate =
        json!({"id": "g", "value": {"type": "identity"}, "suspend": {"resume_form": {"schema": {"type": "no"}}}});
    let branch = json!({"id": "b", "value": {"type": "branchone", "branches": [{"expr": "true", "modules": [gate]}]}});
    let document = json!({"schema": {"type": 5}, "value": {"modules": [branch], "failure_module": gate}});
    let found = check_document(&document, &SchemaCache::default());
    let places: Vec<&str> = found.iter().map(|found| found.pointer.as_str()).collect();
    assert_eq!(
        places,
        [
            "/schema/type",
            "/value/modules/0/value/branches/0/modules/0/suspend/resume_form/schema/type",
            "/value/failure_module/suspend/resume_form/schema/type",
        ]
    );
}
