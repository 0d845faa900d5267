//! Runs a workflow inside this program, against a stand-in for Replicate: no server, no database, no account.

use std::error::Error;
use std::io::Write as _;

use apiflow_core::http::OutgoingPolicy;
use apiflow_core::runtime::{local::Local, secrets::StaticSecrets};
use fake_providers::{Behaviour, Replicate};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let provider = Replicate::start(Behaviour::default()).await?;
    let secrets = StaticSecrets::new().with_secret("REPLICATE_API_TOKEN", "r8_made_up", &[]);
    // Calls to this machine are refused unless they are explicitly allowed.
    let mut flows = Local::new(secrets, OutgoingPolicy::parse(&provider.address().to_string())?)?;
    flows.declare_connector(&json!({"id": "replicate", "name": "Replicate", "base_url": provider.base_url(),
        "header": {"Authorization": "Bearer $REPLICATE_API_TOKEN"}}))?;
    flows.declare_node(&json!({"id": "flux", "name": "Flux", "connector_id": "replicate",
        "output": [{"name": "image", "type": "string", "mapping": "output"}],
        "data": {"path": "/models/black-forest-labs/flux-kontext-pro/predictions",
                 "body": {"input": "{{ input }}"}, "operation": "replicate"}}))?;
    let document = json!({"summary": "One picture", "value": {"modules": [{"id": "draw", "value": {
        "type": "script", "path": "node/flux",
        "input_transforms": {"prompt": {"type": "javascript", "expr": "flow_input.prompt"}}}}]}});
    let output = flows.run(&document, json!({"prompt": "a fox in the snow"})).await?;
    writeln!(std::io::stdout(), "{output}")?;
    Ok(())
}
