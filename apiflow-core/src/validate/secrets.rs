//! Checks the secrets that a step's connector and node need.

use super::checker::Checker;
use crate::catalog::{Connector, Node};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::openflow::Place;

impl Checker<'_> {
    /// Reports each missing secret at the first step that needs it.
    pub(super) fn check_secrets(&mut self, connector: &Connector, node: &Node, place: &Place<'_>) {
        let Some(set) = &self.catalog.secrets else {
            return;
        };
        let names = [(connector.secret_names(), &connector.own_secrets), (node.secret_names(), &node.own_secrets)];
        let names = names.into_iter().flat_map(|(names, own)| names.into_iter().filter(|name| !own.contains_key(name)));
        for name in names {
            if !set.contains(&name) && self.missing_secrets.insert(name.clone()) {
                let message = format!("the secret `{name}` that connector `{}` needs is not set", connector.id);
                let found = Diagnostic::new_error(codes::UNRESOLVED_SECRET, place.pointer(), message);
                self.push(found.with_help("ask an admin to set it, or to list it in APIFLOW_SECRETS_FROM_ENV"));
            }
        }
    }
}
