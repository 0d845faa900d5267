//! The nodes of a connector, as far as they say what a request through the proxy is and costs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apiflow_core::call::{CallPlan, Price, compile_call};
use apiflow_core::catalog::Connector;
use apiflow_core::money::Amount;
use apiflow_core::runtime::ProxiedPrice;
use apiflow_store::{DocumentKind, Documents};

use crate::documents::references;
use crate::http::problem::Problem;
use crate::record_cache::{RecordFreshness, RecordsRead};

/// Maximum number of connectors whose nodes are kept.
const MAX_CONNECTORS: usize = 64;
/// Number of nodes that are read at a time.
const PAGE_SIZE: u32 = 500;

/// The nodes of the connectors that were used last, compiled; each is valid until a record changes.
#[derive(Default)]
pub(crate) struct ProxiedNodes(Mutex<BTreeMap<String, (RecordsRead, Arc<ConnectorNodes>)>>);

/// The nodes of one connector.
pub(crate) struct ConnectorNodes(Vec<KnownNode>);

struct KnownNode {
    id: String,
    /// Who may rely on it: its author, or everyone if an admin saved it.
    author: Option<String>,
    by_admin: bool,
    plan: CallPlan,
}

/// What a request is, as the nodes of its connector say.
pub(super) struct MatchedNode {
    pub(super) id: String,
    pub(super) price: Option<ProxiedPrice>,
}

impl ProxiedNodes {
    /// Returns the nodes of a connector.
    ///
    /// # Errors
    /// The database is unavailable.
    pub(super) async fn read_nodes(
        &self,
        documents: &dyn Documents,
        records: &RecordFreshness,
        connector: &Connector,
    ) -> Result<Arc<ConnectorNodes>, Problem> {
        if let Some((read, nodes)) = self.lock().get(&connector.id)
            && records.is_current(*read)
        {
            return Ok(Arc::clone(nodes));
        }
        let read = records.begin_derivation();
        let nodes = Arc::new(ConnectorNodes::read_all(documents, connector).await?);
        let mut known = self.lock();
        if known.len() >= MAX_CONNECTORS {
            known.retain(|_, (read, _)| records.is_current(*read));
        }
        if known.len() < MAX_CONNECTORS {
            known.insert(connector.id.clone(), (read, Arc::clone(&nodes)));
        }
        Ok(nodes)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (RecordsRead, Arc<ConnectorNodes>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectorNodes {
    async fn read_all(documents: &dyn Documents, connector: &Connector) -> Result<Self, Problem> {
        let mut nodes = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = documents.list_documents(DocumentKind::Node, after.as_deref(), PAGE_SIZE).await?;
            let is_last = page.len() < PAGE_SIZE as usize;
            after = page.last().map(|document| document.id.clone());
            for document in page {
                let is_of_connector = document.body["connector_id"] == connector.id.as_str();
                // Nodes that cannot run have no say.
                let Some(node) = is_of_connector.then(|| references::saved_node(&document).ok()).flatten() else {
                    continue;
                };
                if let Ok(plan) = compile_call(&node, connector) {
                    let (author, by_admin) = (document.author, document.by_admin);
                    nodes.push(KnownNode { id: document.id, author, by_admin, plan });
                }
            }
            if is_last {
                return Ok(Self(nodes));
            }
        }
    }

    /// Returns the node whose method and path fit a request best, with its price. If nodes with different prices fit
    /// equally well, the most expensive one counts; if these are in different currencies, the price is not known.
    pub(super) fn match_request(&self, user: &str, method: &str, path: &str) -> Option<MatchedNode> {
        let fits = |node: &&KnownNode| node.by_admin || node.author.as_deref() == Some(user);
        let matching: Vec<(usize, &KnownNode)> = self
            .0
            .iter()
            .filter(fits)
            .filter_map(|node| Some((node.plan.match_request(method, path)?, node)))
            .collect();
        let best = matching.iter().map(|(literal, _)| *literal).max()?;
        let mut nodes: Vec<&KnownNode> =
            matching.into_iter().filter(|(literal, _)| *literal == best).map(|(_, node)| node).collect();
        nodes.sort_by(|one, other| one.id.cmp(&other.id));
        let dearest = nodes.iter().copied().max_by_key(|node| cost_rank(node.plan.price()))?;
        let is_same = |node: &&KnownNode| match (node.plan.price(), dearest.plan.price()) {
            (Some(one), Some(other)) => one.has_same_rates(other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let is_ambiguous = !nodes.iter().all(is_same);
        let currencies: BTreeSet<&str> = nodes.iter().filter_map(|node| Some(node.plan.price()?.currency())).collect();
        let price = dearest.plan.price().filter(|_| currencies.len() == 1);
        let price = price.map(|price| ProxiedPrice { price: price.clone(), is_ambiguous });
        Some(MatchedNode { id: dearest.id.clone(), price })
    }
}

/// Orders prices by the most that a call can cost; one that is not declared is the highest.
fn cost_rank(price: Option<&Price>) -> (bool, Option<Amount>) {
    let highest = price.and_then(Price::highest_amount);
    (highest.is_none(), highest)
}
