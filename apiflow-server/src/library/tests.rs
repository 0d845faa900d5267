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
