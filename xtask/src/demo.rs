//! The main job, shown: a provider's stand-in, a node that calls it, a workflow of two calls, its run. Over REST only.

mod api;
mod progress;
mod site;
mod verdict;

use std::fs;

use serde_json::Value;

use self::api::Api;
use self::progress::Progress;
use self::site::Site;
use crate::say::{headline, say};
use crate::{Result, build, root};

/// Builds, starts and runs everything; ends well only if the job did, with the expected result.
pub(crate) async fn run(keep: bool) -> Result {
    let built = build::all(false).await?;
    headline("demo");
    let site = Site::start(&built).await?;
    say(format!("server    {}", site.url));
    say(format!("stand-in  {}\n", site.stand_in));
    let shown = show(&site).await;
    if let Err(reason) = &shown {
        say(format!("\n{}\n{reason}", site.log_tail()));
    }
    if keep {
        site.leave();
    } else {
        say("\nrun it with --keep to look at it in the browser");
    }
    shown
}

async fn show(site: &Site) -> Result {
    let mut api = Api::new(&site.url)?;
    api.login(site::ADMIN, &site.password).await?;
    say(format!("logged in as {}", site::ADMIN));

    let mut connector = document("connector.json")?;
    connector["base_url"] = format!("{}/v1", site.stand_in).into();
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
    let mut events = api.follow(&job_id).await?;
    while events.next().await?.is_some() {
        progress.show(&api.get(&format!("/jobs/{job_id}")).await?);
    }

    let job = api.get(&format!("/jobs/{job_id}")).await?;
    progress.show(&job);
    report(&job, &site.url);
    let stats = api.get_json(&format!("{}/_control/stats", site.stand_in)).await?;
    verdict::judge(&job, &run["input"], &stats)?;
    say("\nthe job completed as expected: two steps, two paid calls");
    Ok(())
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
