//! What a token with scopes may do: it permits what one of its scopes names, and nothing else.

mod path_pattern;

use apiflow_core::json::{is_valid_id, pointer_push};
use serde_json::json;

use self::path_pattern::{PathReadings, check_pattern, matches_pattern};
use crate::api::{Fault, ProxyScope, RunScope, TokenScope};
use crate::http::problem::Problem;

/// Maximum number of scopes of a token.
const MAX_SCOPES: usize = 16;

/// Maximum number of entries in a list of a scope.
const MAX_SCOPE_ENTRIES: usize = 32;

/// Stands for all workflows or nodes; it is no valid id.
const ALL: &str = "*";

/// Headers by which some servers take a request for one with another method or path.
const OVERRIDES: [&str; 5] =
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];

/// What a run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunTarget<'a> {
    /// A saved workflow, by id.
    Workflow(&'a str),
    /// A node, by id.
    Node(&'a str),
}

/// A request through the raw proxy, as far as scopes concern it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProxyTarget<'a> {
    /// Id of the connector.
    pub(crate) connector: &'a str,
    /// HTTP method of the request.
    pub(crate) method: &'a str,
    /// Path below the connector's base URL, as it is sent.
    pub(crate) path: &'a str,
}

/// The scopes of a token: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenScopes(Vec<TokenScope>);

impl TokenScopes {
    /// Validates the scopes of a new token.
    ///
    /// # Errors
    /// 422 with the pointers of all faults.
    pub(crate) fn from_request(scopes: Vec<TokenScope>) -> Result<Self, Problem> {
        let mut faults = Vec::new();
        check_count("/scopes", scopes.len(), MAX_SCOPES, &mut faults);
        for (index, scope) in scopes.iter().enumerate() {
            let pointer = format!("/scopes/{index}");
            match scope {
                TokenScope::Proxy(scope) => check_proxy_scope(&format!("{pointer}/proxy"), scope, &mut faults),
                TokenScope::Run(scope) => check_run_scope(&format!("{pointer}/run"), scope, &mut faults),
            }
        }
        if faults.is_empty() { Ok(Self(scopes)) } else { Err(Problem::invalid("invalid scopes", faults)) }
    }

    /// Reads scopes as they are stored.
    pub(crate) fn from_stored(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self)
    }

    /// Returns the text to store.
    pub(crate) fn to_stored(&self) -> String {
        json!(self.0).to_string()
    }

    /// Returns the scopes as the API shows them.
    pub(crate) fn into_list(self) -> Vec<TokenScope> {
        self.0
    }

    /// Checks that a scope permits a run.
    ///
    /// # Errors
    /// 403 with the scope that is missing.
    pub(crate) fn check_run(&self, target: RunTarget<'_>) -> Result<(), Problem> {
        let is_permitted = self.0.iter().any(|scope| match (scope, target) {
            (TokenScope::Run(RunScope { workflows: ids, .. }), RunTarget::Workflow(id))
            | (TokenScope::Run(RunScope { nodes: ids, .. }), RunTarget::Node(id)) => {
                ids.iter().any(|listed| listed == id || listed == ALL)
            }
            (TokenScope::Proxy(_), RunTarget::Workflow(_) | RunTarget::Node(_)) => false,
        });
        if is_permitted {
            return Ok(());
        }
        let (what, needed) = match target {
            RunTarget::Workflow(id) => (format!("workflow `{id}`"), json!({"run": {"workflows": [id]}})),
            RunTarget::Node(id) => (format!("node `{id}`"), json!({"run": {"nodes": [id]}})),
        };
        Err(Problem::scope_required(format!("this token may not run {what}: it needs the scope {needed}")))
    }

    /// Checks that a scope permits a request through the proxy: in every way in which a provider may read its path.
    ///
    /// # Errors
    /// 403 with the scope that is missing.
    pub(crate) fn check_proxy<'h>(
        &self,
        target: ProxyTarget<'_>,
        mut header_names: impl Iterator<Item = &'h str>,
    ) -> Result<(), Problem> {
        let ProxyTarget { connector, method, path } = target;
        if let Some(name) = header_names.find(|name| OVERRIDES.contains(name)) {
            let message = format!("tokens with scopes may not send the header `{name}`: leave it out");
            return Err(Problem::scope_required(message));
        }
        let readings = PathReadings::of_path(path).map_err(|reason| {
            Problem::scope_required(format!("this token may not send requests to `{path}`: {reason}"))
        })?;
        let patterns: Vec<&String> = self
            .0
            .iter()
            .filter_map(|scope| match scope {
                TokenScope::Proxy(scope) if scope.connector == connector && permits_method(scope, method) => {
                    Some(scope)
                }
                TokenScope::Proxy(_) | TokenScope::Run(_) => None,
            })
            .flat_map(|scope| &scope.paths)
            .collect();
        if readings.all(|segments| patterns.iter().any(|pattern| matches_pattern(pattern, segments))) {
            return Ok(());
        }
        let needed = json!({"proxy": {"connector": connector, "methods": [method], "paths": [path]}});
        let message = format!("this token may not send {method} `{path}` with connector `{connector}`");
        Err(Problem::scope_required(format!("{message}: it needs the scope {needed}")))
    }
}

