//! The server that is measured, with the workflow in it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::{Echo, STEPS};
use crate::Result;
use crate::demo::{Api, Server, Settings};
use crate::say::say;

/// A server on one database, ready to run the workflow.
pub(crate) struct Site {
    api: Api,
    server: Server,
}

/// Clients that check documents until they are stopped.
pub(crate) struct Checkers {
    clients: JoinSet<()>,
    checks: Arc<AtomicUsize>,
}

impl Checkers {
    /// Stops the clients; an error where none of them had a document checked.
    pub(crate) async fn stop(mut self) -> Result {
        self.clients.shutdown().await;
        match self.checks.load(Ordering::Relaxed) {
            0 => Err("the clients beside had no document checked".to_owned()),
            checks => {
                say(format!("{checks} documents were checked meanwhile"));
                Ok(())
            }
        }
    }
}

impl Site {
    /// Starts the server, on a file of its own where no database is given, and declares all that the workflow needs; runs it once and counts the calls, so that what is
    /// measured is known to be the real thing.
    pub(crate) async fn start(program: &Path, folder: &Path, database: Option<String>, echo: &Echo) -> Result<Self> {
        let folder = tempfile::tempdir_in(folder).map_err(|error| format!("no temporary folder: {error}"))?;
        let allowed = echo.url.trim_start_matches("http://").to_owned();
        let settings = Settings { allowed, secrets: Vec::new(), database };
        let server = Server::start(program, folder, settings).await?;
        let mut api = Api::new(&server.url)?;
        api.login(crate::demo::ADMIN, &server.password).await?;
        api.post("/connectors", &json!({"id": "echo", "name": "Echo", "base_url": echo.url, "method": "POST"})).await?;
        api.post("/nodes", &node()).await?;
        api.post("/workflows", &json!({"id": "bench", "name": "Bench", "nodes": document()})).await?;
        api.post("/workflows", &json!({"id": "choice", "name": "Choice", "nodes": choice("[1].length === 1")})).await?;
        let site = Self { api, server };
        let before = echo.calls();
        site.run().await?;
        let calls = echo.calls() - before;
        if calls == STEPS { Ok(site) } else { Err(format!("one run made {calls} calls instead of {STEPS}")) }
    }

    /// Runs the workflow and waits for its result, in one call.
    pub(crate) async fn run(&self) -> Result {
        let job = self.api.run_and_wait("/workflow/bench/run", &json!({"input": {}})).await?;
        let value = &job["output"]["value"];
        if *value == STEPS { Ok(()) } else { Err(format!("the workflow gave {job} instead of {STEPS}")) }
    }
}

impl Site {
    /// Starts jobs whose expressions do not end.
    pub(crate) async fn start_hostile(&self, jobs: usize) -> Result {
        let body = choice("(() => { let n = 0; while (true) { for (let i = 0; i < 1e6; i++) n++; } })()");
        let value = json!({"type": "forloopflow", "skip_failures": true, "modules": body["value"]["modules"],
            "iterator": {"type": "static", "value": (0..1_000).collect::<Vec<_>>()}});
        let document = json!({"summary": "Hostile", "value": {"modules": [{"id": "loop", "value": value}]}});
        for _ in 0..jobs {
            self.api.post("/workflows/run", &json!({"document": document, "input": {}})).await?;
        }
        Ok(())
    }

    /// Starts clients of a user of their own that check the largest document that is taken, each one after the other.
    pub(crate) async fn start_checkers(&self, clients: usize) -> Result<Checkers> {
        let password = "a password of the bench";
        self.api.post("/users", &json!({"username": "checker", "password": password})).await?;
        let mut api = Api::new(&self.server.url)?;
        api.login("checker", password).await?;
        let (api, body) = (Arc::new(api), Arc::new(json!({"document": largest()})));
        let checks = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let (api, body, checks) = (api.clone(), body.clone(), checks.clone());
            tasks.spawn(async move {
                loop {
                    // Those for whom there is no place come back later.
                    match api.post("/workflows/validate", &body).await {
                        Ok(_) => drop(checks.fetch_add(1, Ordering::Relaxed)),
                        Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                    }
                }
            });
        }
        Ok(Checkers { clients: tasks, checks })
    }

    /// Runs a job of one JavaScript predicate and waits for its end.
    pub(crate) async fn choose(&self) -> Result {
        let job = self.api.run_and_wait("/workflow/choice/run", &json!({"input": {}})).await?;
        if job["status"] == "completed" { Ok(()) } else { Err(format!("the choice ended as {job}")) }
    }
}

/// One step that goes on where an expression holds.
fn choice(expr: &str) -> Value {
    let branches = json!([{"expr": expr, "modules": [{"id": "yes", "value": {"type": "identity"}}]}]);
    json!({"summary": "Choice", "value": {"modules": [
        {"id": "choice", "value": {"type": "branchone", "branches": branches, "default": []}},
    ]}})
}

/// As many modules and about as many bytes as a document may have.
fn largest() -> Value {
    let module = |number: usize| {
        let text = json!({"type": "javascript", "expr": format!("`${{flow_input.text ?? 'nothing'}} and {number}`")});
        json!({"id": format!("step_{number}"), "summary": "A step of a document as large as it may be. ".repeat(3),
            "value": {"type": "identity"}, "skip_if": {"expr": format!("flow_input.skip === {number}")},
            "sleep": text, "retry": {"constant": {"attempts": 2, "seconds": 5}}})
    };
    json!({"summary": "Largest", "value": {"modules": (0..5_000).map(module).collect::<Vec<_>>()}})
}

fn node() -> Value {
    json!({
        "id": "step", "name": "Step", "connector_id": "echo",
        "input": [{"name": "value", "type": "integer", "required": true}],
        "output": [{"name": "value", "type": "integer", "mapping": "value"}],
        "data": {"path": "/step"},
    })
}

/// Steps in sequence, each with the value of the one before.
fn document() -> Value {
    let module = |at: usize| {
        let value = match at {
            0 => json!({"type": "static", "value": 0}),
            _ => json!({"type": "javascript", "expr": format!("results.step_{}.value", at - 1)}),
        };
        let transforms = Map::from_iter([("value".to_owned(), value)]);
        json!({"id": format!("step_{at}"), "value": {"type": "script", "path": "node/step", "input_transforms": transforms}})
    };
    json!({"summary": "Bench", "value": {"modules": (0..STEPS).map(module).collect::<Vec<_>>()}})
}
