//! `If-Match` and `If-None-Match` as conditions of the store.

use apiflow_store::{DocumentKind, Documents, Precondition, RecordError};
use axum::http::{HeaderMap, StatusCode, header};

use crate::problem::Problem;

/// What a request demands of the document that it changes.
pub(super) async fn of(
    documents: &dyn Documents,
    kind: DocumentKind,
    id: &str,
    headers: &HeaderMap,
) -> Result<Precondition, Problem> {
    if headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes().trim_ascii() == b"*") {
        return Ok(Precondition::Absent);
    }
    let mut values = headers.get_all(header::IF_MATCH).iter().peekable();
    if values.peek().is_none() {
        return Ok(Precondition::None);
    }
    let text: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
    let tags: Vec<_> = text.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    let found = documents.document(kind, id).await?;
    let Some(found) = found else {
        return Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "changed",
            format!("{} `{id}` does not exist, so its ETag cannot match", kind.as_str()),
        ));
    };
    if tags.contains(&"*") {
        return Ok(Precondition::Present);
    }
    // The version is compared again by the store when it saves.
    if tags.iter().any(|tag| *tag == format!("\"{}\"", found.version)) {
        return Ok(Precondition::Version(found.version));
    }
    Err(RecordError::Changed { kind: kind.as_str(), id: id.to_owned(), version: found.version }.into())
}
