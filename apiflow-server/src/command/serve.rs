//! `apiflow serve`.

#[cfg(feature = "demo")]
mod demo;
#[cfg(not(feature = "demo"))]
#[path = "serve/no_demo.rs"]
mod demo;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::artifacts::StoredArtifacts;
use apiflow_core::http::{Http, OutgoingPolicy};
use apiflow_core::ports::Clock;
use apiflow_core::runtime::clock::SystemClock;
use apiflow_core::runtime::sandbox::{SandboxEvaluator, SandboxSettings};
use apiflow_core::runtime::secrets::EnvSecrets;
use apiflow_core::runtime::{Runtime, RuntimeParts, RuntimeSettings};
use apiflow_store::Stores;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::demo::Demo;
use crate::artifacts::links::KEY_PURPOSE;
use crate::artifacts::open::{ArtifactPlace, artifact_settings, open_artifacts};
use crate::artifacts::retention::Retention;
use crate::command::lock;
use crate::command::lock::FolderLock;
use crate::command::print_line;
use crate::http::serving;
use crate::http::serving::{ServingLimits, open_files_limit};
use crate::jobs::webhook_sender::send_messages;
use crate::record_cache::{CachedStores, cache_records};
use crate::secrets::{Sealer, SecretBook, SecretsWithWebhooks};
use crate::settings::{ListenAddress, ProcessRole, Settings, parse_log_filter, unknown_variables};
use crate::state::{AppState, Parts};
use crate::users::bootstrap_admin::ensure_first_admin;

/// How long open requests may take after the signal to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Memory limit of one expression's evaluation.
const EVALUATION_MEMORY_BYTES: u64 = 128 * 1024 * 1024;
const EVALUATION_TIMEOUT: Duration = Duration::from_secs(2);

/// Starts a server and returns once it has stopped.
pub(super) fn run(settings: Settings, dotenv: dotenvy::Result<()>) -> Result<(), String> {
    start_log(&settings)?;
    report_dotenv(dotenv)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("threads cannot be started: {error}"))?;
    let done = runtime.block_on(run_server(settings));
    runtime.shutdown_timeout(Duration::from_secs(5));
    done
}

fn start_log(settings: &Settings) -> Result<(), String> {
    let filter = parse_log_filter(&settings.log).map_err(|error| format!("RUST_LOG: {error}"))?;
    let to_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(to_terminal)
        // A log that cannot be written, such as on a full disk, is reported by a panic otherwise.
        .log_internal_errors(false)
        .try_init()
        .map_err(|error| format!("the log cannot be started: {error}"))
}

fn report_dotenv(dotenv: dotenvy::Result<()>) -> Result<(), String> {
    match dotenv {
        Ok(()) => tracing::info!("settings read from .env"),
        Err(error) if error.not_found() => {}
        Err(dotenvy::Error::LineParse(..)) => {
            // What the error quotes may be a password.
            let line = std::fs::read_to_string(".env").map_or(0, |text| unreadable_line(&text));
            return Err(format!(
                ".env: line {line} is invalid: use NAME=value, with quotes around values that contain spaces"
            ));
        }
        Err(_) => return Err(".env cannot be read".to_owned()),
    }
    Ok(())
}

/// Returns the number of the first unreadable line of a settings file, from 1.
fn unreadable_line(text: &str) -> usize {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let reads = |count: &usize| dotenvy::from_read_iter(lines[..*count].concat().as_bytes()).all(|line| line.is_ok());
    // The last readable prefix, because one that ends inside quotes is not readable either.
    (0..=lines.len()).rev().find(reads).map_or(1, |count| count + 1)
}

