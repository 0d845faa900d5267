//! The stand-in for Replicate, used from Rust: start it, inspect it, change it, stop it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::behaviour::Behaviour;
use crate::connection::{Connection, Listener};
use crate::records::{CreateRecord, Stats};
use crate::routes;
use crate::state::{Memory, State};

/// The listen address and the initial behaviour.
#[derive(Clone, Debug)]
pub struct ReplicateOptions {
    /// The address; port 0 selects a free port.
    pub listen: SocketAddr,
    /// The behaviour after the start and after a reset.
    pub behaviour: Behaviour,
}

impl Default for ReplicateOptions {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), behaviour: Behaviour::default() }
    }
}

impl From<Behaviour> for ReplicateOptions {
    fn from(behaviour: Behaviour) -> Self {
        Self { behaviour, ..Self::default() }
    }
}

/// A running stand-in for Replicate; dropping it resets its connections and frees its port.
///
/// | route | effect |
/// |---|---|
/// | `POST /v1/models/{owner}/{name}/predictions`, `/v1/predictions`, `/v1/deployments/{owner}/{name}/predictions` | create, with `Prefer: wait[=s]` and `Cancel-After` |
/// | `GET /v1/predictions` | newest first; `cursor`, `created_after`, `created_before`, `source` |
/// | `GET /v1/predictions/{id}`, `POST /v1/predictions/{id}/cancel` | read, cancel |
/// | `GET /v1/models/{owner}/{name}`, `…/versions`, `…/versions/{id}`, `/v1/account` | schemas in Cog's form |
/// | `GET /v1/predictions/{id}/stream` | the output of a model that outputs text, as server-sent events |
/// | `GET POST /v1/files`, `GET DELETE /v1/files/{id}` | uploaded files, whose links are accepted as inputs |
/// | `GET /v1/webhooks/default/secret` | the secret of the webhooks that a create asks for (`webhook`, `webhook_events_filter`) |
/// | `GET /delivery/{id}.png` | the output of a prediction that succeeded: a real file |
/// | `GET POST /_control` | reads or changes the [`Behaviour`]; POST takes a JSON merge patch |
/// | `GET /_control/stats`, `POST /_control/reset`, `POST /_control/release` | reads [`Stats`]; forgets everything; releases held creates |
///
/// Any other route, including `POST /v1`, is 404. Models: `black-forest-labs/flux-kontext-pro`, `black-forest-labs/flux-schnell`,
/// `meta/meta-llama-3-8b-instruct`, `stability-ai/sdxl` (by version only) and those of [`Behaviour::models`]; the deployment `acme/kontext`.
pub struct Replicate {
    state: Arc<State>,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Replicate {
    /// Starts the stand-in in a task of the current tokio runtime. Fails if the address can't be bound.
    pub async fn start(options: impl Into<ReplicateOptions>) -> std::io::Result<Self> {
        let options = options.into();
        Self::serve(TcpListener::bind(options.listen).await?, options.behaviour, Router::new())
    }

    /// Serves the stand-in, and `others` beside it.
    pub(crate) fn serve(tcp: TcpListener, behaviour: Behaviour, others: Router) -> std::io::Result<Self> {
        let address = tcp.local_addr()?;
        let state = Arc::new(State::new(behaviour, address.to_string()));
        let stop = CancellationToken::new();
        let app = routes::build_router(Arc::clone(&state)).merge(others);
        let app = app.into_make_service_with_connect_info::<Connection>();
        let listener = Listener { tcp, stop: stop.clone() };
        let server = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(server.into_future());
        Ok(Self { state, address, stop })
    }

    /// Returns `http://127.0.0.1:PORT/v1`, which replaces `https://api.replicate.com/v1`.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// Returns `http://127.0.0.1:PORT`, the origin of the control routes.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address that the stand-in listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the current behaviour; its counters show what is left.
    pub fn behaviour(&self) -> Behaviour {
        self.state.read(|memory| memory.behaviour.clone())
    }

    /// Replaces the behaviour, for new creates.
    pub fn configure(&self, behaviour: Behaviour) {
        self.state.write(|memory| memory.behaviour = behaviour);
    }

    /// Changes parts of the behaviour, for new creates.
    pub fn adjust(&self, change: impl FnOnce(&mut Behaviour)) {
        self.state.write(|memory| change(&mut memory.behaviour));
    }

    /// The create calls in order of arrival.
    pub fn creates(&self) -> Vec<CreateRecord> {
        self.state.read(Memory::list_creates)
    }

    /// Returns the number of calls by route, such as `GET /v1/predictions/{id}`; unknown routes are counted by their path.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.state.read(Memory::count_by_route)
    }

    /// Returns counts, create calls and the current state of all predictions.
    pub fn stats(&self) -> Stats {
        self.state.collect_stats()
    }

    /// Waits until the received calls satisfy `test`; `None` if they don't within `limit`. `test` is evaluated after each call,
    /// not when a prediction changes with time.
    pub async fn until(&self, limit: Duration, test: impl Fn(&Stats) -> bool) -> Option<Stats> {
        let mut changes = self.state.subscribe_to_changes();
        let satisfied = async {
            loop {
                changes.mark_unchanged();
                let stats = self.state.collect_stats();
                if test(&stats) || changes.changed().await.is_err() {
                    return stats;
                }
            }
        };
        tokio::time::timeout(limit, satisfied).await.ok()
    }

    /// Releases all creates that are currently held.
    pub fn release(&self) {
        self.state.releases.send_modify(|count| *count += 1);
    }

    /// Forgets all calls and predictions and restores the initial behaviour.
    pub fn reset(&self) {
        self.state.reset_all();
    }
}

impl Drop for Replicate {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
