//! Routes of artifacts.

use apiflow_core::artifact::Artifact;
use apiflow_core::ports::{ArtifactFilter, ArtifactRow, Artifacts as _, Timestamp};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{
    ArtifactInfo, ArtifactLink, ArtifactProvenance, FetchRequest, NewArtifactLink, Page, UploadedArtifacts,
};
use crate::artifacts::access::{find_own, find_readable};
use crate::artifacts::byte_range::{Selection, select_bytes};
use crate::artifacts::content_headers::{content_headers, etag_of};
use crate::artifacts::fetch::fetch_file;
use crate::artifacts::thumbnails::read_thumbnail;
use crate::artifacts::upload::{store_body, store_form};
use crate::http::extract::{InPath, InQuery, JsonBody};
use crate::http::pagination::{PageQuery, build_page};
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::state::AppState;
use crate::users::{Caller, ScopedCaller};

/// Longest time for which a link may be signed, in seconds: a week.
const MAX_LINK_S: u64 = 7 * 86_400;

/// Returns the routes of artifacts.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, upload, upload_named))
        .routes(routes!(read, remove))
        .routes(routes!(read_info))
        .routes(routes!(create_link))
        .routes(routes!(fetch))
}

/// Name of an upload.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UploadQuery {
    /// File name of the artifact.
    name: Option<String>,
}

/// Stores the body as an artifact of the caller, or each file of a form (`multipart/form-data`) as one. The type is
/// recognized by the first bytes; the Content-Type counts only if they are unknown.
#[utoipa::path(post, path = "/artifacts", operation_id = "upload_artifact", tag = "artifacts", params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "the file, or a form with files"),
    responses((status = CREATED, description = "the artifact; for a form `{\"items\": […]}`", body = Artifact)))]
async fn upload(
    State(state): State<AppState>,
    caller: Caller,
    InQuery(query): InQuery<UploadQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let mime = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if mime.to_ascii_lowercase().starts_with(b"multipart/form-data") {
        let items = store_form(&state, &caller, &parts.headers, body).await?;
        return Ok((StatusCode::CREATED, Json(UploadedArtifacts { items })).into_response());
    }
    Ok(created(store_body(&state, &caller, query.name, &parts.headers, body).await?))
}

/// Stores the body as an artifact of the caller, as `POST` does.
#[utoipa::path(put, path = "/artifacts", operation_id = "put_artifact", tag = "artifacts", params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "the file"),
    responses((status = CREATED, description = "the artifact", body = Artifact)))]
async fn upload_named(
    State(state): State<AppState>,
    caller: Caller,
    InQuery(query): InQuery<UploadQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    Ok(created(store_body(&state, &caller, query.name, &parts.headers, body).await?))
}

/// Stores the file at a URL as an artifact of the caller; the same one each time. The server fetches it by the rules of
/// all outgoing requests (`APIFLOW_ALLOW_HOSTS`), without credentials.
#[utoipa::path(post, path = "/artifacts/fetch", operation_id = "fetch_artifact", tag = "artifacts", request_body = FetchRequest,
    responses((status = CREATED, description = "the artifact", body = Artifact)))]
async fn fetch(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<FetchRequest>,
) -> Result<Response, Problem> {
    Ok(created(fetch_file(&state, &caller, &body.url).await?))
}

fn created(artifact: Artifact) -> Response {
    let location = format!("{}/artifacts/{}", crate::api::BASE_PATH, artifact.id);
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(artifact)).into_response()
}

/// Filter and page of a list of artifacts.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ArtifactQuery {
    /// Number of artifacts per page, from 1 to 500 (default: 50).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the previous page.
    cursor: Option<String>,
    /// Only outputs of this job and artifacts that it uses.
    job: Option<String>,
    /// Only this kind, `image`, `video`, `audio` or `file` (all others), or this MIME type.
    r#type: Option<String>,
}

/// Lists the caller's artifacts, or all for admins.
#[utoipa::path(get, path = "/artifacts", operation_id = "list_artifacts", tag = "artifacts", params(ArtifactQuery),
    responses((status = OK, description = "a page, newest first", body = Page<ArtifactInfo>)))]
