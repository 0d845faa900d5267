//! The stand-ins for all providers at one address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, body::Bytes};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::connection::{Connection, Listener};
use crate::provider::Provider;
use crate::providers::{bfl, elevenlabs, fal, files, openai, stability};
use crate::records::MediaStats;
use crate::replicate::{Replicate, ReplicateOptions};
use crate::switches::Switches;
use crate::world::World;

/// The largest body of a call, in bytes.
const MAX_BODY_BYTES: usize = 512 * 1024 * 1024;

/// Running stand-ins for Replicate, fal, OpenAI, Stability AI, ElevenLabs and Black Forest Labs; dropping it resets their
/// connections and frees their ports.
///
/// All are at one address: Replicate below `/v1` (see [`Replicate`]), the others below their names (see [`Provider`]). A
/// second address plays the other hosts of a provider, such as the one that Black Forest Labs' `polling_url` names.
///
/// | route | effect |
/// |---|---|
/// | `GET POST /_control/{provider}` | reads or changes the [`Switches`]; POST takes a JSON merge patch |
/// | `GET /_control/{provider}/stats` | reads [`MediaStats`] |
/// | `POST /_control/{provider}/reset` | forgets everything about the provider |
/// | `GET /files/{provider}/{file}` | the outputs behind signed links |
pub struct MediaProviders {
    replicate: Replicate,
    world: Arc<World>,
    other_address: SocketAddr,
    stop: CancellationToken,
}

impl MediaProviders {
    /// Starts the stand-ins in tasks of the current tokio runtime. Fails if an address can't be bound.
    pub async fn start(options: impl Into<ReplicateOptions>) -> std::io::Result<Self> {
        let options = options.into();
        let tcp = TcpListener::bind(options.listen).await?;
        let other = TcpListener::bind(SocketAddr::new(options.listen.ip(), 0)).await?;
        let other_address = other.local_addr()?;
        let origin = |address: SocketAddr| format!("http://{address}");
        let world = Arc::new(World::new(origin(tcp.local_addr()?), origin(other_address)));
        let stop = CancellationToken::new();
        let app = build_router(Arc::clone(&world)).into_make_service_with_connect_info::<Connection>();
        let server = axum::serve(Listener { tcp: other, stop: stop.clone() }, app);
        tokio::spawn(server.with_graceful_shutdown(stop.clone().cancelled_owned()).into_future());
        let replicate = Replicate::serve(tcp, options.behaviour, build_router(Arc::clone(&world)))?;
        Ok(Self { replicate, world, other_address, stop })
    }

    /// Returns the stand-in for Replicate.
    pub fn replicate(&self) -> &Replicate {
        &self.replicate
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        self.replicate.origin()
    }

    /// Returns both addresses: the main one, and that of the other hosts.
    pub fn addresses(&self) -> [SocketAddr; 2] {
        [self.replicate.address(), self.other_address]
    }

    /// Returns the base URL that replaces that of the provider's API.
    pub fn base_url(&self, provider: Provider) -> String {
        format!("{}{}", self.origin(), provider.base_path())
    }

    /// Returns the current switches; their counters show what is left.
    pub fn switches(&self, provider: Provider) -> Switches {
        self.world.switches(provider)
    }

    /// Changes switches of a provider, for new calls.
    pub fn adjust(&self, provider: Provider, change: impl FnOnce(&mut Switches)) {
        self.world.with(provider, |state| change(&mut state.switches));
    }

    /// Returns counts, calls and work of a provider.
    pub fn stats(&self, provider: Provider) -> MediaStats {
        self.world.collect_stats(provider)
    }

    /// Waits until the received calls satisfy `test`; `None` if they don't within `limit`. `test` is evaluated after each
    /// call, not when work ends.
    pub async fn until(
        &self,
        provider: Provider,
        limit: Duration,
        test: impl Fn(&MediaStats) -> bool,
    ) -> Option<MediaStats> {
        let mut changes = self.world.subscribe_to_changes();
        let satisfied = async {
            loop {
                changes.mark_unchanged();
                let stats = self.world.collect_stats(provider);
                if test(&stats) || changes.changed().await.is_err() {
                    return stats;
                }
            }
        };
        tokio::time::timeout(limit, satisfied).await.ok()
    }
}

impl Drop for MediaProviders {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Builds the routes of all providers other than Replicate.
fn build_router(world: Arc<World>) -> Router {
    let count = |provider: Provider| middleware::from_fn_with_state((provider, Arc::clone(&world)), count_call);
    Router::new()
        .nest("/fal", fal::build_routes().layer(count(Provider::Fal)))
        .nest("/openai", openai::build_routes().layer(count(Provider::OpenAi)))
        .nest("/stability", stability::build_routes().layer(count(Provider::Stability)))
        .nest("/elevenlabs", elevenlabs::build_routes().layer(count(Provider::ElevenLabs)))
        .nest("/bfl", bfl::build_routes().layer(count(Provider::BlackForestLabs)))
        .route("/files/{provider}/{file}", get(files::read_file))
        .route("/_control/{provider}", get(read_switches).post(patch_switches))
        .route("/_control/{provider}/stats", get(read_stats))
        .route("/_control/{provider}/reset", post(reset_provider))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(world)
}

/// Counts a call by its route; resets the connection while the provider is down.
async fn count_call(
    State((provider, world)): State<(Provider, Arc<World>)>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or(request.uri().path(), MatchedPath::as_str);
    world.count_call(provider, format!("{} {path}", request.method()));
    if world.switches(provider).outage {
        connection.cut_off();
        // During an outage the call does not arrive.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

/// A provider that is not played.
type Unknown = (StatusCode, String);

fn find_provider(name: &str) -> Result<Provider, Unknown> {
    let known: Vec<&str> = Provider::ALL.iter().map(|provider| provider.as_str()).collect();
    let message = || format!("there is no provider `{name}`; there are {}\n", known.join(", "));
    Provider::from_name(name).ok_or_else(|| (StatusCode::NOT_FOUND, message()))
}

async fn read_switches(State(world): State<Arc<World>>, Path(name): Path<String>) -> Result<Json<Switches>, Unknown> {
    Ok(Json(world.switches(find_provider(&name)?)))
}

async fn patch_switches(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Switches>, Unknown> {
    let provider = find_provider(&name)?;
    let merged = serde_json::from_slice(&body).and_then(|patch| {
        world.with(provider, |state| {
            state.switches = state.switches.merge_patch(&patch)?;
            Ok(state.switches.clone())
        })
    });
    merged.map(Json).map_err(|error: serde_json::Error| (StatusCode::BAD_REQUEST, format!("{error}\n")))
}

async fn read_stats(State(world): State<Arc<World>>, Path(name): Path<String>) -> Result<Json<MediaStats>, Unknown> {
    Ok(Json(world.collect_stats(find_provider(&name)?)))
}

async fn reset_provider(State(world): State<Arc<World>>, Path(name): Path<String>) -> Result<StatusCode, Unknown> {
    world.reset(find_provider(&name)?);
    Ok(StatusCode::NO_CONTENT)
}
