//! Runs a workflow of two pictures inside this program and keeps them in a folder: the second step gets the first one's
//! picture and puts a hat on it. Usage: `keep [FOLDER]`.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use apiflow_core::artifacts::{ArtifactSettings, LocalRecords, StoredArtifacts};
use apiflow_core::http::OutgoingPolicy;
use apiflow_core::runtime::clock::SystemClock;
use apiflow_core::runtime::{local::Local, secrets::StaticSecrets};
use fake_providers::{Behaviour, Delivery, Replicate};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "pictures".to_owned()));
    let records = Arc::new(LocalRecords::open_folder(&folder.join("records")).await?);
    let settings = ArtifactSettings::new("artifact:");
    let artifacts = StoredArtifacts::in_folder(&folder.join("contents"), records, Arc::new(SystemClock), settings)?;

    let provider = Replicate::start(Behaviour { delivery: Delivery::Local, ..Behaviour::default() }).await?;
    let secrets = StaticSecrets::new().with_secret("REPLICATE_API_TOKEN", "r8_made_up", &[]);
    // Calls to this machine are refused unless they are explicitly allowed.
    let policy = OutgoingPolicy::parse(&provider.address().to_string())?;
    let mut flows = Local::new(secrets, policy)?.with_artifacts(Arc::new(artifacts));
    flows.declare_connector(&json!({"id": "replicate", "name": "Replicate", "base_url": provider.base_url(),
        "header": {"Authorization": "Bearer $REPLICATE_API_TOKEN"}}))?;
    flows.declare_node(&json!({"id": "flux", "name": "Flux", "connector_id": "replicate",
        "input": [{"name": "prompt", "type": "string", "required": true}, {"name": "input_image", "type": "image"}],
        "output": [{"name": "image", "type": "image", "mapping": "output"}],
        "data": {"path": "/models/black-forest-labs/flux-kontext-pro/predictions",
                 "body": {"input": "{{ input }}"}, "operation": "replicate"}}))?;
    let step = |id: &str, inputs: Value| json!({"id": id, "value": {"type": "script", "path": "node/flux", "input_transforms": inputs}});
    let document = json!({"summary": "A person with a hat", "value": {"modules": [
        step("draw", json!({"prompt": {"type": "javascript", "expr": "flow_input.prompt"}})),
        step("add_hat", json!({"prompt": {"type": "static", "value": "Add a hat"},
                               "input_image": {"type": "javascript", "expr": "results.draw.image"}})),
    ]}});
    let output = flows.run(&document, json!({"prompt": "a person in a park"})).await?;
    writeln!(std::io::stdout(), "{output}")?;
    Ok(())
}