async fn list(
    State(state): State<AppState>,
    caller: Caller,
    InQuery(query): InQuery<ArtifactQuery>,
) -> Result<Json<Page<ArtifactInfo>>, Problem> {
    let (kind, mime) = match query.r#type {
        Some(mime) if mime.contains('/') => (None, Some(mime.to_ascii_lowercase())),
        kind => (kind, None),
    };
    if kind.as_deref().is_some_and(|kind| !["image", "video", "audio", "file"].contains(&kind)) {
        return Err(Problem::malformed("type must be image, video, audio, file or a MIME type like image/png"));
    }
    let owner = (!caller.user.is_admin).then(|| caller.user.id.clone());
    let filter = ArtifactFilter { owner, job: query.job, kind, mime };
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit()?;
    let before = page.after_key()?.map(|key| parse_place(&key)).transpose()?;
    let rows = state.artifacts.records().list_artifacts(&filter, before, limit + 1).await?;
    let place = |row: &ArtifactRow| format!("{} {}", row.created_at.0, row.id);
    Ok(Json(build_page(rows, limit, place, |row| artifact_info(&state, row))))
}

/// Parses the place of the last artifact of the previous page.
fn parse_place(key: &str) -> Result<(Timestamp, String), Problem> {
    let place = key.split_once(' ').and_then(|(at, id)| Some((Timestamp(at.parse().ok()?), id.to_owned())));
    place.ok_or_else(|| Problem::malformed("invalid cursor: pass the `next` of the previous page"))
}

/// How an artifact is read.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ReadQuery {
    /// Whether browsers are to save the file instead of showing it (default: false).
    #[serde(default)]
    download: bool,
    /// Returns a thumbnail of an image, at most this wide in pixels, rounded up to 80, 160, 320, 640 or 1280.
    #[param(minimum = 1, maximum = 1280)]
    w: Option<u32>,
    /// When a signed link expires, in seconds since 1970.
    #[expect(dead_code, reason = "read from the query itself, also without a token; listed for the documentation")]
    expires: Option<u64>,
    /// The signature of a signed link.
    #[expect(dead_code, reason = "read from the query itself, also without a token; listed for the documentation")]
    signature: Option<String>,
}

/// Reads an artifact's content, or a thumbnail of it: with a token, in a session, or by a signed link. Ranges and
/// conditions are supported.
#[utoipa::path(get, path = "/artifacts/{id}", operation_id = "get_artifact", tag = "artifacts",
    params(("id" = String, Path), ReadQuery), security(("token" = []), ("session" = []), ()),
    responses(
        (status = OK, description = "the content", content_type = "application/octet-stream", body = Vec<u8>),
        (status = PARTIAL_CONTENT, description = "the range"),
        (status = NOT_MODIFIED, description = "the caller has it"),
        (status = RANGE_NOT_SATISFIABLE, description = "the range is outside of the content"),
    ))]
async fn read(
    State(state): State<AppState>,
    InPath(id): InPath<String>,
    InQuery(query): InQuery<ReadQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let readable = find_readable(&state, &mut parts, &id).await?;
    let row = readable.row;
    if let Some(width) = query.w {
        return serve_thumbnail(&state, &parts.headers, &row, width, readable.is_signed).await;
    }
    let size = row.blob.size_bytes;
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = content_headers(&row, query.download, readable.is_signed);
    let (status, range) = match select_bytes(&parts.headers, &etag_of(&row), size) {
        Selection::Whole => (StatusCode::OK, 0..size),
        Selection::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Selection::NotModified => {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }
        Selection::OutOfRange => return Ok(out_of_range(size)),
    };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    if status == StatusCode::PARTIAL_CONTENT {
        let place = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(&place).map_err(Problem::internal)?);
    }
    if parts.method != Method::HEAD {
        let reader = state.artifacts.get(&id, Some(range)).await?;
        *response.body_mut() =
            Body::from_stream(reader.bytes.map(|part| {
                part.inspect_err(|error| tracing::error!(%error, "an artifact could not be read to its end"))
            }));
    }
    Ok(response)
}

