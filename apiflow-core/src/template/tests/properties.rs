//! Properties of every template and every value.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{object, request};
use crate::ports::{RequestBody, SecretPlace};
use crate::template::{Root, TemplateCompiler, TemplateScope, Text, resolve_secrets};

/// Generates strings of characters that have a meaning in a template, a URL, a header or a marker, and of others.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("$KEY".to_owned()),
        Just("$".to_owned()),
        Just("{{ input.a }}".to_owned()),
        Just("{{ input".to_owned()),
        Just("{{".to_owned()),
        Just("}}".to_owned()),
        Just("[*]".to_owned()),
        Just("apiflowsecret".to_owned()),
        "[0-9a-f]{40}",
        "[\"\\\\/?#&=%. ]{1,3}",
        "\\PC{0,8}",
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        hostile().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(hostile(), inner, 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_template_expands_or_says_why_not(source in value(), input in value(), reply in value()) {
        let mut found = Vec::new();
        let template = TemplateCompiler { roots: &Root::ALL, diagnostics: &mut found }.compile_value(&source, "");
        let input = json!({"a": input});
        for scope in [TemplateScope::for_submit(&object(&input), "j", "s", 1), TemplateScope::for_reply(&reply), TemplateScope::without_attempt()] {
            let expanded = template.expand_value(&scope);
            let plain = expanded.to_value(&mut |name| name.to_owned());
            prop_assert!(found.iter().all(|fault| fault.code == "template-syntax" && fault.span.is_some()));
            prop_assert!(plain.is_some() || source.is_string());
        }
    }

    #[test]
    fn literal_text_survives_being_written_as_a_template(text in hostile()) {
        let source = text.replace('$', "$$");
        prop_assume!(!source.contains("{{"));
        let parsed = Text::parse(&source).expect("it has no placeholder");
        prop_assert_eq!(parsed.literal_text(), Some(text));
    }

    #[test]
    fn a_value_stands_as_it_is_and_gains_no_secret(given in value(), text in hostile(), secret in "[!-~é]{1,40}") {
        let input = json!({"a": given, "t": text});
        let body = json!({"a": "{{ input.a }}", "t": "<{{ input.t }}>", "k": "[$KEY]"});
        let sealed = request("{{ input.t }}", "$KEY", &body, &input);
        let RequestBody::Text(journalled) = &sealed.body else { panic!("there is a body") };
        for used in &sealed.secrets {
            let in_body = journalled.matches(&used.marker).count();
            prop_assert_eq!(in_body, usize::from(used.place == SecretPlace::Json));
            prop_assert!(!input.to_string().contains(&used.marker));
        }
        let values = BTreeMap::from([("KEY".to_owned(), secret.clone())]);
        let written = resolve_secrets(&sealed, &values).expect("the secret is known");
        let read: Value = serde_json::from_str(written.body_text().expect("a body")).expect("it is JSON");
        // Both sides parse numbers from text, because rounding may change the last digit of a float.
        let given: Value = serde_json::from_str(&given.to_string()).expect("a value is JSON");
        prop_assert_eq!(read, json!({"a": given, "t": format!("<{text}>"), "k": format!("[{secret}]")}));
        prop_assert_eq!(&written.headers[0].1, &secret);
        let query = written.url.split_once("?q=").expect("there is a query").1;
        prop_assert_eq!(percent_encoding::percent_decode_str(query).decode_utf8().ok(), Some(text.into()));
    }
}
