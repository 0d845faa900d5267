//! Settings of a server, with their defaults: each is a flag of `apiflow serve` and an environment variable.

mod listen;
mod log_filter;
mod operation;
mod retention;
mod unknown;

use std::path::{Path, PathBuf};
use std::time::Duration;

use apiflow_core::http::{HttpLimits, OutgoingPolicy};
use apiflow_core::origin::Origin;
use axum::http::HeaderValue;
use clap::{Args, ValueEnum};

pub use self::listen::{ListenAddress, ListenAddressError};
pub(crate) use self::log_filter::parse_log_filter;
pub use self::operation::OperationSettings;
pub use self::retention::RetentionSettings;
pub(crate) use self::unknown::unknown_variables;
pub use crate::documents::limits::DocumentLimits;
use crate::http::local_url::is_local;
use crate::http::serving::{ServingLimits, default_max_connections};
use crate::http::trusted_proxies::TrustedProxies;

/// How long a connection may be idle: longer than common proxies keep theirs (60 s), so that the proxy closes first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// The assumed soft limit of open files if the system does not report one.
const DEFAULT_OPEN_FILES: u64 = 1_024;

/// The public URL of routes that no setting and no port belongs to.
const DEFAULT_PUBLIC_URL: &str = "http://localhost:8000";

/// Stands for a data folder that is created at the start of a demo and deleted at its end.
pub(crate) const TEMPORARY_FOLDER: &str = "<temporary folder>";

/// Settings of the routes alone.
#[derive(Debug, Clone)]
pub struct WebSettings {
    /// The URL under which users reach the server, without a trailing slash.
    pub public_url: String,
    /// Whether links in replies have `public_url`, whatever host a request names.
    pub has_public_url: bool,
    /// Origins whose pages may call the API with a token.
    pub cors_origins: Vec<HeaderValue>,
    /// Largest body of a request.
    pub body_limit_bytes: usize,
    /// Limits on the size of documents.
    pub documents: DocumentLimits,
    /// Where webhooks may be sent: the policy of all outgoing requests.
    pub outgoing: OutgoingPolicy,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: TrustedProxies,
    /// Token that callers on other machines must send to read the metrics; `None`: only this machine may.
    pub metrics_token: Option<String>,
    /// Total bytes of the values of a user's jobs that have not ended; further jobs are refused beyond it.
    pub max_user_bytes: u64,
    /// How long signed links to artifacts are valid unless their creator says otherwise, in seconds.
    pub link_seconds: u64,
    /// How the server runs jobs and keeps files, for those who read the settings.
    pub operation: OperationSettings,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            public_url: DEFAULT_PUBLIC_URL.to_owned(),
            has_public_url: true,
            cors_origins: Vec::new(),
            body_limit_bytes: 10 * 1024 * 1024,
            documents: DocumentLimits::default(),
            outgoing: OutgoingPolicy::default(),
            trusted_proxies: TrustedProxies::default(),
            metrics_token: None,
            max_user_bytes: 1024 * 1024 * 1024,
            link_seconds: 3_600,
            operation: OperationSettings::default(),
        }
    }
}

/// The part of the server that a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProcessRole {
    /// Serves the API and runs jobs.
    All,
    /// Serves the API only.
    Serve,
    /// Runs jobs only.
    Worker,
}

/// Whether providers may call the server with news of their work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WebhookMode {
    /// If PUBLIC_API_URL is https and not local.
    Auto,
    /// Always.
    On,
    /// Never: work is polled.
    Off,
}

/// All settings of a server.
///
/// Each can also be set in the environment, or in a file `.env` in the working directory. Flags override the
/// environment, which overrides the file.
#[derive(Args, Clone)]
pub struct Settings {
    /// Public URL of this server; links and the session cookie depend on it. Unset: `http://localhost` with the port that
    /// it listens on.
    #[arg(long, env = "PUBLIC_API_URL", value_name = "URL")]
    pub public_api_url: Option<String>,

    /// Whether providers are told an address below PUBLIC_API_URL that they call when work has ended: `auto` if
    /// PUBLIC_API_URL is https and not local, `on` or `off`. Work is polled slowly beside it.
    #[arg(long, env = "APIFLOW_WEBHOOKS", value_enum, default_value = "auto", value_name = "MODE")]
    pub webhooks: WebhookMode,

    /// Name of the first admin, created if there are no users yet.
    #[arg(long, env = "ADMIN_LOGIN", default_value = "admin", value_name = "NAME")]
    pub admin_login: String,

