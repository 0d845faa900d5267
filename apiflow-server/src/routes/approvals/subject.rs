//! What an approval is about: the result of the step that waits, with its pictures, videos and sounds.

use apiflow_core::artifact::artifact_id_of;
use apiflow_core::ports::{Artifacts as _, StepRow, StepStatus, Timestamp};
use serde_json::Value;

use super::html::escape_html;
use crate::http::problem::Problem;
use crate::state::AppState;

/// Number of steps before the one that waits among which a result is looked for.
const MAX_EARLIER_STEPS: u64 = 50;

/// Maximum number of artifacts whose links are signed.
const MAX_SIGNED: usize = 60;

/// Shortest and longest time for which a link is signed, in milliseconds.
const LINK_MS: std::ops::RangeInclusive<i64> = 300_000..=7 * 86_400_000;

/// Maximum length of the JSON that a page shows, in characters.
const MAX_JSON_CHARS: usize = 20_000;

/// Maximum length of a text that a page shows, in characters.
const MAX_TEXT_CHARS: usize = 5_000;

/// Shortest text that is shown as one, in characters; shorter ones are values.
const MIN_TEXT_CHARS: usize = 40;

/// Returns the result of a step, or if it has none, that of the last step before it in the same list or around it.
pub(super) async fn read_subject(state: &AppState, job: &str, step: &StepRow) -> Result<Value, Problem> {
    let own = read_output(state, job, step).await?;
    if !is_empty(&own) {
        return Ok(own);
    }
    let first = step.ordinal.saturating_sub(MAX_EARLIER_STEPS + 1);
    let earlier = state.store.list_steps(job, first, (step.ordinal - 1 - first) as u32).await?;
    let is_visible = |row: &&StepRow| {
        row.status == StepStatus::Completed && row.ordinal < step.ordinal && is_around(&row.path, &step.path)
    };
    for row in earlier.iter().rev().filter(is_visible) {
        let found = read_output(state, job, row).await?;
        if !is_empty(&found) {
            return Ok(found);
        }
    }
    Ok(Value::Null)
}

async fn read_output(state: &AppState, job: &str, step: &StepRow) -> Result<Value, Problem> {
    match &step.output {
        Some(reference) => Ok(state.runtime.resolve_reference(job, reference).await?),
        None => Ok(Value::Null),
    }
}

