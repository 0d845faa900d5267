//! Converts a request body to a document that may be saved.

use apiflow_core::call::{listed_credential_origins, token_origin};
use apiflow_core::catalog::{self, Connector, LiteralCredential, Node};
use apiflow_core::diagnostic::Diagnostic;
use apiflow_core::json::{ID_RULE, is_valid_id};
use apiflow_core::origin::Origin;
use apiflow_store::{Declaration, Document, DocumentKind, Precondition, RecordError, SecretGrant, SecretTies};
use serde_json::{Map, Value};

use crate::api::Fault;
use crate::documents::limits::MAX_RETENTION_DAYS;
use crate::documents::references;
use crate::http::problem::Problem;
use crate::secrets::directory::Meaning;
use crate::secrets::{SendOrigins, take_literals};
use crate::state::AppState;
use crate::users::Caller;
use crate::webhooks::receiver::{EVENTS_FIELD, URL_FIELD, receiver_of_workflow};

/// Fields of replies that a body may repeat.
const IGNORED: [&str; 3] = ["created_at", "updated_at", "diagnostics"];

/// Reserved workflow ids: they are segments of routes.
const ROUTE_WORDS: [&str; 3] = ["run", "validate", "dry_run"];

/// A body that has been validated.
pub(super) struct Form {
    document: Document,
    sends: Option<Sends>,
}

/// The declarations that send a connector's or node's request, including its secrets.
struct Sends {
    base_url: String,
    /// The origins of the hosts that a connector lists for its credentials.
    listed_origins: Vec<Origin>,
    /// The origin of the endpoint that the credentials of the connector's `auth` are sent to, if it is another one.
    token_origin: Option<Origin>,
    literals: Vec<LiteralCredential>,
    /// The node, and the connector that it uses.
    of_connector: Option<(Node, Document, Connector)>,
}

/// Options of a document's save.
pub(super) struct Save<'a> {
    pub(super) caller: &'a Caller,
    /// The precondition on the existing document; the save is refused if it does not hold.
    pub(super) before: Option<&'a Document>,
    /// Whether the caller sent the whole document rather than a part: an admin thereby vouches for all secret
    /// references in it, no matter who wrote them.
    pub(super) is_whole: bool,
}

/// A document that has been saved.
pub(super) struct Saved {
    pub(super) document: Document,
    /// A finding for each credential that was moved out of it.
    pub(super) moved: Vec<Diagnostic>,
}

