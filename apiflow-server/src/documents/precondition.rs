//! Translates `If-Match` and `If-None-Match` to preconditions of the store.

use apiflow_store::{Document, DocumentKind, Documents, Precondition};
use axum::http::{HeaderMap, StatusCode, header};

use crate::http::problem::Problem;
use crate::http::problem_codes;

/// Returns the ETag of the current version of a document. The creation time is part of it, so that a document that was
/// deleted and created again does not reuse earlier ETags.
pub(super) fn document_etag(document: &Document) -> String {
    format!("\"{:x}-{}\"", document.created_at.0, document.version)
}

/// Returns a request's precondition on the document that it changes.
pub(super) async fn read_precondition(
    documents: &dyn Documents,
    kind: DocumentKind,
    id: &str,
    headers: &HeaderMap,
) -> Result<Precondition, Problem> {
    if headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes().trim_ascii() == b"*") {
        if documents.read_document(kind, id).await?.is_some() {
            return Err(precondition_failed(format!("{} `{id}` already exists", kind.as_str())));
        }
        return Ok(Precondition::Absent);
    }
    let mut values = headers.get_all(header::IF_MATCH).iter().peekable();
    if values.peek().is_none() {
        return Ok(Precondition::None);
    }
    let text: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
    let tags: Vec<_> = text.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    let found = documents.read_document(kind, id).await?;
    let Some(found) = found else {
        return Err(precondition_failed(format!("{} `{id}` does not exist, so its ETag cannot match", kind.as_str())));
    };
    if tags.contains(&"*") {
        return Ok(Precondition::Present);
    }
    // The store compares the version again when it saves.
    let etag = document_etag(&found);
    if tags.contains(&etag.as_str()) {
        return Ok(Precondition::Version(found.version));
    }
    Err(precondition_failed(format!("{} `{id}` has changed: its ETag is {etag}; read it again", kind.as_str())))
}

fn precondition_failed(detail: String) -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, problem_codes::CHANGED, detail)
}