/// Whether a step with the path `outer` is in the same list as one with the path `inner`, or in a list around it.
fn is_around(outer: &str, inner: &str) -> bool {
    outer.is_empty() || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Writes links that need no token into the artifacts of a value, as far as the job's own user may read them: a result
/// can name any artifact.
pub(super) async fn sign_artifacts(
    state: &AppState,
    job: &str,
    until: Timestamp,
    base: &str,
    value: &mut Value,
) -> Result<(), Problem> {
    let now = state.clock.now().0;
    let left = until.0.saturating_sub(now).clamp(*LINK_MS.start(), *LINK_MS.end());
    let expires_s = (now + left).div_euclid(1_000).max(0).cast_unsigned();
    let mut found = Vec::new();
    find_artifacts(value, &mut found);
    for place in found.into_iter().take(MAX_SIGNED) {
        let Some(artifact) = value.pointer_mut(&place) else { continue };
        let Some(id) = artifact_id_of(artifact).map(str::to_owned) else { continue };
        if state.artifacts.stat_for_job(job, None, &id).await?.is_some() {
            artifact["url"] = format!("{base}{}", state.link_signer.sign_path(&id, expires_s)).into();
        }
    }
    Ok(())
}

/// Collects the JSON Pointers of the artifacts in a value.
fn find_artifacts(value: &Value, found: &mut Vec<String>) {
    fn visit(value: &Value, pointer: &str, found: &mut Vec<String>) {
        if artifact_id_of(value).is_some() {
            found.push(pointer.to_owned());
            return;
        }
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    visit(item, &format!("{pointer}/{index}"), found);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    visit(field, &apiflow_core::json::pointer_push(pointer, name), found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    visit(value, "", found);
}

/// Renders a value: its media and texts as what they are, and its JSON.
pub(super) fn subject_html(value: &Value) -> String {
    if is_empty(value) {
        return String::new();
    }
    let mut shown = String::new();
    show_parts(value, "", &mut shown);
    let json = serde_json::to_string_pretty(value).unwrap_or_default();
    let cut: String = json.chars().take(MAX_JSON_CHARS).collect();
    let open = if shown.is_empty() { " open" } else { "" };
    format!(
        "<section aria-label=\"What is to be approved\">{shown}<details{open}><summary>JSON</summary>\
         <pre tabindex=\"0\">{}</pre></details></section>",
        escape_html(&cut)
    )
}

fn show_parts(value: &Value, label: &str, shown: &mut String) {
    if artifact_id_of(value).is_some() {
        let (url, mime) = (value["url"].as_str().unwrap_or_default(), value["mime"].as_str().unwrap_or_default());
        // Without a signature, its job's user may not read it.
        if url.contains("signature=") {
            shown.push_str(&media_html(kind_of_mime(mime), url, label));
        }
        return;
    }
    match value {
        Value::String(text) => match kind_of_link(text) {
            Some(kind) => shown.push_str(&media_html(kind, text, label)),
            None if text.chars().count() >= MIN_TEXT_CHARS => {
                let cut: String = text.chars().take(MAX_TEXT_CHARS).collect();
                shown.extend(["<blockquote>", &escape_html(&cut), "</blockquote>"]);
            }
            None => {}
        },
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                show_parts(item, &format!("{label} {}", index + 1), shown);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                show_parts(field, name, shown);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How a file is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MediaKind {
    Image,
    Video,
    Audio,
    File,
}

fn kind_of_mime(mime: &str) -> MediaKind {
    match mime.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("video") => MediaKind::Video,
        Some("audio") => MediaKind::Audio,
        Some(_) | None => MediaKind::File,
    }
}

/// Returns how a link is shown, by its form alone; the frontend decides in the same way (`media.ts`).
fn kind_of_link(text: &str) -> Option<MediaKind> {
    if let Some(data) = text.strip_prefix("data:") {
        return Some(kind_of_mime(data)).filter(|kind| *kind != MediaKind::File);
    }
    let path = text.strip_prefix("https://")?.split(['?', '#']).next()?;
    let (_, extension) = path.split_once('/')?.1.rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "svg" | "bmp" => Some(MediaKind::Image),
        "mp4" | "webm" | "mov" | "m4v" | "ogv" => Some(MediaKind::Video),
        "mp3" | "wav" | "ogg" | "oga" | "m4a" | "aac" | "flac" | "opus" => Some(MediaKind::Audio),
        _ => None,
    }
}

fn media_html(kind: MediaKind, url: &str, label: &str) -> String {
    let (url, label) = (escape_html(url), escape_html(label.trim()));
    let name = if label.is_empty() { "result" } else { &label };
    let element = match kind {
        MediaKind::Image => format!("<img src=\"{url}\" alt=\"{name}\">"),
        MediaKind::Video => {
            format!("<video src=\"{url}\" controls preload=\"metadata\" aria-label=\"{name}\"></video>")
        }
        MediaKind::Audio => {
            format!("<audio src=\"{url}\" controls preload=\"metadata\" aria-label=\"{name}\"></audio>")
        }
        MediaKind::File => String::new(),
    };
    let caption = format!("<a href=\"{url}\" target=\"_blank\" rel=\"noreferrer\">{name}</a>");
    format!("<figure>{element}<figcaption>{caption}</figcaption></figure>")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: &Value, expected: &[&str]) {
        let html = subject_html(value);
        for part in expected {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn media_and_texts_are_shown_as_what_they_are() {
        let signed = json!({"artifact": "a", "url": "/api/v1/artifacts/a?expires=1&signature=x", "mime": "video/mp4"});
        check(&json!({"film": signed}), &["<video src=\"/api/v1/artifacts/a?expires=1&amp;signature=x\"", ">film</a>"]);
        check(&json!(["https://a.example/x.PNG?q=1"]), &["<img src=\"https://a.example/x.PNG?q=1\" alt=\"1\">"]);
        check(&json!({"poem": "<b>".repeat(20)}), &["<blockquote>&lt;b&gt;"]);
        check(&json!({"size": 3}), &["<details open>", "&quot;size&quot;: 3"]);
        assert_eq!(subject_html(&json!({})), "");
    }

    #[test]
    fn an_artifact_without_a_signature_and_other_links_are_not_loaded() {
        for value in [
            json!({"artifact": "b", "url": "http://a.example/api/v1/artifacts/b", "mime": "image/png"}),
            json!("http://a.example/x.png"),
            json!("javascript:alert(1).png"),
            json!("data:text/html,x"),
        ] {
            let html = subject_html(&value);
            assert!(!html.contains("<img") && !html.contains("href"), "{html}");
        }
    }

    #[test]
    fn only_steps_in_the_same_lists_are_visible() {
        for (outer, inner, expected) in [
            ("", "each[1]", true),
            ("each[1]", "each[1]", true),
            ("each[1]", "each[1]/choice[0]", true),
            ("each[1]", "each[11]", false),
            ("each[0]", "each[1]", false),
        ] {
            assert_eq!(is_around(outer, inner), expected, "{outer} {inner}");
        }
    }
}
