//! The library: ready-made connectors and nodes of `library/`, embedded in the binary.
//!
//! `library/<provider>/provider.json` describes a provider with its connector, each other file of the folder a node. The
//! ids of connector and node are those of the folder and of the folder and file, so that they are stable.

mod addition;
mod cog_schema;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rust_embed::RustEmbed;
use serde::Deserialize;
use serde_json::Value;

pub(crate) use self::addition::{add_entry, add_model};
use crate::api::{LibraryEntry, LibraryItem, LibraryProvider, LibrarySample, LibrarySecret, LibrarySource};

#[derive(RustEmbed)]
#[folder = "library"]
struct Files;

/// The file that describes a provider.
const PROVIDER_FILE: &str = "provider.json";

static ENTRIES: LazyLock<BTreeMap<String, LibraryEntry>> =
    LazyLock::new(|| read_entries().expect("a test reads the embedded library"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderFile {
    name: String,
    description: String,
    docs: String,
    secret: LibrarySecret,
    source: LibrarySource,
    connector: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeFile {
    docs: String,
    source: LibrarySource,
    price_source: Option<LibrarySource>,
    price_note: Option<String>,
    sample: LibrarySample,
    node: Value,
}

/// All entries, sorted by id.
pub(crate) fn all_entries() -> impl Iterator<Item = &'static LibraryEntry> {
    ENTRIES.values()
}

/// Returns an entry.
pub(crate) fn find_entry(id: &str) -> Option<&'static LibraryEntry> {
    ENTRIES.get(id)
}

/// Whether an entry contains each of the words of `query`, in any case: in its id, name, description or provider.
pub(crate) fn matches_query(entry: &LibraryEntry, query: &str) -> bool {
    let LibraryItem { id, name, description, provider_name, .. } = &entry.item;
    let text = [id, name, description, provider_name].map(|part| part.to_lowercase()).join("\n");
    query.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

/// Reads the embedded files; the error names the file.
fn read_entries() -> Result<BTreeMap<String, LibraryEntry>, String> {
    let mut providers = BTreeMap::new();
    let mut entries = BTreeMap::new();
    for path in Files::iter().filter(|path| path.ends_with(PROVIDER_FILE)) {
        let folder = path.trim_end_matches(PROVIDER_FILE).trim_end_matches('/').to_owned();
        providers.insert(folder, read_file::<ProviderFile>(&path)?);
    }
    for path in Files::iter().filter(|path| !path.ends_with(PROVIDER_FILE)) {
        let (folder, file) = path.split_once('/').ok_or_else(|| format!("{path}: it is not in a provider's folder"))?;
        let provider = providers.get(folder).ok_or_else(|| format!("{path}: {folder}/{PROVIDER_FILE} is missing"))?;
        let id = format!("{folder}-{}", file.trim_end_matches(".json"));
        let entry = build_entry(folder, provider, read_file(&path)?);
        if entry.item.id != id || entry.node["connector_id"] != folder || entry.connector["id"] != folder {
            return Err(format!("{path}: the node's id must be `{id}`, and its connector's `{folder}`"));
        }
        entries.insert(id, entry);
    }
    Ok(entries)
}

fn read_file<T: for<'a> Deserialize<'a>>(path: &str) -> Result<T, String> {
    let file = Files::get(path).ok_or_else(|| format!("{path}: it is not embedded"))?;
    serde_json::from_slice(&file.data).map_err(|error| format!("{path}: {error}"))
}

fn build_entry(folder: &str, provider: &ProviderFile, file: NodeFile) -> LibraryEntry {
    let text = |key: &str| file.node[key].as_str().unwrap_or_default().to_owned();
    let outputs = file.node["output"].as_array().into_iter().flatten();
    let mut produces: Vec<String> = outputs.filter_map(|output| output["type"].as_str().map(str::to_owned)).collect();
    produces.dedup();
    let item = LibraryItem {
        id: text("id"),
        provider: folder.to_owned(),
        provider_name: provider.name.clone(),
        name: text("name"),
        description: text("description"),
        docs: file.docs,
        produces,
        secret: provider.secret.clone(),
        price: file.node["data"].get("price").cloned(),
        price_source: file.price_source,
        price_note: file.price_note,
    };
    let provider_details = LibraryProvider {
        name: provider.name.clone(),
        description: provider.description.clone(),
        docs: provider.docs.clone(),
        source: provider.source.clone(),
    };
    LibraryEntry {
        item,
        provider_details,
        source: file.source,
        sample: file.sample,
        connector: provider.connector.clone(),
        node: file.node,
    }
}

#[cfg(test)]
mod tests;
