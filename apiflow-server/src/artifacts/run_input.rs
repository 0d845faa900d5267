//! Media in the input of a run: large data URIs become artifacts, and artifacts that it names must be the caller's.

use apiflow_core::artifact::{Artifact, artifact_id_of};
use apiflow_core::artifacts::StoredArtifacts;
use apiflow_core::catalog::ValueType;
use apiflow_core::json::pointer_push;
use apiflow_core::ports::{Artifacts as _, ByteStream, NewArtifact};
use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::artifacts::access::is_own;
use crate::artifacts::links::artifact_url_prefix;
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::Caller;

/// Data URIs up to this length stay what they are, in bytes.
pub(crate) const MAX_INLINE_DATA_URI_BYTES: usize = 8 * 1024;

/// Fields of an artifact's object; an object with other fields is not taken for one.
const ARTIFACT_FIELDS: [&str; 9] =
    ["artifact", "url", "mime", "size_bytes", "sha256", "name", "width", "height", "duration_s"];

/// A value that is to be replaced or looked up.
enum Media {
    /// A data URI, which becomes an artifact.
    DataUri(String),
    /// An object that stands for the artifact with this id.
    Object(String),
    /// The URL of the artifact with this id.
    Url(String),
    /// An object that has further fields beside the id of what may be an artifact: a call may still take it for one.
    Named(String),
}

/// Replaces the media in a run's input by the objects of artifacts; returns the ids of all artifacts that it uses.
///
/// # Errors
/// 422 with the pointer of an artifact that does not exist or is not the caller's, or of an invalid data URI.
pub(crate) async fn adopt_media(state: &AppState, caller: &Caller, input: &mut Value) -> Result<Vec<String>, Problem> {
    let mut found = Vec::new();
    find_media(input, "/input", Some(&artifact_url_prefix(&state.settings.public_url)), &mut found);
    let mut used = Vec::new();
    for (pointer, media) in found {
        let (artifact, is_replaced) = match media {
            Media::DataUri(uri) => {
                (store_data_uri(&state.artifacts, Some(&caller.user.id), &pointer, &uri).await?, true)
            }
            Media::Object(id) => (find_artifact(state, caller, &pointer, &id).await?, true),
            Media::Url(id) => (find_artifact(state, caller, &pointer, &id).await?, false),
            Media::Named(id) => {
                refuse_out_of_scope(state, caller, &pointer, &id).await?;
                continue;
            }
        };
        if is_replaced
            && let Some(place) = pointer.strip_prefix("/input").and_then(|pointer| input.pointer_mut(pointer))
        {
            *place = artifact.to_value();
        }
        if !used.contains(&artifact.id) {
            used.push(artifact.id);
        }
    }
    Ok(used)
}

/// Replaces the large data URIs in the input of a run that has no users and no earlier artifacts by the objects of artifacts.
///
/// # Errors
/// 422 with the pointer of an invalid data URI; those of the storage.
pub(crate) async fn adopt_data_uris(artifacts: &StoredArtifacts, input: &mut Value) -> Result<(), Problem> {
    let mut found = Vec::new();
    find_media(input, "/input", None, &mut found);
    for (pointer, media) in found {
        if let Media::DataUri(uri) = media
            && let Some(place) = pointer.strip_prefix("/input").and_then(|place| input.pointer_mut(place))
        {
            *place = store_data_uri(artifacts, None, &pointer, &uri).await?.to_value();
        }
    }
    Ok(())
}

/// Adds the ids of the artifacts in a reused result to those that the job uses, as far as they are the caller's: what a
/// provider returned may name any.
pub(crate) async fn add_artifact_ids(
    state: &AppState,
    caller: &Caller,
    result: &Value,
    used: &mut Vec<String>,
) -> Result<(), Problem> {
    let mut found = Vec::new();
    find_media(result, "", Some(&artifact_url_prefix(&state.settings.public_url)), &mut found);
    for (_, media) in found {
        let (Media::Object(id) | Media::Url(id)) = media else { continue };
        if used.contains(&id) {
            continue;
        }
        let row = state.artifacts.records().find_artifact(&id).await?;
        if row.is_some_and(|row| is_own(caller, &row)) {
            used.push(id);
        }
    }
    Ok(())
}

