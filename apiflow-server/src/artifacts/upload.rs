//! Uploads: the body of a request as one artifact, or the files of a form as one each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use apiflow_core::artifact::Artifact;
use apiflow_core::catalog::ValueType;
use apiflow_core::ports::{Artifacts as _, ByteStream, HttpError, NewArtifact};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::{Stream, StreamExt as _};

use crate::artifacts::content_headers::clean_name;
use crate::http::problem::{Problem, is_timeout};
use crate::http::problem_codes;
use crate::state::AppState;
use crate::users::Caller;

/// Maximum number of files in one form.
const MAX_FORM_FILES: usize = 100;

/// What is known about a file before its bytes.
#[derive(Debug, Default)]
pub(crate) struct FileFacts {
    /// File name.
    pub(crate) name: Option<String>,
    /// Declared MIME type.
    pub(crate) mime: Option<String>,
}

/// Stores a file of a caller.
pub(crate) async fn store_file(
    state: &AppState,
    caller: &Caller,
    facts: FileFacts,
    bytes: ByteStream,
) -> Result<Artifact, Problem> {
    let new = NewArtifact {
        id: uuid::Uuid::now_v7().to_string(),
        value_type: ValueType::File,
        mime: facts.mime,
        name: facts.name.as_deref().and_then(clean_name),
        owner: Some(caller.user.id.clone()),
        provenance: None,
    };
    Ok(state.artifacts.put(new, bytes).await?)
}

/// Stores the body of a request.
pub(crate) async fn store_body(
    state: &AppState,
    caller: &Caller,
    name: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Artifact, Problem> {
    refuse_declared_length(state, headers)?;
    let mime = headers.get(header::CONTENT_TYPE).and_then(|mime| mime.to_str().ok()).map(str::to_owned);
    let (bytes, timed_out) = watch_stream(body.into_data_stream());
    let stored = store_file(state, caller, FileFacts { name, mime }, bytes).await;
    stored.map_err(|problem| explain_timeout(problem, &timed_out))
}

/// Stores the files of a form, in order; fields without a file name are refused.
pub(crate) async fn store_form(
    state: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<Artifact>, Problem> {
    let boundary = headers.get(header::CONTENT_TYPE).and_then(|mime| multer::parse_boundary(mime.to_str().ok()?).ok());
    let boundary = boundary.ok_or_else(|| Problem::malformed("the Content-Type of a form must name its boundary"))?;
    let (bytes, timed_out) = watch_stream(body.into_data_stream());
    let mut form = multer::Multipart::new(bytes, boundary);
    let stored = store_fields(state, caller, &mut form).await;
    stored.map_err(|problem| explain_timeout(problem, &timed_out))
}

async fn store_fields(
    state: &AppState,
    caller: &Caller,
    form: &mut multer::Multipart<'_>,
) -> Result<Vec<Artifact>, Problem> {
    let mut stored = Vec::new();
    while let Some(field) = form.next_field().await.map_err(malformed_form)? {
        let Some(name) = field.file_name().map(str::to_owned) else {
            let field = field.name().unwrap_or_default();
            return Err(Problem::malformed(format!(
                "the field `{field}` of the form is no file: send files only, with `filename`"
            )));
        };
        if stored.len() == MAX_FORM_FILES {
            return Err(Problem::malformed(format!("a form may contain at most {MAX_FORM_FILES} files")));
        }
        let facts = FileFacts { name: Some(name), mime: field.content_type().map(ToString::to_string) };
        stored.push(store_field(state, caller, facts, field).await?);
    }
    if stored.is_empty() {
        return Err(Problem::malformed("the form contains no file"));
    }
    Ok(stored)
}

/// Stores one field. Its bytes go through a channel, because a field borrows its form.
async fn store_field(
    state: &AppState,
    caller: &Caller,
    facts: FileFacts,
    mut field: multer::Field<'_>,
) -> Result<Artifact, Problem> {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let bytes = futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    // The channel closes with the sender, when all bytes have been sent.
    let send = async move {
        loop {
            let part = match field.chunk().await {
                Ok(Some(chunk)) => Ok(chunk),
                Ok(None) => return,
                Err(error) => Err(HttpError::Unknown(error.to_string())),
            };
            let is_last = part.is_err();
            // Fails if the artifact was refused.
            if sender.send(part).await.is_err() || is_last {
                return;
            }
        }
    };
    let (stored, ()) = tokio::join!(store_file(state, caller, facts, Box::pin(bytes)), send);
    stored
}

/// Refuses a body that is too large according to its length, before it is read.
fn refuse_declared_length(state: &AppState, headers: &HeaderMap) -> Result<(), Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let limit_bytes = state.artifacts.max_artifact_bytes();
    if length.is_some_and(|length| length > limit_bytes) {
        return Err(apiflow_core::ports::ArtifactError::TooLarge { limit_bytes }.into());
    }
    Ok(())
}

/// Converts the stream of a body, and notes whether it ended because its client stalled.
fn watch_stream(
    stream: impl Stream<Item = Result<axum::body::Bytes, axum::Error>> + Send + 'static,
) -> (ByteStream, Arc<AtomicBool>) {
    let timed_out = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&timed_out);
    let stream = stream.map(move |part| {
        part.map_err(|error| {
            noted.fetch_or(is_timeout(&error), Ordering::Relaxed);
            HttpError::Unknown(error.to_string())
        })
    });
    (Box::pin(stream), timed_out)
}

fn explain_timeout(problem: Problem, timed_out: &AtomicBool) -> Problem {
    if timed_out.load(Ordering::Relaxed) {
        let detail = "timed out while waiting for the body (APIFLOW_BODY_TIMEOUT_S); send the request again";
        return Problem::new(StatusCode::REQUEST_TIMEOUT, problem_codes::REQUEST_TIMEOUT, detail);
    }
    problem
}

fn malformed_form(error: multer::Error) -> Problem {
    Problem::malformed(format!("the form could not be read: {error}"))
}
