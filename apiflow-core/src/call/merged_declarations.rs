//! Merges a connector's defaults with a node's own settings.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::declarations::{Connector, Node};
use crate::diagnostic::Diagnostic;
use crate::json::pointer_push;

/// Prefix of pointers into the connector, while both declarations are read together.
const CONNECTOR: &str = "@connector";

/// A setting and where it was declared.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    pub(super) value: &'a Value,
    /// Pointer into the node, or into the connector with a prefix that [`relocate_findings`] removes.
    pub(super) pointer: String,
}

impl Entry<'_> {
    pub(super) fn is_from_node(&self) -> bool {
        !self.pointer.starts_with(CONNECTOR)
    }
}

/// A node's settings merged over its connector's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merged<'a> {
    pub(super) node: &'a Node,
    pub(super) connector: &'a Connector,
}

impl<'a> Merged<'a> {
    /// Returns a key of `data`: the node's if it has the key (null removes), else the connector's.
    pub(super) fn get(&self, key: &str) -> Option<Entry<'a>> {
        let own = self.node.data.as_ref().and_then(|data| data.get(key));
        let (value, pointer) = match own {
            Some(value) => (value, pointer_push("/data", key)),
            None => self.connector_data(key)?,
        };
        (!value.is_null()).then_some(Entry { value, pointer })
    }

    /// Returns the owners of the secrets that an entry refers to.
    pub(super) fn own_secrets(&self, entry: &Entry<'_>) -> &'a BTreeMap<String, String> {
        if entry.is_from_node() { &self.node.own_secrets } else { &self.connector.own_secrets }
    }

    fn connector_data(&self, key: &str) -> Option<(&'a Value, String)> {
        let value = self.connector.data.as_ref()?.get(key)?;
        Some((value, connector_pointer(&pointer_push("/data", key))))
    }

    /// Returns a key of the connector's `data` alone, for settings that a node cannot override.
    pub(super) fn get_from_connector(&self, key: &str) -> Option<Entry<'a>> {
        let (value, pointer) = self.connector_data(key)?;
        (!value.is_null()).then_some(Entry { value, pointer })
    }

    /// Returns the connector's `body`.
    pub(super) fn connector_body(&self) -> Option<Entry<'a>> {
        self.connector.body.as_ref().map(|value| Entry { value, pointer: connector_pointer("/body") })
    }

    /// Returns the header templates: `header` of the connector, then of both `data`; names are compared without regard
    /// to case.
    pub(super) fn header_templates(&self) -> Vec<(String, Entry<'a>)> {
        let layers = [
            Some((&self.connector.header, connector_pointer("/header"))),
            self.layers_of("header").0,
            self.layers_of("header").1,
        ];
        overlay_layers(layers, str::eq_ignore_ascii_case)
    }

    /// Returns the query templates of both `data`.
    pub(super) fn query_templates(&self) -> Vec<(String, Entry<'a>)> {
        let (connector, node) = self.layers_of("query");
        overlay_layers([None, connector, node], |left, right| left == right)
    }

    fn layers_of(&self, key: &str) -> (Option<Layer<'a>>, Option<Layer<'a>>) {
        let own = self.node.data.as_ref().and_then(|data| data.get(key));
        let connector = self
            .connector_data(key)
            .filter(|_| !own.is_some_and(Value::is_null))
            .and_then(|(value, pointer)| Some((value.as_object()?, pointer)));
        (connector, own.and_then(Value::as_object).map(|map| (map, pointer_push("/data", key))))
    }
}

type Layer<'a> = (&'a Map<String, Value>, String);

/// Merges layers: later ones replace earlier entries in place; null removes.
fn overlay_layers<'a>(layers: [Option<Layer<'a>>; 3], same: impl Fn(&str, &str) -> bool) -> Vec<(String, Entry<'a>)> {
    let mut entries: Vec<(String, Entry<'a>)> = Vec::new();
    for (map, pointer) in layers.into_iter().flatten() {
        for (name, value) in map {
            let entry = (name.clone(), Entry { value, pointer: pointer_push(&pointer, name) });
            match entries.iter().position(|(known, _)| same(known, name)) {
                Some(at) => entries[at] = entry,
                None => entries.push(entry),
            }
        }
    }
    entries.retain(|(_, entry)| !entry.value.is_null());
    entries
}

fn connector_pointer(pointer: &str) -> String {
    format!("{CONNECTOR}{pointer}")
}

/// Converts findings about both declarations to findings about the node: those in the connector point to
/// `/connector_id`.
pub(super) fn relocate_findings(found: Vec<Diagnostic>, connector: &Connector) -> Vec<Diagnostic> {
    found
        .into_iter()
        .map(|mut diagnostic| {
            if diagnostic.pointer.starts_with(CONNECTOR) {
                diagnostic.message = format!("connector `{}`: {}", connector.id, diagnostic.message);
                "/connector_id".clone_into(&mut diagnostic.pointer);
                diagnostic.span = None;
            }
            diagnostic
        })
        .collect()
}

/// Keeps the findings about the connector, with pointers into it.
pub(super) fn connector_findings(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found
        .into_iter()
        .filter_map(|mut diagnostic| {
            diagnostic.pointer = diagnostic.pointer.strip_prefix(CONNECTOR)?.to_owned();
            Some(diagnostic)
        })
        .collect()
}
