//! `apiflow serve --demo`: the nodes of the library with built-in stand-ins for their providers, and an example workflow.
//!
//! The stand-ins run in this process on free ports of the loopback interface. Their connectors are written anew at each
//! start, because the ports change; nodes and workflows are added only if they are missing.

mod documents;
mod folder;

use std::net::SocketAddr;

use fake_providers::{Behaviour, Delivery, MediaProviders, Provider, ReplicateOptions};

use self::folder::DemoFolder;
use crate::settings::{ProcessRole, Settings};
use crate::state::AppState;

/// How long the stand-ins' work takes, in milliseconds: long enough to see progress.
const WORK_MS: u64 = 1_500;

/// A running demo: dropping it stops the stand-ins and deletes a temporary folder.
pub(super) struct Demo {
    providers: MediaProviders,
    folder: DemoFolder,
}

impl Demo {
    /// Starts the stand-ins, opens the data folder and changes the settings so that the server uses both.
    ///
    /// # Errors
    /// A setting leads to data that are not the demo's, or a port or folder is unavailable.
    pub(super) async fn prepare(settings: &mut Settings) -> Result<Self, String> {
        refuse_foreign_data(settings)?;
        let folder = DemoFolder::open(&settings.data, settings.admin_password.as_deref())?;
        folder.path().clone_into(&mut settings.data);
        settings.admin_password = Some(folder.password().to_owned());
        // Keys of real providers are not for stand-ins.
        settings.secrets_from_env = String::new();
        settings.secret_key = None;
        let providers = start_stand_ins().await.map_err(|error| format!("the stand-ins cannot be started: {error}"))?;
        for address in providers.addresses() {
            settings.allow_hosts = format!("{},{address}", settings.allow_hosts);
        }
        Ok(Self { providers, folder })
    }

    /// Adds the library's connectors and nodes, and the example workflow.
    pub(super) async fn add_documents(&self, state: &AppState) -> Result<(), String> {
        let added = documents::add_documents(state, &self.providers).await;
        added.map_err(|problem| format!("the demo's documents cannot be added: {}", problem.in_words()))
    }

    /// Returns what the user needs to know, as lines of text.
    pub(super) fn describe(&self, address: &SocketAddr, settings: &Settings) -> String {
        let folder = self.folder.path().display();
        let kept = if self.folder.is_temporary() { "deleted when the demo stops" } else { "kept" };
        format!(
            "This is a demo: the library's providers are stand-ins in this program, so no keys are needed and nothing is paid.\n\
             \n  address   http://{address}\n  user      {user}\n  password  {password}\n  data      {folder} ({kept})\n\
             \nTry the workflow `{workflow}`, or any node.",
            user = settings.admin_login,
            password = self.folder.password(),
            workflow = documents::EXAMPLE_WORKFLOW,
        )
    }
}

/// Refuses settings that lead to databases, buckets or processes that are not the demo's own.
fn refuse_foreign_data(settings: &Settings) -> Result<(), String> {
    let is_set = |setting: &Option<String>| setting.as_ref().is_some_and(|value| !value.is_empty());
    for (name, is_set) in [
        ("DATABASE_URL", is_set(&settings.database_url)),
        ("APIFLOW_ARTIFACTS", is_set(&settings.artifacts)),
        ("APIFLOW_ROLE", settings.role != ProcessRole::All),
    ] {
        if is_set {
            return Err(format!(
                "--demo keeps everything in a folder of its own, in one process, so {name} must not be set; it may be set \
                 in .env"
            ));
        }
    }
    Ok(())
}

async fn start_stand_ins() -> std::io::Result<MediaProviders> {
    let behaviour = Behaviour {
        delay_ms: WORK_MS,
        delivery: Delivery::Local,
        progress_logs: true,
        models: documents::replicate_models(),
        ..Behaviour::default()
    };
    let providers = MediaProviders::start(ReplicateOptions { behaviour, ..ReplicateOptions::default() }).await?;
    for provider in Provider::ALL {
        providers.adjust(provider, |switches| switches.delay_ms = WORK_MS);
    }
    Ok(providers)
}