impl Form {
    /// Returns the id and the body as they would be saved.
    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    /// Saves the document if the caller may refer to its secrets and change the existing document. Credentials in it
    /// are moved into secrets first. The save grants the caller's own secrets to the document's origin; an admin's save
    /// also grants shared secrets.
    ///
    /// The outer error is a problem with the request; the inner one is the store's.
    pub(super) async fn save_form(
        mut self,
        state: &AppState,
        save: Save<'_>,
    ) -> Result<Result<Saved, RecordError>, Problem> {
        let Save { caller, before, is_whole } = save;
        let must = before.map_or(Precondition::Absent, |before| Precondition::Version(before.version));
        let author = before.filter(|_| caller.user.is_admin).and_then(|before| before.author.clone());
        let author = author.unwrap_or_else(|| caller.user.id.clone());
        self.document.author = Some(author.clone());
        self.document.by_admin = caller.user.is_admin;
        let Some(Sends { base_url, listed_origins, token_origin, literals, of_connector }) = self.sends else {
            let saved = state.documents.save_document(self.document, must).await;
            return Ok(saved.map(|document| Saved { document, moved: Vec::new() }));
        };
        let (kind, id) = (self.document.kind, self.document.id.clone());
        let mut directory = state.secrets.read_directory().await?;
        if let Some(before) = before {
            directory.check_change(before, caller)?;
            let vouched = is_whole || directory.is_vouched_by_part(before);
            self.document.by_admin = caller.user.is_admin && vouched;
        }
        let origins = SendOrigins::new(&base_url, listed_origins, token_origin)?;
        let literals = take_literals((kind, &id), &origins, literals, &mut self.document.body)?;
        let declaration = Declaration { kind, id, author: Some(author) };
        directory.add_generated(literals.secret_names(), &declaration);
        let moved = literals.moved_findings();
        if !caller.user.is_admin {
            let of_connector = of_connector.as_ref();
            let of_connector = of_connector.map(|(node, document, connector)| (node, document, connector));
            directory.check_write(&self.document, of_connector)?;
        }
        let mut ties =
            SecretTies { generated: literals.seal_literals(&state.secrets, &declaration)?, ..SecretTies::default() };
        for (reference, meaning) in directory.meanings_in(&self.document) {
            let owner = match meaning {
                Meaning::Shared if self.document.by_admin => Some(None),
                Meaning::Own if declaration.author.as_ref() == Some(&caller.user.id) => {
                    Some(declaration.author.clone())
                }
                Meaning::Shared
                | Meaning::Own
                | Meaning::Generated
                | Meaning::GeneratedElsewhere(_)
                | Meaning::Unknown => None,
            };
            if let Some(owner) = owner {
                let grant = |origin| SecretGrant { owner: owner.clone(), name: reference.name.clone(), origin };
                ties.grants.extend(origins.of_pointer(&reference.pointer).into_iter().map(grant));
            }
            ties.used.insert(reference.name);
        }
        let saved = state.documents.save_with_secrets(self.document, must, ties).await;
        Ok(saved.map(|document| Saved { document, moved }))
    }
}

/// Returns a body with some top-level fields replaced; each replaces the whole field.
pub(super) fn apply_patch(mut body: Value, patch: &Map<String, Value>) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.extend(patch.clone());
    }
    body
}

/// Validates a body: everything that prevents a write. `id` is the path's; without one the body's is used, or a new one
/// is generated.
pub(super) async fn read(
    state: &AppState,
    caller: &Caller,
    kind: DocumentKind,
    id: Option<&str>,
    body: Value,
) -> Result<Form, Problem> {
    let Value::Object(mut fields) = body else { return Err(Problem::single_fault("", "the body must be an object")) };
    for name in IGNORED {
        fields.shift_remove(name);
    }
    let given = fields.shift_remove("id");
    let id = match (id, given) {
        (Some(id), _) => id.to_owned(),
        (None, None) => uuid::Uuid::now_v7().to_string(),
        (None, Some(Value::String(id))) => id,
        (None, Some(_)) => return Err(Problem::single_fault("/id", "the id must be a string")),
    };
    check_id(kind, &id)?;
    check_name(&fields)?;
    let limits = state.settings.documents;
    let body = Value::Object(fields);
    let measure = move || {
        match kind {
            DocumentKind::Workflow => limits.check_workflow(body.get("nodes").unwrap_or(&Value::Null), "/nodes"),
            DocumentKind::Connector | DocumentKind::Node => limits.check_bytes(&body),
        }
        .map(|()| body)
    };
    let Value::Object(mut fields) = state.validation.places.run(&caller.user.id, measure).await?? else {
        return Err(Problem::single_fault("", "the body must be an object"));
    };
    let (references, sends) = match kind {
        DocumentKind::Connector => {
            let connector = read_connector(&id, &mut fields)?;
            let literals = connector.literal_credentials();
            let token_origin = token_origin(&connector);
            let listed_origins = listed_credential_origins(&connector);
            let base_url = connector.base_url;
            (Vec::new(), Some(Sends { base_url, listed_origins, token_origin, literals, of_connector: None }))
        }
        DocumentKind::Node => {
            let (references, sends) = read_node(state, &id, &mut fields).await?;
            (references, Some(sends))
        }
        DocumentKind::Workflow => {
            let read = move || read_workflow(&mut fields).map(|references| (fields, references));
            let (read, references) = state.validation.places.run(&caller.user.id, read).await??;
            receiver_of_workflow(&state.settings.outgoing, &read, &caller.user.id)?;
            fields = read;
            (references, None)
        }
    };
    let now = state.clock.now();
    let body = Value::Object(fields);
    let (created_at, updated_at) = (now, now);
    let saved_by = Some(caller.user.id.clone());
    let document = Document {
        kind,
        id,
        body,
        references,
        author: None,
        by_admin: false,
        saved_by,
        created_at,
        updated_at,
        version: 0,
    };
    Ok(Form { document, sends })
}

