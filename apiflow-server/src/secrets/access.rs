//! Rules for who may refer to which secret, and who may change declarations that refer to one.
//!
//! - Shared secrets may be referred to in declarations that an admin saved, and only admins may change such
//!   declarations. All users may declare nodes of such a connector, which neither override what carries the secret nor
//!   send it elsewhere.
//! - A user's own secrets, and credentials that were moved out of the user's declarations, may be referred to in that
//!   user's declarations only, which nobody but the user and admins may change or add nodes to. Every run of such a
//!   declaration uses its author's secret, never the runner's.
//! - A declaration that refers to a secret uses a connector that an admin or the same user declared, because the
//!   connector takes part in what is sent.

use apiflow_core::call::secret_overrides;
use apiflow_core::catalog::{Connector, Node};
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::diagnostic::codes;
use apiflow_store::Document;
use axum::http::StatusCode;

use crate::api::Fault;
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::secrets::directory::{Meaning, SecretDirectory};
use crate::users::Caller;

/// The reason why a declaration may not refer to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretRefusal {
    pointer: String,
    message: String,
    help: String,
}

/// The owners of the secrets that a declaration refers to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Holdings {
    shared: bool,
    /// Its author's own secrets, or secrets generated for it.
    personal: bool,
}

impl SecretRefusal {
    fn new(pointer: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into(), help: help.into() }
    }

    /// Moves the refusal to where a node names its connector.
    pub(crate) fn at_pointer(self, pointer: &str, connector: &str) -> Self {
        let message = format!("connector `{connector}`: {}", self.message);
        Self { pointer: pointer.to_owned(), message, ..self }
    }

    /// Converts the refusal to a finding that prevents a run.
    pub(crate) fn into_diagnostic(self) -> Diagnostic {
        Diagnostic::new_error(codes::UNRESOLVED_SECRET, self.pointer, self.message).with_help(self.help)
    }

    fn into_fault(self) -> Fault {
        let code = Some(codes::UNRESOLVED_SECRET.to_owned());
        Fault { pointer: self.pointer, message: self.message, code, help: Some(self.help) }
    }
}

impl SecretDirectory {
    /// Refuses a caller who may not change or remove a declaration because of the secrets in it.
    pub(crate) fn check_change(&self, before: &Document, caller: &Caller) -> Result<(), Problem> {
        let holdings = self.document_holdings(before);
        let (kind, id) = (before.kind.as_str(), &before.id);
        if caller.user.is_admin {
            return Ok(());
        }
        if holdings.shared {
            let detail = format!("{kind} `{id}` refers to a shared secret: only admins may change or delete it");
            return Err(Problem::new(StatusCode::FORBIDDEN, problem_codes::SHARED_SECRET, detail));
        }
        if holdings.personal && before.author.as_ref() != Some(&caller.user.id) {
            let detail = format!(
                "{kind} `{id}` refers to a secret of the user who declared it: only that user and admins may change or \
                 delete it"
            );
            return Err(Problem::new(StatusCode::FORBIDDEN, problem_codes::SECRET_OF_ANOTHER, detail));
        }
        Ok(())
    }

    /// Refuses a declaration that its author may not save. Nodes come with their connector.
    pub(crate) fn check_write(
        &self,
        document: &Document,
        of_connector: Option<(&Node, &Document, &Connector)>,
    ) -> Result<(), Problem> {
        let mut refusals = self.refused_references(document);
        if let Some((node, connector, parsed)) = of_connector {
            refusals.extend(self.refusals_of_node((document, node), (connector, parsed)));
        }
        if refusals.is_empty() {
            return Ok(());
        }
        let detail = format!("{} `{}` may not refer to these secrets", document.kind.as_str(), document.id);
        let faults = refusals.into_iter().map(SecretRefusal::into_fault).collect();
        Err(Problem::forbidden_at(problem_codes::SHARED_SECRET, detail, faults))
    }

    /// Returns whether an admin vouches for the references of a declaration by saving a part of it: if all of them are
    /// the admin's, or were vouched for before. An unknown name may become a shared secret later.
    pub(crate) fn is_vouched_by_part(&self, before: &Document) -> bool {
        before.by_admin || self.meanings_in(before).iter().all(|(_, meaning)| *meaning == Meaning::Generated)
    }

    /// Returns the references that a declaration may not have, depending on who saved it.
    pub(crate) fn refused_references(&self, document: &Document) -> Vec<SecretRefusal> {
        let mut refusals = Vec::new();
        for (reference, meaning) in self.meanings_in(document) {
            let name = &reference.name;
            match meaning {
                Meaning::Shared if !document.by_admin => refusals.push(SecretRefusal::new(
                    reference.pointer,
                    format!("`{name}` is a shared secret: only declarations that an admin saved may refer to it"),
                    "use a node of a connector that has it, or a secret of your own (`PUT /api/v1/user/secrets/NAME`); \
                     an admin may save this declaration as it is",
                )),
                Meaning::GeneratedElsewhere(declaration) => refusals.push(SecretRefusal::new(
                    reference.pointer,
                    format!(
                        "`{name}` was generated for another place, in {} `{}`",
                        declaration.kind.as_str(),
                        declaration.id
                    ),
                    "write the credential itself here, or refer to a secret of your own \
                     (`PUT /api/v1/user/secrets/NAME`)",
                )),
                Meaning::Shared | Meaning::Generated | Meaning::Own | Meaning::Unknown => {}
            }
        }
        refusals
    }

    /// Returns the violations of a node concerning its connector's secrets, or its own secrets sent through this connector.
    pub(crate) fn refusals_of_node(
        &self,
        (document, node): (&Document, &Node),
        (connector, parsed): (&Document, &Connector),
    ) -> Vec<SecretRefusal> {
        let (own, of_connector) = (self.document_holdings(document), self.document_holdings(connector));
        let id = &connector.id;
        let same_author = connector.author.is_some() && connector.author == document.author;
        let mut refusals = Vec::new();
        let through_stranger = !connector.by_admin && (own.shared || (own.personal && !same_author));
        if through_stranger {
            refusals.push(SecretRefusal::new(
                "/connector_id",
                format!("connector `{id}`, which this node sends a secret through, was saved by another user"),
                "use a connector of your own or of an admin; an admin may save the connector to vouch for it",
            ));
        }
        if of_connector == Holdings::default() || document.by_admin || (same_author && !of_connector.shared) {
            return refusals;
        }
        if !connector.by_admin {
            refusals.push(SecretRefusal::new(
                "/connector_id",
                format!("connector `{id}` refers to a secret of the user who declared it"),
                "only that user and admins may declare nodes of it; ask an admin for a connector with a shared secret",
            ));
            return refusals;
        }
        let overrides = secret_overrides(node, parsed);
        refusals.extend(overrides.into_iter().map(|found| {
            let help = "remove it; only nodes that an admin saved may change how a shared secret is sent";
            SecretRefusal::new(found.pointer, found.message, help)
        }));
        refusals
    }

    fn document_holdings(&self, document: &Document) -> Holdings {
        let mut holdings = Holdings::default();
        for (_, meaning) in self.meanings_in(document) {
            match meaning {
                Meaning::Shared => holdings.shared = true,
                Meaning::Generated | Meaning::Own => holdings.personal = true,
                Meaning::GeneratedElsewhere(_) | Meaning::Unknown => {}
            }
        }
        holdings
    }
}