    /// Password of the first admin. If unset, a random one is generated and printed once. Unless PUBLIC_API_URL is
    /// local, it needs at least 12 characters. Later changes of this setting have no effect: change the password with
    /// the API.
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub admin_password: Option<String>,

    /// Address and port to listen on: `8000` (this machine only), `localhost:8000`, `0.0.0.0:8000` (all networks).
    #[arg(long, env = "APIFLOW_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    pub listen: ListenAddress,

    /// Database: `sqlite:path` or `postgres://…`. Unset: a SQLite file `apiflow.db` in the data folder.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,

    /// Starts a demo: all nodes of the library and an example workflow, with built-in stand-ins for their providers, so
    /// that everything can be tried without keys and without costs. Its data are in a temporary folder, or in the one that
    /// APIFLOW_DATA names, which must be empty or of an earlier demo. The password is printed at each start.
    #[arg(long)]
    pub demo: bool,

    /// Folder for the database and the key that encrypts secrets; created if missing.
    #[arg(long, env = "APIFLOW_DATA", default_value = "apiflow-data", value_name = "FOLDER")]
    #[arg(default_value_if("demo", "true", TEMPORARY_FOLDER))]
    pub data: PathBuf,

    /// Where artifacts are stored: a folder, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`, with the
    /// usual environment variables of each cloud for its credentials. Unset: `artifacts` in the data folder. All
    /// processes on one database need the same.
    #[arg(long, env = "APIFLOW_ARTIFACTS", value_name = "PLACE")]
    pub artifacts: Option<String>,

    /// How long artifacts and jobs are kept, and how large artifacts may be.
    #[command(flatten)]
    pub retention: RetentionSettings,

    /// Environment variables that are provider keys, separated by commas: `NAME`, or `NAME@https://api.example.com` to bind one to
    /// an origin.
    #[arg(long, env = "APIFLOW_SECRETS_FROM_ENV", default_value = "", value_name = "LIST")]
    pub secrets_from_env: String,

    /// Key that encrypts stored secrets: 32 bytes as 64 hex digits or base64. Unset: `secret.key` in the data folder,
    /// generated at the first start. All processes on one database need the same key.
    #[arg(long, env = "APIFLOW_SECRET_KEY", hide_env_values = true, value_name = "KEY")]
    pub secret_key: Option<String>,

    /// Deletes all stored secrets at this start: for a database whose key is lost.
    #[arg(long)]
    pub forget_secrets: bool,

    /// Private addresses that outgoing calls may reach, separated by commas: `host`, `host:port` or CIDR. All others are refused.
    #[arg(long, env = "APIFLOW_ALLOW_HOSTS", default_value = "", value_name = "LIST")]
    pub allow_hosts: String,

    /// Role of this process.
    #[arg(long, env = "APIFLOW_ROLE", value_enum, default_value = "all")]
    pub role: ProcessRole,

    /// Maximum number of jobs that this process runs at the same time.
    #[arg(long, env = "APIFLOW_CONCURRENCY", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..), value_name = "JOBS")]
    pub concurrency: u32,

    /// Maximum size of a step's result, in bytes of JSON; if exceeded, the step fails.
    #[arg(long, env = "APIFLOW_MAX_RESULT", default_value_t = 1024 * 1024, value_name = "BYTES")]
    pub max_result: usize,

    /// Maximum size of a provider's reply, in bytes; if exceeded, the step fails.
    #[arg(long, env = "APIFLOW_MAX_REPLY", default_value_t = HttpLimits::default().max_reply_bytes, value_name = "BYTES")]
    pub max_reply: usize,

    /// Maximum memory for all providers' replies together, in bytes, including the values that their JSON is parsed
    /// into (many times its size); further replies wait. At least four times APIFLOW_MAX_REPLY.
    #[arg(long, env = "APIFLOW_REPLY_MEMORY", default_value_t = HttpLimits::default().max_memory_bytes, value_name = "BYTES")]
    pub reply_memory: usize,

    /// Maximum number of iterations of a while loop; if exceeded, the loop fails.
    #[arg(long, env = "APIFLOW_MAX_WHILE_ITERATIONS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..), value_name = "NUMBER")]
    pub max_while_iterations: u64,

    /// Maximum number of events of a job; if exceeded, the job fails. A step takes about three.
    #[arg(long, env = "APIFLOW_MAX_EVENTS", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..), value_name = "NUMBER")]
    pub max_events: u64,