/// Whether a scope permits a method; HEAD asks for less than GET.
fn permits_method(scope: &ProxyScope, method: &str) -> bool {
    let lists = |wanted: &str| scope.methods.iter().any(|listed| listed == wanted);
    lists(method) || (method == "HEAD" && lists("GET"))
}

fn check_proxy_scope(pointer: &str, scope: &ProxyScope, faults: &mut Vec<Fault>) {
    if !is_valid_id(&scope.connector) {
        faults.push(fault(pointer_push(pointer, "connector"), "connector must be the id of a connector"));
    }
    check_entries(&pointer_push(pointer, "methods"), &scope.methods, faults, |method| {
        let is_method =
            !method.is_empty() && method.len() <= 16 && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_method { Ok(()) } else { Err("a method is a word in upper case, such as `GET`".to_owned()) }
    });
    check_entries(&pointer_push(pointer, "paths"), &scope.paths, faults, check_pattern);
}

fn check_run_scope(pointer: &str, scope: &RunScope, faults: &mut Vec<Fault>) {
    if scope.workflows.is_empty() && scope.nodes.is_empty() {
        faults.push(fault(pointer.to_owned(), "name at least one workflow or node, or `*` for all"));
    }
    for (name, ids) in [("workflows", &scope.workflows), ("nodes", &scope.nodes)] {
        if !ids.is_empty() {
            check_entries(&pointer_push(pointer, name), ids, faults, |id| {
                let is_known = id == ALL || is_valid_id(id);
                if is_known { Ok(()) } else { Err(format!("`{id}` is not an id, nor `*` for all")) }
            });
        }
    }
}

fn check_entries(
    pointer: &str,
    entries: &[String],
    faults: &mut Vec<Fault>,
    check: impl Fn(&str) -> Result<(), String>,
) {
    check_count(pointer, entries.len(), MAX_SCOPE_ENTRIES, faults);
    for (index, entry) in entries.iter().enumerate().take(MAX_SCOPE_ENTRIES) {
        if let Err(message) = check(entry) {
            faults.push(fault(format!("{pointer}/{index}"), message));
        }
    }
}

fn check_count(pointer: &str, count: usize, max: usize, faults: &mut Vec<Fault>) {
    if !(1..=max).contains(&count) {
        let hint =
            if pointer == "/scopes" { "; leave `scopes` out for a token with all permissions of its user" } else { "" };
        faults.push(fault(pointer.to_owned(), format!("there must be 1 to {max} entries{hint}")));
    }
}

fn fault(pointer: String, message: impl Into<String>) -> Fault {
    Fault { pointer, message: message.into(), code: None, help: None }
}

#[cfg(test)]
mod tests;
