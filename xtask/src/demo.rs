//! The example of README.md over the REST API: a stand-in for a provider, a node that calls it, a workflow of two calls,
//! and a job of that workflow.

mod job_progress;
mod verdict;

use std::fs;
use std::time::Duration;

use serde_json::Value;

use self::job_progress::JobProgress;
use self::verdict::KeptPicture;
use crate::api_client::ApiClient;
use crate::build::{self, BUILD_PART_COUNT, BuiltPrograms};
use crate::output::{PartCounter, print_line};
use crate::servers::{ADMIN, ApiflowServer, FakeProvider, ServerSettings, generate_password};
use crate::{Result, workspace_root};

/// Time that the stand-in takes for an image, so that there is progress to show.
const PROVIDER_DELAY: Duration = Duration::from_millis(1500);

/// Links of the stand-in lead to real pictures.
const PROVIDER_BEHAVIOUR: &str = r#"{"delivery": "local"}"#;

/// Maximum duration of the job.
const JOB_TIMEOUT: Duration = Duration::from_mins(2);

/// Interval between two reads of a running job: a provider's progress is not an event of the job.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// Builds and starts the programs and runs the example. The web page is built only if they are left running.
///
/// # Errors
/// A build or a start fails, or the job does not end with the expected result.
pub async fn run(keep: bool) -> Result {
    if keep {
        let mut parts = PartCounter::new(BUILD_PART_COUNT + 1);
        build::build_page(&mut parts).await?;
        run_example(parts, keep).await
    } else {
        run_example(PartCounter::new(2), keep).await
    }
}

async fn run_example(mut parts: PartCounter, keep: bool) -> Result {
    let programs = build::build_programs(&mut parts, false).await?;
    parts.print_next("running the example");
    let (server, provider) = start_programs(&programs).await?;
    print_line(format!("server    {}\nstand-in  {}\n", server.url, provider.url));
    let outcome = run_job(&server, &provider).await;
    if outcome.is_err() {
        print_line(format!("\nthe server's log ends with\n{}\n", server.log_tail()));
    }
    if keep {
        leave_running(server, provider);
    } else {
        print_line("\nrun `cargo xtask demo --keep` to see it in the browser");
    }
    outcome
}

async fn start_programs(programs: &BuiltPrograms) -> Result<(ApiflowServer, FakeProvider)> {
    let provider = FakeProvider::start(&programs.fake_providers, PROVIDER_DELAY, PROVIDER_BEHAVIOUR).await?;
    let token = ("REPLICATE_API_TOKEN", provider.host().to_owned(), format!("r8_{}", generate_password()));
    let settings =
        ServerSettings { allowed_hosts: provider.host().to_owned(), secrets: vec![token], ..ServerSettings::default() };
    Ok((ApiflowServer::start(&programs.server, settings).await?, provider))
}

/// Leaves both running and prints how to log in and how to stop them.
fn leave_running(server: ApiflowServer, provider: FakeProvider) {
    print_line(format!("\nstill running: {}", server.url));
    print_line(format!("log in as {ADMIN} with the password {}", server.password));
    print_line(format!("stop it: {}; {}", server.leave_running(), provider.leave_running()));
}

async fn run_job(server: &ApiflowServer, provider: &FakeProvider) -> Result {
    let mut api = ApiClient::new(&server.url);
    api.log_in(ADMIN, &server.password).await?;
    print_line(format!("logged in as {ADMIN}"));

    let mut connector = read_document("connector.json")?;
    connector["base_url"] = format!("{}/v1", provider.url).into();
    create_document(&api, "connectors", &connector).await?;
    create_document(&api, "nodes", &read_document("node.json")?).await?;
    let workflow = read_document("workflow.json")?;
    create_document(&api, "workflows", &workflow).await?;

    let request = read_document("run.json")?;
    let id = str_or_empty(&workflow["id"]);
    let job = api.post(&format!("/workflow/{id}/run"), &request).await?;
    let job_id = str_or_empty(&job["id"]).to_owned();
    print_line(format!("job {job_id} runs workflow {id}\n"));
    let mut progress = JobProgress::start();
    let followed = tokio::time::timeout(JOB_TIMEOUT, follow_job(&api, &job_id, &mut progress)).await;
    followed.map_err(|_| format!("the job did not end within {} s", JOB_TIMEOUT.as_secs()))??;

    let job = api.get(&format!("/jobs/{job_id}")).await?;
    progress.print_changes(&job);
    print_job(&job);
    let stats = api.get_url(&format!("{}/_control/stats", provider.url)).await?;
    verdict::check_job(&job, &request["input"], &stats)?;
    verdict::check_pictures(&read_pictures(&api, &job).await?)?;
    print_line("\nthe job completed as expected: two steps, two paid calls, two different pictures kept");
    Ok(())
}

/// Reads the pictures of the steps, as they were kept and as the stand-in made them.
async fn read_pictures(api: &ApiClient, job: &Value) -> Result<Vec<KeptPicture>> {
    let mut pictures = Vec::new();
    for step in job["steps"].as_array().into_iter().flatten() {
        let id = str_or_empty(&step["output"]["output_image"]["artifact"]);
        let info = api.get(&format!("/artifacts/{id}/info")).await?;
        let kept = api.get_file(&format!("/artifacts/{id}")).await?;
        let made = api.get_file_of_url(str_or_empty(&info["provenance"]["link"])).await?;
        print_line(format!("kept {id}: {} bytes", kept.len()));
        pictures.push(KeptPicture { step: str_or_empty(&step["id"]).to_owned(), kept, made });
    }
    Ok(pictures)
}

/// Prints a job's progress until its events end.
async fn follow_job(api: &ApiClient, job_id: &str, progress: &mut JobProgress) -> Result {
    let mut events = api.follow_job(job_id).await?;
    loop {
        let event = tokio::time::timeout(POLL_INTERVAL, events.next_event()).await;
        progress.print_changes(&api.get(&format!("/jobs/{job_id}")).await?);
        match event {
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(reason)) => return Err(reason),
            Ok(Ok(Some(_))) | Err(_) => (),
        }
    }
}

/// Reads a document of the examples, as the tour in README.md uses it.
fn read_document(name: &str) -> Result<Value> {
    let file = workspace_root().join("examples/documents").join(name);
    let wrong = |error: &dyn std::fmt::Display| format!("`{}` can't be read: {error}", file.display());
    let text = fs::read_to_string(&file).map_err(|error| wrong(&error))?;
    serde_json::from_str(&text).map_err(|error| wrong(&error))
}

async fn create_document(api: &ApiClient, kind: &str, document: &Value) -> Result {
    let created = api.post(&format!("/{kind}"), document).await?;
    print_line(format!("created {kind}/{}: {}", str_or_empty(&created["id"]), str_or_empty(&created["name"])));
    for diagnostic in created["diagnostics"].as_array().into_iter().flatten() {
        let (severity, message) = (str_or_empty(&diagnostic["severity"]), str_or_empty(&diagnostic["message"]));
        print_line(format!("  {severity}: {message}"));
    }
    Ok(())
}

fn print_job(job: &Value) {
    print_line(format!("\njob {} {}", str_or_empty(&job["id"]), str_or_empty(&job["status"])));
    for step in job["steps"].as_array().into_iter().flatten() {
        print_line(format!("  {}: {}", str_or_empty(&step["id"]), step["output"]));
    }
    print_line(format!("output: {}", job["output"]));
    if !job["error"].is_null() {
        print_line(format!("error: {}", job["error"]));
    }
}

fn str_or_empty(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
