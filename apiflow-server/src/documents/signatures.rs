//! The catalog that editors check documents against: what documents look like from outside, in one reply.

use std::collections::BTreeMap;

use apiflow_core::catalog;
use apiflow_store::{Document, DocumentKind};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::api::{CatalogConnector, CatalogNode, DocumentCatalog};
use crate::documents::references::{saved_connector, saved_node};
use crate::hex::encode_hex;
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::Caller;

/// Number of documents that are read from the store at once.
const PAGE_SIZE: u32 = 500;

/// Returns the catalog of all documents, or 304 if the caller has it already.
pub(crate) async fn read_catalog(state: &AppState, caller: &Caller, headers: &HeaderMap) -> Result<Response, Problem> {
    let connectors = read_all(state, DocumentKind::Connector).await?;
    let nodes = read_all(state, DocumentKind::Node).await?;
    let workflows = read_all(state, DocumentKind::Workflow).await?;
    let write = move || {
        let body = serde_json::to_vec(&summarize_documents(&connectors, &nodes, workflows))?;
        let etag = format!("\"{}\"", encode_hex(&Sha256::digest(&body)[..16]));
        Ok::<_, serde_json::Error>((body, etag))
    };
    let written = state.validation.places.run(&caller.user.id, write).await?;
    let (body, etag) = written.map_err(Problem::internal)?;
    let is_known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|tag| tag.trim().trim_start_matches("W/") == etag);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let written = response.headers_mut();
    // A browser keeps it, and asks each time whether it is still the same.
    written.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    written.insert(header::ETAG, HeaderValue::from_str(&etag).expect("hex digits in quotes are a header's value"));
    Ok(response)
}

async fn read_all(state: &AppState, kind: DocumentKind) -> Result<Vec<Document>, Problem> {
    let mut all: Vec<Document> = Vec::new();
    loop {
        let after = all.last().map(|document| document.id.clone());
        let page = state.documents.list_documents(kind, after.as_deref(), PAGE_SIZE).await?;
        let is_last = page.len() < PAGE_SIZE as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// Summarizes documents. One that can't be read any more is left out: whoever uses it is told so when it is opened.
fn summarize_documents(connectors: &[Document], nodes: &[Document], workflows: Vec<Document>) -> DocumentCatalog {
    let names = workflows.iter().map(|document| (document.id.clone(), text_of(document, "name"))).collect();
    DocumentCatalog {
        connectors: by_id(
            connectors.iter().filter_map(|document| saved_connector(document).ok()).map(summarize_connector),
        ),
        nodes: by_id(nodes.iter().filter_map(|document| saved_node(document).ok()).map(summarize_node)),
        workflows: workflows.into_iter().map(summarize_workflow).collect(),
        names,
    }
}

fn by_id<T>(entries: impl Iterator<Item = (String, T)>) -> BTreeMap<String, T> {
    entries.collect()
}

fn summarize_connector(connector: catalog::Connector) -> (String, CatalogConnector) {
    let price = connector.data.and_then(|mut data| data.shift_remove("price"));
    let catalog::Connector { id, name, base_url, method, .. } = connector;
    (id.clone(), CatalogConnector { id, name, base_url, method, price })
}

fn summarize_node(node: catalog::Node) -> (String, CatalogNode) {
    let price = node.data.and_then(|mut data| data.shift_remove("price"));
    let catalog::Node { id, name, description, connector_id, input, output, .. } = node;
    (id.clone(), CatalogNode { id, name, description, connector_id, input, output, price })
}

fn summarize_workflow(mut document: Document) -> (String, Value) {
    let mut flow = document.body.get_mut("nodes").map(Value::take).unwrap_or_default();
    catalog::drop_pinned_results(&mut flow);
    (document.id, flow)
}

fn text_of(document: &Document, field: &str) -> String {
    document.body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}
