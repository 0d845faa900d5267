//! Expansion of templates.

use serde_json::{Value, json};

use super::{compile, path, scope, shown};
use crate::template::{Root, TemplateCompiler, TemplateScope};

fn check(template: &Value, input: &Value, expected: Option<&Value>) {
    assert_eq!(shown(&compile(template).expand_value(&scope(input))).as_ref(), expected, "{template} over {input}");
}

#[test]
fn a_string_that_is_one_placeholder_keeps_the_type() {
    for value in [json!("text"), json!(7), json!(1.5), json!(true), json!(null), json!([1, {"a": 2}]), json!({"b": []})]
    {
        check(&json!("{{ input.x }}"), &json!({"x": value}), Some(&value));
        check(&json!(["{{input.x}}"]), &json!({"x": value}), Some(&json!([value])));
        check(&json!({"k": {"l": "{{ input.x }}"}}), &json!({"x": value}), Some(&json!({"k": {"l": value}})));
    }
    check(&json!("{{ step.attempt }}"), &json!({}), Some(&json!(2)));
}

#[test]
fn every_form_of_placeholder_finds_its_value() {
    let input = json!({"prompt": "p", "list": [{"url": "u"}, {"url": "v"}], "a.b": 1, "voice-id": "v"});
    for (template, expected) in [
        ("{{ input }}", input.clone()),
        ("{{ input.prompt }}", json!("p")),
        ("{{input.prompt}}", json!("p")),
        ("{{ input.list[1].url }}", json!("v")),
        ("{{ input.list[-1].url }}", json!("v")),
        ("{{ input.list[*].url }}", json!(["u", "v"])),
        ("{{ input[\"a.b\"] }}", json!(1)),
        ("{{ input.voice-id }}", json!("v")),
        ("{{ job.id }}", json!("j")),
        ("{{ step.id }}", json!("s")),
        ("{{ job.id }}/{{ step.id }}/{{ step.attempt }}", json!("j/s/2")),
    ] {
        check(&json!(template), &input, Some(&expected));
    }
    let reply = json!({"id": "i", "urls": {"get": "g"}});
    let template = compile(&json!(["{{ reply.id }}", "{{ reply.urls.get }}?x", "{{ reply }}", "{{ job.id }}"]));
    let expected = json!(["i", "g?x", reply]);
    assert_eq!(shown(&template.expand_value(&TemplateScope::for_reply(&reply))), Some(expected));
}

#[test]
fn values_inside_text_are_text() {
    for (value, expected) in [
        (json!("t"), "a t b"),
        (json!(1.5), "a 1.5 b"),
        (json!(false), "a false b"),
        (json!([1, "x"]), "a [1,\"x\"] b"),
        (json!({"k": null}), "a {\"k\":null} b"),
    ] {
        check(&json!("a {{ input.x }} b"), &json!({"x": value}), Some(&json!(expected)));
    }
}

#[test]
fn the_key_of_an_absent_input_is_left_out() {
    let template =
        json!({"a": "{{ input.a }}", "b": {"c": "{{ input.c }}"}, "d": ["{{ input.a }}", 1], "e": "x{{ input.a }}"});
    check(&template, &json!({}), Some(&json!({"b": {}, "d": [1]})));
    check(&template, &json!({"a": null, "c": 0}), Some(&json!({"a": null, "b": {"c": 0}, "d": [null, 1]})));
    check(&json!("{{ input.a }}"), &json!({}), None);
    check(&json!("{{ input.a.b[0] }}"), &json!({"a": {"b": []}}), None);
}

#[test]
fn constants_and_keys_stand_as_they_are() {
    let constant = json!({"n": 1.0, "t": true, "z": null, "l": [[], {}], "$KEY": 1, "{{ input.a }}": "x"});
    check(&constant, &json!({"a": 1}), Some(&constant));
}

#[test]
fn a_doubled_dollar_is_a_dollar_and_no_reference() {
    for (template, expected) in [
        ("$$", "$"),
        ("$$KEY", "$KEY"),
        ("$$$KEY", "$<KEY>"),
        ("$$$$KEY", "$$KEY"),
        ("costs $5", "costs $5"),
        ("$KEY", "<KEY>"),
        ("$KEY.$OTHER_1-x", "<KEY>.<OTHER_1>-x"),
        ("$", "$"),
    ] {
        check(&json!(template), &json!({}), Some(&json!(expected)));
    }
}

