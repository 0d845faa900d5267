//! Artifacts: media that the host keeps, and the small objects that stand for it in inputs and results.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::digest::hash_value;

/// What is known about a kept file. As JSON it is the object that a media output returns:
/// `{"artifact", "url", "mime", "size_bytes", "sha256", …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Artifact {
    /// Identifier: `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`.
    #[serde(rename = "artifact")]
    pub id: String,
    /// Stable, unsigned URL at this host.
    pub url: String,
    /// MIME type, as the first bytes show it; else as it was declared.
    pub mime: String,
    /// Size, in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the content, as 64 hexadecimal digits.
    pub sha256: String,
    /// File name, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Width of an image or a video, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of an image or a video, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Duration of a video or an audio file, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
}

impl Artifact {
    /// Returns the object that stands for the artifact in inputs and results.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("an artifact is plain data")
    }

    /// Parses such an object; `None` if it is anything else.
    pub fn from_value(value: &Value) -> Option<Self> {
        artifact_id_of(value)?;
        serde_json::from_value(value.clone()).ok()
    }
}

/// Returns the id of the artifact that an object stands for: the string `artifact`.
pub fn artifact_id_of(value: &Value) -> Option<&str> {
    value.as_object()?.get("artifact")?.as_str()
}

/// Returns the usual file extension of a MIME type, if it has one. Some providers recognize files by it alone.
pub fn file_extension(mime: &str) -> Option<&'static str> {
    Some(match mime.split(';').next().unwrap_or_default().trim() {
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/avif" => "avif",
        "image/bmp" => "bmp",
        "image/heic" | "image/heif" => "heic",
        "image/jxl" => "jxl",
        "image/tiff" => "tiff",
        "image/svg+xml" => "svg",
        "video/mp4" => "mp4",
        "video/webm" => "webm",
        "video/ogg" => "ogv",
        "video/quicktime" => "mov",
        "video/x-matroska" => "mkv",
        "audio/aac" => "aac",
        "audio/webm" => "weba",
        "audio/mpeg" => "mp3",
        "audio/wav" | "audio/x-wav" | "audio/vnd.wave" => "wav",
        "audio/ogg" => "ogg",
        "audio/flac" | "audio/x-flac" => "flac",
        "audio/mp4" | "audio/m4a" | "audio/x-m4a" => "m4a",
        "application/pdf" => "pdf",
        "application/json" => "json",
        "application/zip" => "zip",
        "text/plain" => "txt",
        "text/html" => "html",
        _ => return None,
    })
}

/// Returns the id of the artifact of an output: the same for each try to store it, so that a repeated download replaces
/// nothing and leaves nothing behind. `effect` is the attempt, `index` the position in a list of outputs.
pub fn output_artifact_id(job: &str, effect: u64, output: &str, index: usize) -> String {
    format!("o{}", &hash_value(&json!([job, effect, output, index]))[..31])
}
