//! The main job, shown: a provider's stand-in, a node that calls it, a workflow of two calls, its run. Over REST only.

mod api;
mod progress;
mod site;
mod verdict;

use std::fs;
use std::time::Duration;

use serde_json::Value;

pub(crate) use self::api::Api;
use self::progress::Progress;
pub(crate) use self::site::{ADMIN, Provider, Server, Settings};
use crate::say::{headline, say};
use crate::{Result, build, root};

/// How long the stand-in takes for a picture, so that there is progress to see.
const DELAY: Duration = Duration::from_millis(1500);

/// How long the job may take.
const LIMIT: Duration = Duration::from_mins(2);

/// How often a running job is looked at between its events.
const GLANCE: Duration = Duration::from_millis(300);

/// Builds, starts and runs everything; ends well only if the job did, with the expected result.
pub(crate) async fn run(keep: bool) -> Result {
    let built = build::all(false).await?;
    headline("demo");
    let provider = Provider::start(&built.fake_providers, DELAY).await?;
    let token = ("REPLICATE_API_TOKEN", provider.host().to_owned(), format!("r8_{}", site::random()));
    let settings = Settings { allowed: provider.host().to_owned(), secrets: vec![token], database: None };
    let server = Server::fresh(&built.server, settings).await?;
    say(format!("server    {}\nstand-in  {}\n", server.url, provider.url));
    let shown = show(&server, &provider).await;
    if shown.is_err() {
        say(format!("\nthe server's log ends with\n{}\n", server.log_tail()));
    }
    if keep {
        leave(server, provider);
    } else {
        say("\nrun it with --keep to look at it in the browser");
    }
    shown
}

/// Leaves both running and says how to go on.
fn leave(server: Server, provider: Provider) {
    say(format!("\nstill running: {}", server.url));
    say(format!("log in as {ADMIN} with the password {}", server.password));
    say(format!("stop it: {}; {}", server.leave(), provider.leave()));
}

async fn show(server: &Server, provider: &Provider) -> Result {
    let mut api = Api::new(&server.url)?;
    api.login(ADMIN, &server.password).await?;
    say(format!("logged in as {ADMIN}"));

    let mut connector = document("connector.json")?;
    connector["base_url"] = format!("{}/v1", provider.url).into();
    declare(&api, "connectors", &connector).await?;
    declare(&api, "nodes", &document("node.json")?).await?;
    let workflow = document("workflow.json")?;
    declare(&api, "workflows", &workflow).await?;

    let run = document("run.json")?;
    let id = text(&workflow["id"]);
    let job = api.post(&format!("/workflow/{id}/run"), &run).await?;
    let job_id = text(&job["id"]).to_owned();
    say(format!("job {job_id} runs workflow {id}\n"));
    let mut progress = Progress::start();
    let watched = tokio::time::timeout(LIMIT, watch(&api, &job_id, &mut progress)).await;
    watched.map_err(|_| format!("the job did not end within {} s", LIMIT.as_secs()))??;

    let job = api.get(&format!("/jobs/{job_id}")).await?;
    progress.show(&job);
    report(&job, &server.url);
    let stats = api.get_json(&format!("{}/_control/stats", provider.url)).await?;
    verdict::judge(&job, &run["input"], &stats)?;
    say("\nthe job completed as expected: two steps, two paid calls");
    Ok(())
}

/// Shows a job's progress until its events end.
async fn watch(api: &Api, job: &str, progress: &mut Progress) -> Result {
    let mut events = api.follow(job).await?;
    loop {
        // A provider's progress is no event of the job: it is looked at in between.
        let event = tokio::time::timeout(GLANCE, events.next()).await;
        progress.show(&api.get(&format!("/jobs/{job}")).await?);
        match event {
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(reason)) => return Err(reason),
            Ok(Ok(Some(_))) | Err(_) => (),
        }
    }
}

/// A declaration of the examples, as the tour in README.md uses it.
fn document(name: &str) -> Result<Value> {
    let file = root().join("examples/documents").join(name);
    let wrong = |error: &dyn std::fmt::Display| format!("`{}` can't be read: {error}", file.display());
    let text = fs::read_to_string(&file).map_err(|error| wrong(&error))?;
    serde_json::from_str(&text).map_err(|error| wrong(&error))
}

async fn declare(api: &Api, kind: &str, document: &Value) -> Result {
    let made = api.post(&format!("/{kind}"), document).await?;
    say(format!("declared {kind}/{}: {}", text(&made["id"]), text(&made["name"])));
    let findings = made["diagnostics"].as_array().into_iter().flatten();
    for finding in findings {
        say(format!("  {}: {}", text(&finding["severity"]), text(&finding["message"])));
    }
    Ok(())
}

fn report(job: &Value, url: &str) {
    say(format!("\njob {} {}", text(&job["id"]), text(&job["status"])));
    for step in job["steps"].as_array().into_iter().flatten() {
        say(format!("  {}: {}", text(&step["id"]), step["output"]));
    }
    say(format!("output: {}", job["output"]));
    if !job["error"].is_null() {
        say(format!("error: {}", job["error"]));
    }
    say(format!("see it at {url}/jobs/{}", text(&job["id"])));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