async fn serve_thumbnail(
    state: &AppState,
    asked: &HeaderMap,
    row: &ArtifactRow,
    width: u32,
    is_signed: bool,
) -> Result<Response, Problem> {
    let thumbnail = read_thumbnail(state, row, width).await?;
    let etag = format!("\"{}-w{}\"", row.blob.sha256, thumbnail.width);
    let mut headers = content_headers(row, false, is_signed);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(thumbnail.mime));
    headers.remove(header::ACCEPT_RANGES);
    headers.remove(header::CONTENT_DISPOSITION);
    headers.insert(header::ETAG, HeaderValue::from_str(&etag).map_err(Problem::internal)?);
    if select_bytes(asked, &etag, thumbnail.content.len() as u64) == Selection::NotModified {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let mut response = Response::new(Body::from(thumbnail.content));
    *response.headers_mut() = headers;
    Ok(response)
}

fn out_of_range(size: u64) -> Response {
    let detail = format!("the range is outside of the artifact, which has {size} bytes");
    let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, problem_codes::OUT_OF_RANGE, detail);
    let mut response = problem.into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, place);
    }
    response
}

/// Reads what is known about an artifact.
#[utoipa::path(get, path = "/artifacts/{id}/info", operation_id = "get_artifact_info", tag = "artifacts",
    params(("id" = String, Path)),
    responses((status = OK, description = "the artifact", body = ArtifactInfo)))]
async fn read_info(
    State(state): State<AppState>,
    caller: ScopedCaller,
    InPath(id): InPath<String>,
) -> Result<Json<ArtifactInfo>, Problem> {
    let caller = caller.permit_artifact(&state, &id).await?;
    Ok(Json(artifact_info(&state, find_own(&state, &caller, &id).await?)))
}

/// Creates a signed link to an artifact: whoever has it can read the artifact until it expires.
#[utoipa::path(post, path = "/artifacts/{id}/links", operation_id = "create_artifact_link", tag = "artifacts",
    params(("id" = String, Path)), request_body = NewArtifactLink,
    responses((status = CREATED, description = "the link", body = ArtifactLink)))]
async fn create_link(
    State(state): State<AppState>,
    caller: ScopedCaller,
    InPath(id): InPath<String>,
    JsonBody(new): JsonBody<NewArtifactLink>,
) -> Result<(StatusCode, Json<ArtifactLink>), Problem> {
    let caller = caller.permit_artifact(&state, &id).await?;
    let valid_s = new.expires_in_s.unwrap_or(state.settings.link_seconds);
    if !(1..=MAX_LINK_S).contains(&valid_s) {
        return Err(Problem::single_fault("/expires_in_s", format!("expires_in_s must be from 1 to {MAX_LINK_S}")));
    }
    find_own(&state, &caller, &id).await?;
    let expires = u64::try_from(state.clock.now().0 / 1000).unwrap_or_default() + valid_s;
    // A link of a token with scopes ends with the token.
    let token_end = caller.token.expires_at.filter(|_| caller.has_scopes());
    let token_end = token_end.map_or(u64::MAX, |end| u64::try_from(end.0 / 1000).unwrap_or_default());
    let expires = expires.min(token_end);
    let expires_at = Timestamp(i64::try_from(expires).unwrap_or(i64::MAX / 1000) * 1000).to_rfc3339();
    let link = ArtifactLink { url: state.link_signer.sign_link(&id, expires), expires_at };
    Ok((StatusCode::CREATED, Json(link)))
}

/// Deletes an artifact. Jobs that use it and have not read it yet will fail.
#[utoipa::path(delete, path = "/artifacts/{id}", operation_id = "delete_artifact", tag = "artifacts",
    params(("id" = String, Path)),
    responses((status = NO_CONTENT, description = "removed")))]
async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<StatusCode, Problem> {
    find_own(&state, &caller, &id).await?;
    state.artifacts.delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn artifact_info(state: &AppState, row: ArtifactRow) -> ArtifactInfo {
    let provenance = row.provenance.clone().map(|provenance| ArtifactProvenance {
        job: provenance.job,
        step: provenance.step,
        step_id: provenance.step_id,
        provider: provenance.provider,
        link: provenance.link,
        link_expires_at: provenance.link_expires_at.map(Timestamp::to_rfc3339),
    });
    ArtifactInfo {
        owner: row.owner.clone(),
        created_at: row.created_at.to_rfc3339(),
        last_used_at: row.last_used_at.to_rfc3339(),
        provenance,
        artifact: state.artifacts.describe_row(row),
    }
}
