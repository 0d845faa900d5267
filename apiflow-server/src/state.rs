//! The state that every request shares.
//!
//! Architecture invariant: this holds data. No file that it imports imports it, so services know the state and never the
//! other way round.

use std::ops::Deref;
use std::sync::Arc;

use apiflow_core::artifacts::StoredArtifacts;
use apiflow_core::ports::{Clock, Store, Timestamp};
use apiflow_core::runtime::Runtime;
use apiflow_store::{Accounts, Documents, StatementCounter};
use tokio_util::sync::CancellationToken;

use crate::artifacts::links::{KEY_PURPOSE, LinkSigner};
use crate::artifacts::retention::RetentionCounters;
use crate::documents::recheck_queue::RecheckQueue;
use crate::documents::validation::Validation;
use crate::health::active_jobs::ActiveJobCounts;
use crate::health::readiness::Readiness;
use crate::http::fair_places::{FairPlaces, PlaceLimits};
use crate::http::response_counters::ResponseCounters;
use crate::jobs::workflow_cache::WorkflowCache;
use crate::proxy::node_plans::ProxiedNodes;
use crate::record_cache::{DocumentReader, RecordFreshness};
use crate::secrets::SecretBook;
use crate::settings::WebSettings;
use crate::users::passwords::Passwords;
use crate::users::throttle::Throttle;
use crate::webhooks::delivery_counters::DeliveryCounters;

/// The parts that a server is assembled from.
pub struct Parts {
    /// Engine that runs the jobs.
    pub runtime: Runtime,
    /// Store of jobs and their journals.
    pub store: Arc<dyn Store>,
    /// Store of connectors, nodes and workflows.
    pub documents: Arc<dyn Documents>,
    /// Cached reads of the same store, for runs.
    pub cached_documents: Arc<DocumentReader>,
    /// Whether values derived from records are still up to date.
    pub records: RecordFreshness,
    /// Store of users and tokens.
    pub accounts: Arc<dyn Accounts>,
    /// Store of artifacts; the same that the runtime uses.
    pub artifacts: Arc<StoredArtifacts>,
    /// Counter of the statements sent to the database.
    pub statements: Arc<dyn StatementCounter>,
    /// Provider keys; the same book that the runtime's HTTP client uses.
    pub secrets: Arc<SecretBook>,
    /// Source of the current time.
    pub clock: Arc<dyn Clock>,
    /// Settings of the routes.
    pub settings: WebSettings,
    /// Cancelled when the server stops: streams and waiting requests end then.
    pub stop: CancellationToken,
}

/// The state that every request shares; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The content of an [`AppState`].
pub struct Shared {
    parts: Parts,
    pub(crate) started_at: Timestamp,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) response_counters: ResponseCounters,
    pub(crate) active_jobs: ActiveJobCounts,
    pub(crate) readiness: Readiness,
    pub(crate) validation: Validation,
    /// Workflows that are ready to run.
    pub(crate) workflows: WorkflowCache,
    /// Places for dry runs: separate from those of checks, since a dry run may take a minute.
    pub(crate) dry_run_places: FairPlaces,
    /// Places for thumbnails: each takes much memory.
    pub(crate) thumbnail_places: FairPlaces,
    pub(crate) recheck_queue: RecheckQueue,
    /// What was deleted because it was old.
    pub(crate) retention: Arc<RetentionCounters>,
    /// What became of messages that announce jobs.
    pub(crate) deliveries: DeliveryCounters,
    /// The nodes whose prices apply to requests through the proxy.
    pub(crate) proxied_nodes: ProxiedNodes,
    /// Signs links to artifacts.
    pub(crate) link_signer: LinkSigner,
}

impl AppState {
    /// Creates the state of a server that starts now.
    pub fn new(parts: Parts) -> Self {
        let started_at = parts.clock.now();
        let link_key = parts.secrets.derive_key(KEY_PURPOSE);
        let link_signer = LinkSigner::new(&link_key, &parts.settings.public_url);
        Self(Arc::new(Shared {
            parts,
            started_at,
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            response_counters: ResponseCounters::default(),
            active_jobs: ActiveJobCounts::default(),
            readiness: Readiness::default(),
            validation: Validation::default(),
            workflows: WorkflowCache::default(),
            dry_run_places: FairPlaces::new(PlaceLimits::of_machine()),
            thumbnail_places: FairPlaces::new(PlaceLimits { places: 2, ..PlaceLimits::of_machine() }),
            recheck_queue: RecheckQueue::default(),
            retention: Arc::default(),
            deliveries: DeliveryCounters::default(),
            proxied_nodes: ProxiedNodes::default(),
            link_signer,
        }))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}