fn read_connector(id: &str, fields: &mut Map<String, Value>) -> Result<Connector, Problem> {
    move_credentials_of_base_url(fields)?;
    let connector =
        catalog::parse_connector(&with_id(id, fields)).map_err(|found| refuse_document("connector", found))?;
    fields.insert("method".to_owned(), Value::from(connector.method.as_str()));
    fill_default(fields, "header", || Value::Object(Map::new()));
    Ok(connector)
}

/// Moves credentials from the query of `base_url`, which is not a template, into `data.query`, which is one.
fn move_credentials_of_base_url(fields: &mut Map<String, Value>) -> Result<(), Problem> {
    let Some(clean) = fields.get("base_url").and_then(Value::as_str).and_then(catalog::clean_base_url) else {
        return Ok(());
    };
    fill_default(fields, "data", || Value::Object(Map::new()));
    let Some(data) = fields.get_mut("data").and_then(Value::as_object_mut) else { return Ok(()) };
    fill_default(data, "query", || Value::Object(Map::new()));
    let Some(query) = data.get_mut("query").and_then(Value::as_object_mut) else { return Ok(()) };
    for (name, value) in clean.credentials {
        if query.contains_key(&name) {
            let message =
                format!("the query of base_url and data.query both contain the credential `{name}`: remove one");
            return Err(Problem::single_fault("/base_url", message));
        }
        // A `$` would start a reference.
        query.insert(name, Value::from(value.replace('$', "$$")));
    }
    fields.insert("base_url".to_owned(), Value::from(clean.base_url));
    Ok(())
}

async fn read_node(
    state: &AppState,
    id: &str,
    fields: &mut Map<String, Value>,
) -> Result<(Vec<(DocumentKind, String)>, Sends), Problem> {
    let node = catalog::parse_node(&with_id(id, fields)).map_err(|found| refuse_document("node", found))?;
    let literals = node.literal_credentials();
    let reference = (DocumentKind::Connector, node.connector_id.clone());
    let Some(connector) = state.documents.read_document(reference.0, &reference.1).await? else {
        return Err(Problem::single_fault("/connector_id", format!("there is no connector `{}`", reference.1)));
    };
    let parsed = references::saved_connector(&connector)?;
    let base_url = parsed.base_url.clone();
    fill_default(fields, "description", || Value::from(""));
    fill_default(fields, "input", || Value::Array(Vec::new()));
    fill_default(fields, "output", || Value::Array(Vec::new()));
    Ok((
        vec![reference],
        Sends {
            base_url,
            listed_origins: Vec::new(),
            token_origin: None,
            literals,
            of_connector: Some((node, connector, parsed)),
        },
    ))
}