    /// Maximum size of a job's values (its input, results, replies) in bytes of JSON; if exceeded, the job fails.
    #[arg(long, env = "APIFLOW_MAX_JOB_BYTES", default_value_t = 256 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(1..), value_name = "BYTES")]
    pub max_job_bytes: u64,

    /// Maximum total size of the values of a user's jobs that have not ended, in bytes of JSON; if exceeded, the user's
    /// further jobs are refused until some have ended.
    #[arg(long, env = "APIFLOW_MAX_USER_BYTES", default_value_t = 1024 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(1..), value_name = "BYTES")]
    pub max_user_bytes: u64,

    /// Maximum number of providers' answers that wait in memory while the database is unavailable; further ones are
    /// dropped, and recovered if the provider has a list.
    #[arg(long, env = "APIFLOW_MAX_UNRECORDED_ANSWERS", default_value_t = 10_000, value_name = "NUMBER")]
    pub max_unrecorded_answers: usize,

    /// Maximum total size of those answers, in bytes of JSON.
    #[arg(long, env = "APIFLOW_MAX_UNRECORDED_BYTES", default_value_t = 256 * 1024 * 1024, value_name = "BYTES")]
    pub max_unrecorded_bytes: usize,

    /// Maximum number of times in a row that a job is started without making progress; if exceeded, the job is
    /// abandoned, because it crashes its worker.
    #[arg(long, env = "APIFLOW_MAX_TRIES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..), value_name = "NUMBER")]
    pub max_tries: u32,

    /// Trusted proxies in front of this server, separated by commas: addresses or CIDR. `X-Forwarded-For` is read only
    /// in their requests; the caller's address is used to count failed logins and to restrict `/metrics`.
    #[arg(long, env = "APIFLOW_TRUSTED_PROXIES", default_value = "", value_name = "LIST")]
    pub trusted_proxies: String,

    /// Token that callers on other machines must send to read `/metrics`, as `Authorization: Bearer …`. Unset: only
    /// this machine may read them.
    #[arg(long, env = "APIFLOW_METRICS_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub metrics_token: Option<String>,

    /// Origins whose pages may call the API with a token, separated by commas: `https://app.example.com`.
    #[arg(long, env = "APIFLOW_CORS_ORIGINS", default_value = "", value_name = "LIST")]
    pub cors_origins: String,

    /// Maximum size of a connector, node or workflow, in bytes of JSON; if exceeded, a write, check or run returns 413.
    #[arg(long, env = "APIFLOW_MAX_DOCUMENT", default_value_t = 2 * 1024 * 1024, value_name = "BYTES")]
    pub max_document: usize,

    /// Maximum number of modules of a workflow, including those inside loops and branches; if exceeded, a write, check
    /// or run returns 422.
    #[arg(long, env = "APIFLOW_MAX_MODULES", default_value_t = 5_000, value_name = "NUMBER")]
    pub max_modules: usize,

    /// Maximum size of a request's body, in bytes.
    #[arg(long, env = "APIFLOW_BODY_LIMIT", default_value_t = 10 * 1024 * 1024, value_name = "BYTES")]
    pub body_limit: usize,

    /// Maximum number of open connections. Unset: the soft limit of open files (`ulimit -n`) minus what the database
    /// and the jobs need.
    #[arg(long, env = "APIFLOW_MAX_CONNECTIONS", value_parser = clap::value_parser!(u32).range(1..), value_name = "NUMBER")]
    pub max_connections: Option<u32>,

    /// Maximum time for the head of a request to arrive, in seconds; if exceeded, the connection is closed.
    #[arg(long, env = "APIFLOW_HEAD_TIMEOUT_S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600), value_name = "SECONDS")]
    pub head_timeout_s: u64,

    /// Maximum time without progress while a client sends a body or reads a reply, in seconds; if exceeded, the request
    /// is answered with 408, or the connection is closed.
    #[arg(long, env = "APIFLOW_BODY_TIMEOUT_S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600), value_name = "SECONDS")]
    pub body_timeout_s: u64,

    /// Log filter: a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), and `crate=level` for single crates,
    /// separated by commas: `info,apiflow_server=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
}

/// An invalid setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct SettingError {
    /// The environment variable's name.
    pub name: &'static str,
    /// What is wrong, and how to fix it.
    pub message: String,
}