#[test]
fn values_are_never_read_as_templates() {
    for hostile in ["$KEY", "$$", "{{ input.other }}", "{{ input", "}}", "{{ job.id }}", "$$KEY {{ step.id }}", "{{{{"]
    {
        let input = json!({"x": hostile, "other": "o"});
        check(&json!("{{ input.x }}"), &input, Some(&json!(hostile)));
        check(&json!("a{{ input.x }}b"), &input, Some(&json!(format!("a{hostile}b"))));
        check(&json!("{{ input }}"), &input, Some(&input));
    }
    check(&json!("{{ input.a }}{{ input.b }}"), &json!({"a": "{{ input", "b": ".b }}"}), Some(&json!("{{ input.b }}")));
    check(&json!("{{ input.a }}{{ input.b }}"), &json!({"a": "$", "b": "KEY"}), Some(&json!("$KEY")));
    check(&json!("${{ input.b }}"), &json!({"b": "KEY"}), Some(&json!("$KEY")));
}

#[test]
fn values_in_a_path_are_percent_encoded() {
    for (value, expected) in [
        (json!("plain-1._~"), "/v/plain-1._~/x"),
        (json!("a/b"), "/v/a%2Fb/x"),
        (json!("../x"), "/v/..%2Fx/x"),
        (json!("a?b=c&d#e"), "/v/a%3Fb%3Dc%26d%23e/x"),
        (json!("ü %\\"), "/v/%C3%BC%20%25%5C/x"),
        (json!("$KEY{{ job.id }}"), "/v/%24KEY%7B%7B%20job.id%20%7D%7D/x"),
        (json!("a\r\nb"), "/v/a%0D%0Ab/x"),
        (json!(7), "/v/7/x"),
        (json!(true), "/v/true/x"),
    ] {
        assert_eq!(path("/v/{{ input.x }}/x", &json!({"x": value})), Ok(expected.to_owned()), "{value}");
    }
    assert_eq!(
        path("/models/{{ input.a }}/$KEY?q={{ input.a }}", &json!({"a": "b c"})),
        Ok("/models/b%20c/<KEY>?q=b%20c".to_owned())
    );
}

#[test]
fn a_value_that_would_change_a_paths_shape_is_refused() {
    let dots =
        |dots: &str| format!("`{dots}` is not allowed as a segment of a path, because it would change the address");
    for (value, expected) in [
        (json!(".."), dots("..")),
        (json!("."), dots(".")),
        (json!(""), "`input.x` is empty, so it cannot be used in a path".to_owned()),
        (Value::Null, "`input.x` must be a string or a number to be used in a path".to_owned()),
        (json!(["a"]), "`input.x` must be a string or a number to be used in a path".to_owned()),
        (json!({}), "`input.x` must be a string or a number to be used in a path".to_owned()),
    ] {
        assert_eq!(path("/v/{{ input.x }}/x", &json!({"x": value})), Err(expected), "{value}");
    }
    assert_eq!(path("/v/.{{ input.x }}", &json!({"x": "."})), Err(dots("..")));
    assert_eq!(path("/v/%2e{{ input.x }}", &json!({"x": "."})), Err(dots("%2e.")));
    assert_eq!(
        path("/v/{{ input.gone }}", &json!({})),
        Err("`input.gone` must be a string or a number to be used in a path".to_owned())
    );
}

#[test]
fn faults_of_templates_name_their_place() {
    let mut found = Vec::new();
    let source = json!({"a/b": ["ok", "x {{ prompt }}"], "c": "{{ reply.id }}", "d": "{{"});
    TemplateCompiler { roots: &[Root::Input, Root::Job], diagnostics: &mut found }.compile_value(&source, "/data/body");
    let shown: Vec<String> = found
        .iter()
        .map(|fault| {
            let column = fault.span.map(|span| format!(" column {}", span.column)).unwrap_or_default();
            let help = fault.help.as_deref().map(|help| format!("; {help}")).unwrap_or_default();
            format!("{} {}: {}{help}{column}", fault.pointer, fault.code, fault.message)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "/data/body/a~1b/1 template-syntax: `{{ prompt }}` does not begin with a known name; a placeholder begins \
             with input, reply, job or step: did you mean `{{ input.prompt }}`? column 3",
            "/data/body/c template-scope: `reply` is not available here; placeholders here begin with input, job",
            "/data/body/d template-syntax: `{{` without `}}` column 1",
        ]
    );
}