async fn run_server(mut settings: Settings) -> Result<(), String> {
    // Dropped last: its temporary folder is deleted.
    let demo = if settings.demo { Some(Demo::prepare(&mut settings).await?) } else { None };
    let mut web = settings.web_settings().map_err(|error| error.to_string())?;
    let artifact_place =
        ArtifactPlace::from_settings(&settings).map_err(|message| format!("APIFLOW_ARTIFACTS: {message}"))?;
    if settings.uses_folder() {
        make_folder(&settings.data)?;
    }
    let _lock = lock_data_folder(&settings)?;
    // The port is bound before the database is opened: of two servers started by mistake the second changes nothing.
    let listener = match settings.role {
        ProcessRole::All | ProcessRole::Serve => Some(bind_listener(&settings.listen).await?),
        ProcessRole::Worker => None,
    };
    if let Some(listener) = &listener {
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        settings.listen.set_port(address.port());
        web.public_url = settings.public_url().map_err(|error| error.to_string())?;
    }
    let CachedStores { stores, cached_documents, records } =
        cache_records(&open(&settings).await?, &settings.database_url());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let secrets = Arc::new(open_secret_book(&settings, &stores, &clock)?);
    if settings.forget_secrets {
        secrets.forget_sealed().await.map_err(|error| error.to_string())?;
        tracing::warn!("all stored secrets were deleted: set them again");
    }
    secrets.check_key().await.map_err(|error| error.to_string())?;
    let artifact_settings = artifact_settings(&settings, &web.public_url, &secrets.derive_key(KEY_PURPOSE));
    let artifacts = open_artifacts(&artifact_place, stores.artifacts.clone(), clock.clone(), artifact_settings);
    let artifacts = Arc::new(artifacts.map_err(|error| format!("APIFLOW_ARTIFACTS: {error}"))?);
    let runtime = Runtime::new(
        runtime_parts(&settings, &stores, &artifacts, &secrets, &clock)?,
        RuntimeSettings {
            concurrency: settings.concurrency,
            max_result_bytes: settings.max_result,
            max_while_iterations: settings.max_while_iterations,
            max_events: settings.max_events,
            max_job_bytes: settings.max_job_bytes,
            max_tries: settings.max_tries,
            max_unrecorded_answers: settings.max_unrecorded_answers,
            max_unrecorded_bytes: settings.max_unrecorded_bytes,
            webhooks: settings.accepts_webhooks(),
            ..RuntimeSettings::new(format!("{}-{}", std::process::id(), uuid::Uuid::now_v7()))
        },
    );
    print_greeting(&settings, &stores, &*clock, &web.public_url).await?;
    let limits = serving_limits(&settings);
    let stop = CancellationToken::new();
    let signal = tokio::spawn(StopSignals::listen_for_signals()?.stop_at_first(stop.clone()));
    let works = matches!(settings.role, ProcessRole::All | ProcessRole::Worker);
    let work = {
        let (runtime, stop) = (runtime.clone(), stop.clone());
        async move {
            if works {
                runtime.run_worker(stop.cancelled_owned()).await;
            }
        }
    };
    let state = AppState::new(Parts {
        runtime,
        store: Arc::clone(&stores.store),
        documents: Arc::clone(&stores.documents),
        cached_documents,
        records,
        accounts: Arc::clone(&stores.accounts),
        artifacts: Arc::clone(&artifacts),
        statements: Arc::clone(&stores.statements),
        secrets,
        clock: Arc::clone(&clock),
        settings: web,
        stop: stop.clone(),
    });
    fill_demo(demo.as_ref(), listener.as_ref(), &state, &settings).await?;
    let webhooks = {
        let (state, stop) = (state.clone(), stop.clone());
        async move {
            if works {
                send_messages(state, stop).await;
            }
        }
    };
    let retention = {
        let (settings, counters) = (settings.retention.clone(), Arc::clone(&state.retention));
        let retention = Retention::new(Arc::clone(&artifacts), &stores, clock, settings, counters);
        let stop = stop.clone();
        async move {
            if works {
                retention.run(stop).await;
            }
        }
    };
    let served = serve_requests(listener, state, limits, stop.clone());
    let (served, (), (), ()) = tokio::join!(served, work, retention, webhooks);
    signal.abort();
    served
}

/// Adds the documents of a demo, if this is one, and prints how to use it.
async fn fill_demo(
    demo: Option<&Demo>,
    listener: Option<&TcpListener>,
    state: &AppState,
    settings: &Settings,
) -> Result<(), String> {
    let (Some(demo), Some(listener)) = (demo, listener) else { return Ok(()) };
    demo.add_documents(state).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    print_line(&demo.describe(&address, settings))
}

async fn serve_requests(
    listener: Option<TcpListener>,
    state: AppState,
    limits: ServingLimits,
    stop: CancellationToken,
) -> Result<(), String> {
    let Some(listener) = listener else {
        stop.cancelled().await;
        return Ok(());
    };
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    print_line(&format!("apiflow listens on http://{address}"))?;
    let serving = serving::serve_connections(listener, crate::router(state), limits, stop.clone());
    let patience = async {
        stop.cancelled().await;
        tokio::time::sleep(STOP_TIMEOUT).await;
    };
    tokio::select! {
        () = serving => {}
        () = patience => tracing::warn!("closing requests that are still open"),
    }
    Ok(())
}

/// Returns the limits on connections; warns if the system's limit of open files is too low for them.
fn serving_limits(settings: &Settings) -> ServingLimits {
    let open_files = open_files_limit();
    let limits = settings.serving_limits(open_files);
    if open_files.is_some_and(|open_files| limits.max_connections as u64 >= open_files) {
        tracing::warn!(
            "APIFLOW_MAX_CONNECTIONS is {}, but this process may have {} files open: raise `ulimit -n`",
            limits.max_connections,
            open_files.unwrap_or_default()
        );
    }
    limits
}

/// Creates the data folder for its owner only; an existing one keeps its permissions.
fn make_folder(folder: &Path) -> Result<(), String> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| format!("APIFLOW_DATA: the folder {} cannot be created: {error}", folder.display()))
}

fn lock_data_folder(settings: &Settings) -> Result<Option<FolderLock>, String> {
    let Some(folder) = settings.exclusive_folder() else { return Ok(None) };
    lock::lock_folder(&folder).map(Some)
}

async fn bind_listener(address: &ListenAddress) -> Result<TcpListener, String> {
    let wrong = |error: std::io::Error| format!("APIFLOW_LISTEN: cannot listen on {address}: {error}");
    let found = address.resolve_addresses().await.map_err(wrong)?;
    TcpListener::bind(found.as_slice()).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            return format!("{address} is in use by another program; stop it, or choose another with APIFLOW_LISTEN");
        }
        wrong(error)
    })
}

