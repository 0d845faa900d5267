//! Secrets that a step's connector and node need.

use super::checker::Checker;
use super::codes;
use crate::catalog::{Connector, Node};
use crate::diagnostic::Diagnostic;
use crate::openflow::Place;

impl Checker<'_> {
    /// Points out each secret that is not set at the first step that needs it.
    pub(super) fn secrets(&mut self, connector: &Connector, node: &Node, place: &Place<'_>) {
        let Some(set) = &self.catalog.secrets else {
            return;
        };
        for name in connector.secret_names().into_iter().chain(node.secret_names()) {
            if !set.contains(&name) && self.missing_secrets.insert(name.clone()) {
                let message = format!("the secret `{name}` that connector `{}` needs is not set", connector.id);
                let found = Diagnostic::error(codes::UNRESOLVED_SECRET, place.pointer(), message);
                self.push(found.help("an admin sets it, or lists it among the secrets from the environment"));
            }
        }
    }
}