impl Settings {
    /// Returns the settings of the routes.
    pub fn web_settings(&self) -> Result<WebSettings, SettingError> {
        let wrong = |message: String| SettingError { name: "APIFLOW_CORS_ORIGINS", message };
        let listed = self.cors_origins.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let cors_origins = listed.map(|origin| {
            let is_origin = origin.split_once("://").is_some_and(|(scheme, rest)| {
                matches!(scheme, "http" | "https") && !rest.is_empty() && !rest.contains('/')
            });
            let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin);
            value.ok_or_else(|| {
                wrong(format!("`{origin}` is not an origin; use `https://app.example.com`, without a path"))
            })
        });
        Ok(WebSettings {
            public_url: self.public_url()?,
            has_public_url: self.public_api_url.as_ref().is_some_and(|url| !url.is_empty()),
            cors_origins: cors_origins.collect::<Result<_, _>>()?,
            body_limit_bytes: self.body_limit,
            documents: DocumentLimits { max_bytes: self.max_document, max_modules: self.max_modules },
            outgoing: OutgoingPolicy::parse(&self.allow_hosts)
                .map_err(|error| SettingError { name: "APIFLOW_ALLOW_HOSTS", message: error.to_string() })?,
            trusted_proxies: TrustedProxies::parse(&self.trusted_proxies)
                .map_err(|message| SettingError { name: "APIFLOW_TRUSTED_PROXIES", message })?,
            metrics_token: self.metrics_token.clone().filter(|token| !token.is_empty()),
            max_user_bytes: self.max_user_bytes,
            link_seconds: self.retention.link_seconds,
            operation: OperationSettings::from_settings(self),
        })
    }

    /// Returns the limits on connections, for a soft limit of open files.
    pub(crate) fn serving_limits(&self, open_files: Option<u64>) -> ServingLimits {
        let fitting = || default_max_connections(open_files.unwrap_or(DEFAULT_OPEN_FILES), self.concurrency);
        ServingLimits {
            max_connections: self.max_connections.map_or_else(fitting, |given| given as usize),
            head_timeout: Duration::from_secs(self.head_timeout_s),
            stall_timeout: Duration::from_secs(self.body_timeout_s),
            idle_timeout: IDLE_TIMEOUT,
        }
    }

    /// Returns the limits on calls to providers.
    pub(crate) fn http_limits(&self) -> Result<HttpLimits, SettingError> {
        let limits = HttpLimits {
            max_reply_bytes: self.max_reply,
            max_memory_bytes: self.reply_memory,
            ..HttpLimits::default()
        };
        let least = limits.max_reply_bytes.saturating_mul(4);
        if limits.max_memory_bytes < least || limits.max_reply_bytes == 0 {
            let (memory, reply) = (limits.max_memory_bytes, limits.max_reply_bytes);
            let message =
                format!("{memory} is too small for replies of up to {reply} bytes; it must be at least {least}");
            return Err(SettingError { name: "APIFLOW_REPLY_MEMORY", message });
        }
        Ok(limits)
    }

    /// Returns whether providers are told an address that they may call.
    pub(crate) fn accepts_webhooks(&self) -> bool {
        match self.webhooks {
            WebhookMode::Auto => {
                self.public_api_url.as_ref().is_some_and(|url| url.starts_with("https://") && !is_local(url))
            }
            WebhookMode::On => true,
            WebhookMode::Off => false,
        }
    }

    /// Returns the URL under which users reach the server, without a trailing slash.
    pub(crate) fn public_url(&self) -> Result<String, SettingError> {
        let Some(url) = self.public_api_url.as_ref().filter(|url| !url.is_empty()) else {
            return Ok(format!("http://localhost:{}", self.listen.port()));
        };
        let url = url.trim_end_matches('/').to_owned();
        if Origin::of_url(&url).is_none() {
            let message = format!("`{url}` is not an absolute http or https URL");
            return Err(SettingError { name: "PUBLIC_API_URL", message });
        }
        Ok(url)
    }

    /// Returns the URL of the database.
    pub fn database_url(&self) -> String {
        let own = || format!("sqlite:{}", self.data.join("apiflow.db").display());
        self.database_url.clone().filter(|url| !url.is_empty()).unwrap_or_else(own)
    }

    /// Whether the data folder is used at all.
    pub fn uses_folder(&self) -> bool {
        let has = |setting: &Option<String>| setting.as_ref().is_some_and(|value| !value.is_empty());
        !(has(&self.database_url) && has(&self.secret_key))
    }

    /// Returns the folder that only one process may use: that of the SQLite file.
    pub fn exclusive_folder(&self) -> Option<PathBuf> {
        let database = self.database_url();
        let path = database.strip_prefix("sqlite:")?.trim_start_matches("//");
        let path = Path::new(path.split('?').next().unwrap_or_default());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.to_owned())
    }
}
