//! The stand-in for Replicate as a value: start, look, change, stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::behaviour::Behaviour;
use crate::connection::{Connection, Listener};
use crate::records::{CreateRecord, Stats};
use crate::routes;
use crate::state::{Memory, State};

/// Where to listen, and what to do at first.
#[derive(Clone, Debug)]
pub struct ReplicateOptions {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The behaviour at the start and after a reset.
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
/// | route | what |
/// |---|---|
/// | `POST /v1/models/{owner}/{name}/predictions`, `/v1/predictions`, `/v1/deployments/{owner}/{name}/predictions` | create, with `Prefer: wait[=s]` and `Cancel-After` |
/// | `GET /v1/predictions` | newest first; `cursor`, `created_after`, `created_before`, `source` |
/// | `GET /v1/predictions/{id}`, `POST /v1/predictions/{id}/cancel` | read, cancel |
/// | `GET /v1/models/{owner}/{name}`, `…/versions`, `…/versions/{id}`, `/v1/account` | schemas in Cog's form |
/// | `GET /delivery/{id}.png` | the output of a prediction that succeeded: a real PNG |
/// | `GET POST /_control` | the [`Behaviour`]; POST takes a JSON merge patch |
/// | `GET /_control/stats`, `POST /_control/reset`, `POST /_control/release` | [`Stats`]; forget all; let held creates go |
///
/// All else, `POST /v1` included, is 404. Models: `black-forest-labs/flux-kontext-pro`, `black-forest-labs/flux-schnell`,
/// `meta/meta-llama-3-8b-instruct`, `stability-ai/sdxl` (by version only) and those of [`Behaviour::models`]; the deployment `acme/kontext`.
pub struct Replicate {
    state: Arc<State>,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Replicate {
    /// Starts it in a task of the running tokio runtime. Errors: the address can't be bound.
    pub async fn start(options: impl Into<ReplicateOptions>) -> std::io::Result<Self> {
        let options = options.into();
        let tcp = TcpListener::bind(options.listen).await?;
        let address = tcp.local_addr()?;
        let state = Arc::new(State::new(options.behaviour, address.to_string()));
        let stop = CancellationToken::new();
        let app = routes::build_router(Arc::clone(&state)).into_make_service_with_connect_info::<Connection>();
        let listener = Listener { tcp, stop: stop.clone() };
        let server = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(server.into_future());
        Ok(Self { state, address, stop })
    }

    /// `http://127.0.0.1:PORT/v1`: what takes the place of `https://api.replicate.com/v1`.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// `http://127.0.0.1:PORT`: where the control routes are.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The knobs as they are, with the counters run down.
    pub fn behaviour(&self) -> Behaviour {
        self.state.read(|memory| memory.behaviour.clone())
    }

    /// Sets all knobs, for creates from now on.
    pub fn configure(&self, behaviour: Behaviour) {
        self.state.write(|memory| memory.behaviour = behaviour);
    }

    /// Changes some knobs, for creates from now on.
    pub fn adjust(&self, change: impl FnOnce(&mut Behaviour)) {
        self.state.write(|memory| change(&mut memory.behaviour));
    }

    /// The create calls in the order of their arrival.
    pub fn creates(&self) -> Vec<CreateRecord> {
        self.state.read(Memory::list_creates)
    }

    /// How many calls each route had, such as `GET /v1/predictions/{id}`; for unknown routes the path itself.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.state.read(Memory::count_by_route)
    }

    /// Counts and contents, predictions as they are now.
    pub fn stats(&self) -> Stats {
        self.state.collect_stats()
    }

    /// Waits until the calls seen so far satisfy `test`; `None` if they don't within `limit`.
    /// It looks whenever a call arrives, not when time alone moves a prediction on.
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

    /// Lets all creates go that are held back now.
    pub fn release(&self) {
        self.state.releases.send_modify(|count| *count += 1);
    }

    /// Forgets all calls and predictions and goes back to the behaviour of the start.
    pub fn reset(&self) {
        self.state.reset_all();
    }
}

impl Drop for Replicate {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