fn find_media(value: &Value, pointer: &str, url_prefix: Option<&str>, found: &mut Vec<(String, Media)>) {
    match value {
        Value::String(text) => {
            if text.len() > MAX_INLINE_DATA_URI_BYTES && is_data_uri(text) {
                found.push((pointer.to_owned(), Media::DataUri(text.clone())));
            } else if let Some(id) = url_prefix.and_then(|prefix| text.strip_prefix(prefix)) {
                let id = id.split(['?', '#']).next().unwrap_or_default();
                found.push((pointer.to_owned(), Media::Url(id.to_owned())));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_media(item, &pointer_push(pointer, &index.to_string()), url_prefix, found);
            }
        }
        Value::Object(fields) => {
            let is_artifact = fields.keys().all(|name| ARTIFACT_FIELDS.contains(&name.as_str()));
            if let Some(id) = artifact_id_of(value).filter(|_| is_artifact) {
                found.push((pointer.to_owned(), Media::Object(id.to_owned())));
                return;
            }
            if let Some(id) = artifact_id_of(value) {
                found.push((pointer.to_owned(), Media::Named(id.to_owned())));
            }
            for (name, field) in fields {
                find_media(field, &pointer_push(pointer, name), url_prefix, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_data_uri(text: &str) -> bool {
    text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

async fn find_artifact(state: &AppState, caller: &Caller, pointer: &str, id: &str) -> Result<Artifact, Problem> {
    let row = state.artifacts.records().find_artifact(id).await?;
    match row.filter(|row| is_own(caller, row)) {
        Some(row) if caller.may_use_artifact(state, id).await? => Ok(state.artifacts.describe_row(row)),
        Some(_) | None => Err(Problem::single_fault(pointer, format!("there is no artifact `{id}`"))),
    }
}

/// Refuses an artifact that the scopes of the caller's token do not permit. Artifacts of others are refused when a call
/// would send them; what is no artifact is the caller's own data.
async fn refuse_out_of_scope(state: &AppState, caller: &Caller, pointer: &str, id: &str) -> Result<(), Problem> {
    let is_artifact = caller.has_scopes() && state.artifacts.records().find_artifact(id).await?.is_some();
    if is_artifact && !caller.may_use_artifact(state, id).await? {
        return Err(Problem::single_fault(pointer, format!("there is no artifact `{id}`")));
    }
    Ok(())
}

async fn store_data_uri(
    artifacts: &StoredArtifacts,
    owner: Option<&str>,
    pointer: &str,
    uri: &str,
) -> Result<Artifact, Problem> {
    let (mime, bytes) = decode_data_uri(uri)
        .ok_or_else(|| Problem::single_fault(pointer, "invalid data URI: use data:<type>;base64,<content>"))?;
    let new = NewArtifact {
        id: uuid::Uuid::now_v7().to_string(),
        value_type: ValueType::File,
        mime,
        name: None,
        owner: owner.map(str::to_owned),
        provenance: None,
    };
    let bytes: ByteStream = Box::pin(futures_util::stream::iter([Ok(Bytes::from(bytes))]));
    Ok(artifacts.put(new, bytes).await?)
}

/// Returns the MIME type and the content of a data URI. Source: RFC 2397.
fn decode_data_uri(uri: &str) -> Option<(Option<String>, Vec<u8>)> {
    let (head, content) = uri.get(5..)?.split_once(',')?;
    let (mime, is_base64) = match head.rsplit_once(';') {
        Some((mime, encoding)) if encoding.eq_ignore_ascii_case("base64") => (mime, true),
        Some(_) | None => (head, false),
    };
    let content: Vec<u8> = percent_decode_str(content).collect();
    let bytes = if is_base64 {
        let content: Vec<u8> = content.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        STANDARD.decode(content).ok()?
    } else {
        content
    };
    Some((Some(mime.to_owned()).filter(|mime| !mime.is_empty()), bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_uris_are_decoded() {
        for (uri, expected) in [
            ("data:image/png;base64,AQI=", Some((Some("image/png"), vec![1, 2]))),
            ("DATA:image/png;BASE64,AQ I%3D", Some((Some("image/png"), vec![1, 2]))),
            ("data:text/plain;charset=utf-8,a%20b", Some((Some("text/plain;charset=utf-8"), b"a b".to_vec()))),
            ("data:,x", Some((None, b"x".to_vec()))),
            ("data:image/png;base64,!", None),
            ("data:image/png;base64", None),
        ] {
            let found = decode_data_uri(uri);
            let found = found.as_ref().map(|(mime, bytes)| (mime.as_deref(), bytes.clone()));
            assert_eq!(found, expected, "{uri}");
        }
    }

    #[test]
    fn media_is_found_wherever_it_is() {
        let large = format!("data:image/png;base64,{}", "A".repeat(MAX_INLINE_DATA_URI_BYTES));
        let value = json!({
            "small": "data:image/png;base64,AAAA", "text": "hello",
            "list": [{"image": large}, "https://a.example/api/v1/artifacts/x?expires=1"],
            "object": {"artifact": "y", "url": "https://a.example"},
            "vase": {"artifact": "z", "age": 2000, "inside": {"artifact": "deep"}},
        });
        let mut found = Vec::new();
        find_media(&value, "/input", Some("https://a.example/api/v1/artifacts/"), &mut found);
        let found: Vec<String> = found
            .into_iter()
            .map(|(pointer, media)| match media {
                Media::DataUri(uri) => format!("{pointer} data {}", uri.len()),
                Media::Object(id) => format!("{pointer} object {id}"),
                Media::Url(id) => format!("{pointer} url {id}"),
                Media::Named(id) => format!("{pointer} named {id}"),
            })
            .collect();
        let expected = [
            format!("/input/list/0/image data {}", MAX_INLINE_DATA_URI_BYTES + 22),
            "/input/list/1 url x".to_owned(),
            "/input/object object y".to_owned(),
            "/input/vase named z".to_owned(),
            "/input/vase/inside object deep".to_owned(),
        ];
        assert_eq!(found, expected);
    }
}
