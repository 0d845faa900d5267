//! What every request works with.

use std::ops::Deref;
use std::sync::Arc;

use apiflow_core::ports::{Clock, Store};
use apiflow_core::runtime::Runtime;
use apiflow_store::{Accounts, Documents};
use tokio_util::sync::CancellationToken;

use crate::auth::passwords::Passwords;
use crate::auth::throttle::Throttle;
use crate::launch::Trials;
use crate::metrics::Counters;
use crate::readiness::Readiness;
use crate::routes::Rechecks;
use crate::secrets::SecretBook;
use crate::settings::WebSettings;
use crate::validation::Validation;

/// What a server is made of.
pub struct Parts {
    /// Runs jobs.
    pub runtime: Runtime,
    /// Keeps jobs.
    pub store: Arc<dyn Store>,
    /// Keeps connectors, nodes and workflows.
    pub documents: Arc<dyn Documents>,
    /// Keeps users and tokens.
    pub accounts: Arc<dyn Accounts>,
    /// Knows provider keys; the same that the runtime's client asks.
    pub secrets: Arc<SecretBook>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Settings of the routes.
    pub settings: WebSettings,
    /// Done when the server is to stop: streams and waiting requests end then.
    pub stop: CancellationToken,
}

/// What every request works with; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The content of an [`AppState`].
pub struct Shared {
    parts: Parts,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) counters: Counters,
    pub(crate) readiness: Readiness,
    pub(crate) validation: Validation,
    pub(crate) trials: Trials,
    pub(crate) rechecks: Rechecks,
}

impl AppState {
    /// The state of a server that begins now.
    pub fn new(parts: Parts) -> Self {
        let counters = Counters::new(parts.clock.now());
        Self(Arc::new(Shared {
            parts,
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            counters,
            readiness: Readiness::default(),
            validation: Validation::default(),
            trials: Trials::default(),
            rechecks: Rechecks::default(),
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
