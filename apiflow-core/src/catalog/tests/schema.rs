//! The JSON Schema has the fields that the parsers read, and no others.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{connector, node, with};
use crate::call::token_origin;
use crate::catalog::{DECLARATIONS_SCHEMA, check_connector, parse_connector, parse_node};
use crate::diagnostic::{Diagnostic, codes};
use crate::json::recording::record_fields;

/// Fields that are missing only if another one is there, by the name of the object that contains them.
const REQUIRED_TOGETHER: [(&str, &str); 3] = [("success", "path"), ("success", "values"), ("auth", "bearer")];

/// The schema, and instances that are made of its examples.
struct Schema(Value);

/// An object of an instance with what the schema says about it.
struct DescribedObject {
    pointer: String,
    fields: BTreeSet<String>,
    required: BTreeSet<String>,
    /// The words of fields that are one of a list.
    words: Vec<(String, Vec<String>)>,
}

impl Schema {
    fn read() -> Self {
        Self(serde_json::from_str(DECLARATIONS_SCHEMA).expect("the schema is JSON"))
    }

    /// Follows references; what stands beside them are descriptions.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let Some(target) = schema["$ref"].as_str() else { return schema };
        let target = self.0.pointer(target.trim_start_matches('#'));
        self.resolve(target.unwrap_or_else(|| panic!("a reference leads nowhere: {schema}")))
    }

    /// Returns the meaning of a field: what stands nearest to it counts.
    fn meaning_of<'a>(&'a self, schema: &'a Value) -> Option<&'a str> {
        let own = schema["description"].as_str();
        own.or_else(|| self.meaning_of(self.0.pointer(schema["$ref"].as_str()?.trim_start_matches('#'))?))
    }

    /// Makes instances of which at least one has each alternative of each field.
    fn make_instances(&self, schema: &Value) -> Vec<Value> {
        let own = schema["examples"].as_array().and_then(|examples| examples.first());
        let schema = self.resolve(schema);
        let example = own.or_else(|| schema["examples"].as_array().and_then(|examples| examples.first()));
        if let Some(example) = example.or(schema.get("const")) {
            return vec![example.clone()];
        }
        if let Some(alternatives) = schema["oneOf"].as_array() {
            return alternatives.iter().flat_map(|alternative| self.make_instances(alternative)).collect();
        }
        if let Some(fields) = schema["properties"].as_object() {
            let made: Vec<_> = fields.iter().map(|(name, field)| (name, self.make_instances(field))).collect();
            let first = made.iter().map(|(name, instances)| ((*name).clone(), instances[0].clone()));
            let base: Map<String, Value> = first.collect();
            let further = made.iter().flat_map(|(name, instances)| {
                instances[1..].iter().map(|instance| {
                    let mut object = base.clone();
                    object.insert((*name).clone(), instance.clone());
                    Value::Object(object)
                })
            });
            return std::iter::once(Value::Object(base.clone())).chain(further).collect();
        }
        if let Some(items) = schema.get("items") {
            return vec![Value::Array(self.make_instances(items))];
        }
        let word = schema["enum"].as_array().and_then(|words| words.first());
        let value = word.or(schema.get("default")).cloned();
        vec![value.unwrap_or_else(|| panic!("there is no example of {schema}"))]
    }

    fn describes(&self, schema: &Value, instance: &Value) -> bool {
        let schema = self.resolve(schema);
        match instance {
            Value::Object(object) => schema["properties"].as_object().is_some_and(|fields| {
                let is_allowed = |(name, value): (&String, &Value)| {
                    fields.get(name).is_some_and(|field| field.get("const").is_none_or(|word| word == value))
                };
                object.iter().all(is_allowed)
            }),
            Value::Array(_) => schema["type"] == "array",
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.get("properties").is_none(),
        }
    }

    /// Lists the objects of an instance that the schema describes.
    fn list_objects(&self, schema: &Value, instance: &Value, pointer: &str, found: &mut Vec<DescribedObject>) {
        let schema = self.resolve(schema);
        if let Some(alternatives) = schema["oneOf"].as_array() {
            let fitting = alternatives.iter().find(|alternative| self.describes(alternative, instance));
            let fitting = fitting.unwrap_or_else(|| panic!("{pointer}: nothing describes {instance}"));
            return self.list_objects(fitting, instance, pointer, found);
        }
        if let (Some(fields), Value::Object(object)) = (schema["properties"].as_object(), instance) {
            let words = |field: &Value| {
                let words = self.resolve(field)["enum"].as_array()?;
                Some(words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
            };
            found.push(DescribedObject {
                pointer: pointer.to_owned(),
                fields: fields.keys().cloned().collect(),
                required: texts(&schema["required"]),
                words: fields.iter().filter_map(|(name, field)| Some((name.clone(), words(field)?))).collect(),
            });
            for (name, value) in object {
                self.list_objects(&fields[name], value, &format!("{pointer}/{name}"), found);
            }
        }
        for (index, item) in instance.as_array().into_iter().flatten().enumerate() {
            if let Some(items) = schema.get("items") {
                self.list_objects(items, item, &format!("{pointer}/{index}"), found);
            }
        }
    }
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Parses and checks a declaration.
fn find_faults(definition: &str, declaration: &Value) -> Vec<Diagnostic> {
    if definition == "Node" {
        return parse_node(declaration).err().unwrap_or_default();
    }
    let mut found = parse_connector(declaration).err().unwrap_or_default();
    // `auth` is compiled with a call, whatever else is wrong with the connector.
    if let Some(auth) = declaration["data"].get("auth") {
        let alone = with(connector(), &json!({"data": {"auth": auth}}));
        found.extend(check_connector(&parse_connector(&alone).expect("`auth` is checked later")));
    }
    found
}

/// Runs a check for each object that the schema describes.
fn for_each_object(check: impl Fn(&str, &Value, &DescribedObject)) {
    let schema = Schema::read();
    let mut count = 0;
    for definition in ["Connector", "Node"] {
        let of_kind = &schema.0["$defs"][definition];
        for instance in schema.make_instances(of_kind) {
            let mut objects = Vec::new();
            schema.list_objects(of_kind, &instance, "", &mut objects);
            for object in &objects {
                check(definition, &instance, object);
            }
            count += objects.len();
        }
    }
    assert!(count > 100, "{count}");
}

fn without(instance: &Value, pointer: &str, name: &str) -> Value {
    let mut changed = instance.clone();
    let object = changed.pointer_mut(pointer).and_then(Value::as_object_mut).expect("the object is there");
    object.shift_remove(name);
    changed
}

#[test]
fn the_schema_has_the_fields_that_are_read() {
    for_each_object(|definition, instance, object| {
        // The short form of `auth` is one string.
        if object.fields.len() == 1 && object.fields.contains("bearer") {
            return;
        }
        let mut read = record_fields(|| drop(find_faults(definition, instance)));
        if let Some(auth) = instance["data"].get("auth") {
            let alone =
                parse_connector(&with(connector(), &json!({"data": {"auth": auth}}))).expect("it is checked later");
            let of_auth = record_fields(|| drop(token_origin(&alone)));
            read.extend(of_auth.into_iter().map(|(pointer, known)| (format!("/data/auth{pointer}"), known)));
        }
        let of_object: Vec<_> = read.iter().filter(|(pointer, _)| *pointer == object.pointer).collect();
        assert!(!of_object.is_empty(), "nothing reads `{}` of a {definition}: {instance}", object.pointer);
        for (_, known) in of_object {
            let known: BTreeSet<String> = known.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(object.fields, known, "the schema (left) and the parser (right) differ at `{}`", object.pointer);
        }
    });
}

#[test]
fn the_schema_requires_what_must_be_there() {
    for_each_object(|definition, instance, object| {
        for name in &object.fields {
            let parent = object.pointer.rsplit('/').next().unwrap_or_default();
            if REQUIRED_TOGETHER.contains(&(parent, name)) {
                continue;
            }
            let at = format!("{}/{name}", object.pointer);
            let faults = find_faults(definition, &without(instance, &object.pointer, name));
            let is_missed = faults.iter().any(|fault| fault.pointer == at && fault.code == codes::MISSING_FIELD);
            // What is not missed may make the alternatives differ: `kind` of `auth`.
            assert_eq!(object.required.contains(name), is_missed, "`{at}` of a {definition}: {instance}");
        }
    });
}

#[test]
fn the_schema_has_the_words_that_are_allowed() {
    for_each_object(|definition, instance, object| {
        // An unknown preset is only found when the call is compiled.
        for (name, words) in object.words.iter().filter(|(name, _)| name != "preset") {
            let at = format!("{}/{name}", object.pointer);
            let mut wrong = instance.clone();
            *wrong.pointer_mut(&at).unwrap_or_else(|| panic!("{at}: there is no example")) = Value::from("0");
            let faults = find_faults(definition, &wrong);
            let help = faults.iter().filter(|fault| fault.pointer == at).find_map(|fault| fault.help.as_deref());
            let help = help.unwrap_or_else(|| panic!("{at}: no fault lists the words: {faults:?}"));
            let listed: BTreeSet<&str> = help.split('`').skip(1).step_by(2).collect();
            assert_eq!(words.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed, "{at}");
        }
    });
}

#[test]
fn every_field_says_what_it_means() {
    let schema = Schema::read();
    for (definition, described) in schema.0["$defs"].as_object().expect("definitions") {
        for (name, field) in described["properties"].as_object().into_iter().flatten() {
            let is_said =
                schema.meaning_of(field).is_some_and(|text| text.ends_with(['.', '`']) || text.ends_with(')'));
            assert!(is_said || field.get("const").is_some(), "{definition}: what does `{name}` mean?");
        }
    }
    // The helpers of the other tests are sound declarations.
    assert!(parse_connector(&connector()).is_ok() && parse_node(&node()).is_ok());
}
