//! Every entry is a sound declaration, and its sample is a call of it.

use apiflow_core::call::{CallPlan, Operation, ReplyReading, compile_call};
use apiflow_core::catalog;
use apiflow_core::diagnostic::Severity;
use apiflow_core::ports::{HttpReply, MemoryHold};

use super::*;

#[test]
fn every_entry_is_sound_and_its_sample_can_be_read() {
    let entries = read_entries().expect("the files are in order");
    assert!(entries.len() >= 20, "{}", entries.len());
    for (id, entry) in entries {
        let connector = catalog::parse_connector(&entry.connector).unwrap_or_else(|found| panic!("{id}: {found:?}"));
        let node = catalog::parse_node(&entry.node).unwrap_or_else(|found| panic!("{id}: {found:?}"));
        let found = catalog::check_call(&node, &connector);
        let errors: Vec<_> = found.iter().filter(|found| found.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{id}: {errors:?}");
        assert!(connector.secret_names().contains(&entry.item.secret.name), "{id}");

        let plan = compile_call(&node, &connector).unwrap_or_else(|found| panic!("{id}: {found:?}"));
        let given = entry.sample.input.as_object().expect("an input is an object");
        let known: Vec<&str> = node.input.iter().map(|input| input.name.as_str()).collect();
        assert!(given.keys().all(|name| known.contains(&name.as_str())), "{id}: {given:?}");
        plan.fill_arguments(given).unwrap_or_else(|error| panic!("{id}: {error:?}"));
        if let Some(reply) = &entry.sample.reply {
            let reading = read_sample(&plan, &entry.connector, reply);
            let is_read = matches!(reading, ReplyReading::Done(_) | ReplyReading::Download(_));
            assert!(is_read, "{id}: {reading:?}");
        }
    }
}

#[test]
fn every_declaration_fits_the_published_schema() {
    let validator = |schema: catalog::DeclarationSchema| {
        jsonschema::validator_for(&schema.to_document()).expect("the schema is a JSON Schema")
    };
    let connectors = validator(catalog::DeclarationSchema::Connector);
    let nodes = validator(catalog::DeclarationSchema::Node);
    for (id, entry) in read_entries().expect("the files are in order") {
        for (validator, declaration) in [(&connectors, &entry.connector), (&nodes, &entry.node)] {
            let faults: Vec<String> =
                validator.iter_errors(declaration).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
            assert!(faults.is_empty(), "{id}: {faults:#?}");
        }
    }
}

/// Whether it is a date such as `2026-11-28`.
fn is_date(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').filter(|part| part.parse::<u32>().is_ok()).map(str::len).collect();
    parts == [4, 2, 2]
}

#[test]
fn every_fact_has_its_source_and_date() {
    let is_source = |source: &LibrarySource| source.url.starts_with("https://") && is_date(&source.date);
    for (id, entry) in read_entries().expect("the files are in order") {
        assert!(
            is_source(&entry.source) && is_source(&entry.provider_details.source),
            "{id}: the facts have no source"
        );
        assert!(entry.item.docs.starts_with("https://") && entry.provider_details.docs.starts_with("https://"), "{id}");
        assert!(entry.item.secret.url.starts_with("https://"), "{id}: where are keys given out?");
        let source = entry.item.price_source.as_ref();
        assert!(source.is_none_or(is_source), "{id}: the price has no source");
        assert!(entry.item.price.is_none() || source.is_some(), "{id}: the price has no source");
        let says_why = entry.item.price_note.as_ref().is_some_and(|note| !note.is_empty());
        assert!(entry.item.price.is_some() || says_why, "{id}: `price_note` must say why there is no price");
        let described = entry.node["description"].as_str().is_some_and(|text| text.len() > 10);
        assert!(described, "{id}: the node has no description");
    }
}

/// Reads a reply as the one that contains the outputs.
fn read_sample(plan: &CallPlan, connector: &Value, reply: &Value) -> ReplyReading {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let url = connector["base_url"].as_str().expect("it is a URL").to_owned();
    let reply = HttpReply { status: 200, headers, body: reply.to_string().into(), url, memory: MemoryHold::default() };
    if !plan.has_operation() {
        return plan.read_submit(&reply);
    }
    match plan.read_poll(&Operation::default(), &reply) {
        // Without a state it is the reply to the request for the result.
        ReplyReading::Running(operation) => plan.read_result(&operation, &reply),
        reading @ (ReplyReading::Done(_)
        | ReplyReading::Fetch(_)
        | ReplyReading::Download(_)
        | ReplyReading::Again(_)
        | ReplyReading::Failed(_)) => reading,
    }
}