/// Validates a workflow's own fields completely, but its OpenFlow document only for being an object: users save
/// unfinished work.
fn read_workflow(fields: &mut Map<String, Value>) -> Result<Vec<(DocumentKind, String)>, Problem> {
    let mut faults = Vec::new();
    let mut fault = |pointer: String, message: String| {
        faults.push(Fault { pointer, message, code: None, help: None });
    };
    for (name, value) in fields.iter() {
        match name.as_str() {
            "name" | "description" if value.is_string() => {}
            "description" if value.is_null() => {}
            "name" | "description" => fault(format!("/{name}"), format!("`{name}` must be a string")),
            "retention" => check_retention(value, &mut fault),
            "nodes" if value.is_object() => {}
            URL_FIELD | EVENTS_FIELD => {}
            "nodes" => fault("/nodes".to_owned(), "`nodes` must be an object, an OpenFlow document".to_owned()),
            _ => fault(
                apiflow_core::json::pointer_push("", name),
                format!(
                    "a workflow has no field `{name}`; it has name, description, nodes, retention, webhook and \
                     webhook_events_filter"
                ),
            ),
        }
    }
    for name in ["name", "nodes"] {
        if !fields.contains_key(name) {
            fault(format!("/{name}"), format!("`{name}` is missing"));
        }
    }
    if !faults.is_empty() {
        return Err(Problem::invalid("invalid workflow", faults));
    }
    if fields.get("description").is_none_or(Value::is_null) {
        fields.insert("description".to_owned(), Value::from(""));
    }
    if fields.get("retention").is_some_and(Value::is_null) {
        fields.shift_remove("retention");
    }
    let document = fields.get("nodes").unwrap_or(&Value::Null);
    if let Some(pointer) = references::control_in_id(document) {
        return Err(Problem::single_fault(format!("/nodes{pointer}"), references::CONTROL_IN_ID));
    }
    Ok(references::of_workflow(document))
}

/// Checks how long a workflow's jobs and outputs are kept.
fn check_retention(value: &Value, fault: &mut impl FnMut(String, String)) {
    let Some(fields) = value.as_object() else {
        if !value.is_null() {
            fault(
                "/retention".to_owned(),
                "`retention` must be an object with artifacts_days and jobs_days".to_owned(),
            );
        }
        return;
    };
    for (name, days) in fields {
        let pointer = apiflow_core::json::pointer_push("/retention", name);
        match name.as_str() {
            "artifacts_days" | "jobs_days" => {
                let is_allowed = days.as_u64().is_some_and(|days| (1..=MAX_RETENTION_DAYS).contains(&days));
                if !is_allowed && !days.is_null() {
                    fault(pointer, format!("`{name}` must be a whole number from 1 to {MAX_RETENTION_DAYS}, or null"));
                }
            }
            _ => fault(pointer, format!("`retention` has no field `{name}`; it has artifacts_days and jobs_days")),
        }
    }
}

/// Names are stored in text columns, in which databases do not accept control characters.
fn check_name(fields: &Map<String, Value>) -> Result<(), Problem> {
    let name = fields.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.chars().any(char::is_control) {
        return Err(Problem::single_fault(
            "/name",
            "the name must not contain control characters, such as line breaks",
        ));
    }
    Ok(())
}

fn fill_default(fields: &mut Map<String, Value>, name: &str, default: impl FnOnce() -> Value) {
    if fields.get(name).is_none_or(Value::is_null) {
        fields.insert(name.to_owned(), default());
    }
}

fn with_id(id: &str, fields: &Map<String, Value>) -> Value {
    let mut object = Map::from_iter([("id".to_owned(), Value::from(id))]);
    object.extend(fields.clone());
    Value::Object(object)
}

fn refuse_document(what: &str, found: Vec<Diagnostic>) -> Problem {
    Problem::from_diagnostics(what, found)
}

fn check_id(kind: DocumentKind, id: &str) -> Result<(), Problem> {
    if !is_valid_id(id) {
        return Err(Problem::single_fault("/id", format!("the id {ID_RULE}")));
    }
    let reserved: &[&str] = match kind {
        DocumentKind::Connector => &["node", "workflow", "connector"],
        DocumentKind::Node => &[],
        DocumentKind::Workflow => &ROUTE_WORDS,
    };
    if reserved.contains(&id) {
        return Err(Problem::single_fault("/id", format!("the id `{id}` is reserved for {}s", kind.as_str())));
    }
    Ok(())
}
