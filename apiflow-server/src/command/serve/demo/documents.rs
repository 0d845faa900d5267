//! The documents of a demo: all of the library, and the example workflow.

use std::collections::BTreeMap;

use apiflow_store::DocumentKind;
use axum::http::HeaderMap;
use fake_providers::{MediaProviders, Provider};
use serde_json::{Value, json};

use crate::api::{LibraryEntry, NewSecret};
use crate::documents::crud::{insert_document, replace_document};
use crate::http::problem::Problem;
use crate::library::all_entries;
use crate::state::AppState;
use crate::users::{Caller, login};

/// The id of the example workflow.
pub(super) const EXAMPLE_WORKFLOW: &str = "replicate_flux_kontext_pro_workflow";

/// The example's connector, node and workflow.
const EXAMPLE_DOCUMENTS: [(DocumentKind, &str); 3] = [
    (DocumentKind::Connector, include_str!("../../../../demo/connector.json")),
    (DocumentKind::Node, include_str!("../../../../demo/node.json")),
    (DocumentKind::Workflow, include_str!("../../../../demo/workflow.json")),
];

/// What the stand-ins get as the key of each provider; they accept any.
const STAND_IN_KEY: &str = "key-for-the-stand-in";

/// Returns the models of Replicate that nodes of the library call, as `owner/name`.
pub(super) fn replicate_models() -> Vec<String> {
    let paths = all_entries().filter_map(|entry| entry.node["data"]["path"].as_str());
    let models = paths.filter_map(|path| path.strip_prefix("/models/")?.strip_suffix("/predictions"));
    models.map(str::to_owned).collect()
}

/// Adds connectors that lead to the stand-ins, with their secrets, and the nodes and workflows that are missing.
pub(super) async fn add_documents(state: &AppState, providers: &MediaProviders) -> Result<(), Problem> {
    let admin = find_admin(state).await?;
    let by_provider: BTreeMap<&str, &LibraryEntry> =
        all_entries().map(|entry| (entry.item.provider.as_str(), entry)).collect();
    for (provider, entry) in by_provider {
        put_secret(state, &entry.item.secret.name, providers).await?;
        put_connector(state, &admin, providers, provider, entry.connector.clone()).await?;
    }
    for entry in all_entries() {
        insert_document(state, &admin, DocumentKind::Node, entry.node.clone()).await?;
    }
    for (kind, text) in EXAMPLE_DOCUMENTS {
        let document: Value = serde_json::from_str(text).map_err(Problem::internal)?;
        match kind {
            DocumentKind::Connector => put_connector(state, &admin, providers, "replicate", document).await?,
            DocumentKind::Node | DocumentKind::Workflow => {
                insert_document(state, &admin, kind, document).await?;
            }
        }
    }
    Ok(())
}

/// Returns the first admin as the author of the documents.
async fn find_admin(state: &AppState) -> Result<Caller, Problem> {
    let users = state.accounts.list_users(None, 500).await?;
    let admin = users.into_iter().rev().find(|user| user.is_admin);
    let user = admin.ok_or_else(|| Problem::internal("the demo's database has no admin"))?;
    let token = login::new_token_row(state, &user);
    Ok(Caller { user, token, token_hash: String::new(), base_url: String::new() })
}

/// Sets a provider's key, for the stand-ins alone.
async fn put_secret(state: &AppState, name: &str, providers: &MediaProviders) -> Result<(), Problem> {
    let origins = providers.addresses().map(|address| format!("http://{address}")).to_vec();
    let secret = NewSecret { value: STAND_IN_KEY.to_owned(), origins: Some(origins) };
    state.secrets.put_shared(name, secret).await.map(drop)
}

/// Creates a provider's connector, or replaces it: its address and its further hosts are those of the stand-ins.
async fn put_connector(
    state: &AppState,
    admin: &Caller,
    providers: &MediaProviders,
    provider: &str,
    mut connector: Value,
) -> Result<(), Problem> {
    let base_url = match Provider::from_name(provider) {
        Some(provider) => providers.base_url(provider),
        None => providers.replicate().base_url(),
    };
    connector["base_url"] = base_url.into();
    let hosts = providers.addresses().map(|address| json!({"host": address.to_string(), "credentials": true}));
    connector["data"]["hosts"] = hosts.to_vec().into();
    let id = connector["id"].as_str().unwrap_or_default().to_owned();
    replace_document(state, admin, DocumentKind::Connector, &id, &HeaderMap::new(), connector).await.map(drop)
}
