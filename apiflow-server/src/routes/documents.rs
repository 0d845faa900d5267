//! What connectors, nodes and workflows have in common: reading, saving, preconditions.

mod forms;
mod precondition;
mod reply;

use apiflow_store::{Document, DocumentKind, Precondition, RecordError};
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use self::forms::Form;
use crate::auth::Caller;
use crate::page::{PageQuery, cut};
use crate::problem::Problem;
use crate::references::saved;
use crate::state::AppState;

/// How often a PATCH without `If-Match` is tried again when somebody else saves in between.
const PATCH_TRIES: usize = 5;

pub(super) async fn list(state: &AppState, kind: DocumentKind, query: &PageQuery) -> Result<Response, Problem> {
    let limit = query.limit()?;
    let mut found = state.documents.documents(kind, query.after()?.as_deref(), limit + 1).await?;
    let next = cut(&mut found, limit, |document| document.id.clone());
    let items = reply::bodies(state, found).await?;
    Ok(Json(crate::api::Page { items, next }).into_response())
}

pub(super) async fn create(
    state: &AppState,
    caller: &Caller,
    kind: DocumentKind,
    body: Value,
) -> Result<Response, Problem> {
    let form = forms::read(state, kind, None, body).await?;
    let saved = save(state, caller, form, Precondition::Absent).await?;
    answer(state, saved, true).await
}

pub(super) async fn read(state: &AppState, kind: DocumentKind, id: &str) -> Result<Response, Problem> {
    answer(state, saved(&*state.documents, kind, id).await?, false).await
}

pub(super) async fn replace(
    state: &AppState,
    caller: &Caller,
    kind: DocumentKind,
    id: &str,
    headers: &HeaderMap,
    body: Value,
) -> Result<Response, Problem> {
    let must = precondition::of(&*state.documents, kind, id, headers).await?;
    let form = forms::read(state, kind, Some(id), body).await?;
    let saved = save(state, caller, form, must).await?;
    let is_new = saved.version == 1;
    answer(state, saved, is_new).await
}

pub(super) async fn change(
    state: &AppState,
    caller: &Caller,
    kind: DocumentKind,
    id: &str,
    headers: &HeaderMap,
    patch: Value,
) -> Result<Response, Problem> {
    let Value::Object(patch) = patch else { return Err(Problem::fault("", "the body must be an object")) };
    let must = precondition::of(&*state.documents, kind, id, headers).await?;
    for _ in 0..PATCH_TRIES {
        let before = saved(&*state.documents, kind, id).await?;
        let version = Precondition::Version(before.version);
        if must != Precondition::None && must != Precondition::Present && must != version {
            return Err(RecordError::Changed { kind: kind.as_str(), id: id.to_owned(), version: before.version }.into());
        }
        let form = forms::read(state, kind, Some(id), forms::patched(before.body, &patch)).await?;
        match form.save(state, caller, version).await? {
            Err(RecordError::Changed { .. }) if must == Precondition::None => {}
            done => return answer(state, done?, false).await,
        }
    }
    Err(Problem::new(
        StatusCode::CONFLICT,
        "busy",
        format!("{} `{id}` is being changed by others; try again", kind.as_str()),
    ))
}

pub(super) async fn remove(
    state: &AppState,
    kind: DocumentKind,
    id: &str,
    headers: &HeaderMap,
) -> Result<StatusCode, Problem> {
    let must = precondition::of(&*state.documents, kind, id, headers).await?;
    state.documents.remove(kind, id, must).await?;
    state.secrets.forget(kind, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn save(state: &AppState, caller: &Caller, form: Form, must: Precondition) -> Result<Document, Problem> {
    Ok(form.save(state, caller, must).await??)
}

async fn answer(state: &AppState, document: Document, is_new: bool) -> Result<Response, Problem> {
    let kind = document.kind;
    let location = format!("{}/{}s/{}", super::API, kind.as_str(), document.id);
    let etag = precondition::etag(&document);
    let body = reply::body(state, document).await?;
    let etag = [(header::ETAG, etag)];
    if is_new {
        return Ok((StatusCode::CREATED, [(header::LOCATION, location)], etag, Json(body)).into_response());
    }
    Ok((StatusCode::OK, etag, Json(body)).into_response())
}