async fn open(settings: &Settings) -> Result<Stores, String> {
    apiflow_store::open(&settings.database_url()).await.map_err(|error| error.to_string())
}

fn open_secret_book(settings: &Settings, stores: &Stores, clock: &Arc<dyn Clock>) -> Result<SecretBook, String> {
    let sealer = match settings.secret_key.as_deref().filter(|key| !key.is_empty()) {
        Some(key) => Sealer::from_text(key, "APIFLOW_SECRET_KEY"),
        None => Sealer::from_file(&settings.data.join("secret.key")),
    };
    let sealer = sealer.map_err(|error| error.to_string())?;
    let environment = EnvSecrets::from_list(&settings.secrets_from_env, |name| std::env::var(name).ok())
        .map_err(|error| format!("APIFLOW_SECRETS_FROM_ENV: {error}"))?;
    warn_about_environment(&environment);
    Ok(SecretBook::new(Arc::clone(&stores.secrets), environment, sealer, Arc::clone(clock)))
}

/// Warns about provider keys that are listed but not set, and about environment variables that look like settings but
/// are none.
fn warn_about_environment(secrets: &EnvSecrets) {
    for (name, _) in secrets.listed_names() {
        if std::env::var(name).unwrap_or_default().is_empty() {
            tracing::warn!(
                "APIFLOW_SECRETS_FROM_ENV lists {name}, which is not set: workflows that need this secret cannot run"
            );
        }
    }
    let present = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for warning in unknown_variables(present, secrets) {
        tracing::warn!("{warning}");
    }
}

fn runtime_parts(
    settings: &Settings,
    stores: &Stores,
    artifacts: &Arc<StoredArtifacts>,
    secrets: &Arc<SecretBook>,
    clock: &Arc<dyn Clock>,
) -> Result<RuntimeParts, String> {
    let policy =
        OutgoingPolicy::parse(&settings.allow_hosts).map_err(|error| format!("APIFLOW_ALLOW_HOSTS: {error}"))?;
    let limits = settings.http_limits().map_err(|error| error.to_string())?;
    let public_url = settings.public_url().map_err(|error| error.to_string())?;
    let addresses = SecretsWithWebhooks::new(Arc::clone(secrets), public_url);
    let http = Http::new(policy, Arc::new(addresses), limits).map_err(|error| error.to_string())?;
    Ok(RuntimeParts {
        store: Arc::clone(&stores.store),
        artifacts: Arc::clone(artifacts) as _,
        http: Arc::new(http.with_artifacts(Arc::clone(artifacts) as _)),
        evaluator: Arc::new(sandbox_evaluator()?),
        clock: Arc::clone(clock),
    })
}

/// Expressions are evaluated in child processes of this program.
pub(super) fn sandbox_evaluator() -> Result<SandboxEvaluator, String> {
    // On Linux this path stays valid if the file is replaced by a newer one while the server runs.
    let own = Path::new("/proc/self/exe");
    let program = if own.exists() { Ok(own.to_owned()) } else { std::env::current_exe() };
    Ok(SandboxEvaluator::new(SandboxSettings {
        program: program.map_err(|error| format!("the path of this program cannot be determined: {error}"))?,
        arguments: vec![super::EVALUATOR.to_owned()],
        processes: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        memory_bytes: EVALUATION_MEMORY_BYTES,
        deadline: EVALUATION_TIMEOUT,
    }))
}

async fn print_greeting(
    settings: &Settings,
    stores: &Stores,
    clock: &dyn Clock,
    public_url: &str,
) -> Result<(), String> {
    if settings.role == ProcessRole::Worker {
        return Ok(());
    }
    let password = settings.admin_password.as_deref();
    let made_up = ensure_first_admin(&*stores.accounts, clock, &settings.admin_login, password, public_url)
        .await
        .map_err(|error| error.to_string())?;
    match made_up {
        None => Ok(()),
        Some(password) => print_line(&format!(
            "The first admin is `{}` with the password {password}\nIt is shown only once; change it after the first login.",
            settings.admin_login
        )),
    }
}

/// The signals that stop the server, caught from now on.
struct StopSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn listen_for_signals() -> Result<Self, String> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let catch = |kind| signal(kind).map_err(|error| format!("signals cannot be caught: {error}"));
            Ok(Self { interrupt: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn stop_at_first(mut self, stop: CancellationToken) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "Ctrl-C cannot be caught");
            std::future::pending::<()>().await;
        }
        tracing::info!("stopping");
        stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::unreadable_line;

    #[test]
    fn an_unreadable_line_is_told_by_its_number() {
        for (text, expected) in [
            ("ADMIN_PASSWORD=my secret pass", 1),
            ("A=1\n# note\nADMIN_PASSWORD=my secret pass\nB=2\n", 3),
            ("A=\"first\nsecond\"\nB=x y\n", 3),
            ("A=1\nB=\"never\nclosed\n", 2),
        ] {
            assert_eq!(unreadable_line(text), expected, "{text}");
        }
    }
}
