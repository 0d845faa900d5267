//! Media in requests: files are referred to, and read only while the request is sent.

use serde::{Deserialize, Serialize};

use super::SecretPlace;
use crate::artifact::{Artifact, file_extension};

/// A file that a request sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SentMedia {
    /// A kept file, which is read from [`super::Artifacts`] while it is sent.
    Artifact(SentArtifact),
    /// A file that the caller gave as a data URI.
    Inline {
        /// MIME type of the content.
        mime: String,
        /// Content in standard base64, with padding.
        base64: String,
    },
}

/// What a request needs to know about an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentArtifact {
    /// Identifier of the artifact.
    pub id: String,
    /// Stable, unsigned URL.
    pub url: String,
    /// MIME type of the content.
    pub mime: String,
    /// Size, in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the content, as 64 hexadecimal digits.
    pub sha256: String,
    /// File name, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A reference to a file in the text of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaUse {
    /// Marker of the file in the request's text; it occurs nowhere else.
    pub marker: String,
    /// The file that is sent.
    pub media: SentMedia,
    /// What is written in place of the marker.
    pub form: MediaForm,
    /// Where the marker is, which determines how the text is escaped.
    pub place: SecretPlace,
}

/// How a file is written into the text of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaForm {
    /// A URL under which the provider can download it without credentials for a limited time.
    Url(String),
    /// `data:<mime>;base64,…`.
    DataUri,
    /// Standard base64 with padding, without a prefix.
    Base64,
    /// What the provider returns for an upload; the request cannot be sent before the upload.
    Upload,
    /// What the provider returned for an upload.
    Uploaded(String),
}

/// A part of a `multipart/form-data` body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestPart {
    /// Name of the field.
    pub name: String,
    /// File name; only files have one.
    pub file_name: Option<String>,
    /// MIME type; `None` for plain text.
    pub content_type: Option<String>,
    /// The content of the file.
    pub content: PartContent,
}

/// The content of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartContent {
    /// Text with unresolved secrets and media.
    Text(String),
    /// The bytes of a file.
    Media(SentMedia),
}

impl SentMedia {
    /// Returns the MIME type.
    pub fn mime(&self) -> &str {
        match self {
            Self::Artifact(artifact) => &artifact.mime,
            Self::Inline { mime, .. } => mime,
        }
    }

    /// Returns the size of the file, in bytes.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Artifact(artifact) => artifact.size_bytes,
            Self::Inline { base64, .. } => {
                let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
                (base64.len() / 4 * 3).saturating_sub(padding) as u64
            }
        }
    }

    /// Returns the file name: the artifact's, else `file` with an extension that fits the MIME type.
    pub fn file_name(&self) -> String {
        match self {
            Self::Artifact(SentArtifact { name: Some(name), .. }) if !name.is_empty() => name.clone(),
            Self::Artifact(_) | Self::Inline { .. } => match file_extension(self.mime()) {
                Some(extension) => format!("file.{extension}"),
                None => "file".to_owned(),
            },
        }
    }

    /// Describes the file for users, by its id, type and size.
    pub fn describe(&self) -> String {
        match self {
            Self::Artifact(SentArtifact { id, mime, size_bytes, .. }) => {
                format!("<artifact {id}: {mime}, {size_bytes} bytes>")
            }
            Self::Inline { mime, .. } => format!("<file: {mime}, {} bytes>", self.size_bytes()),
        }
    }
}

impl From<&Artifact> for SentArtifact {
    fn from(artifact: &Artifact) -> Self {
        Self {
            id: artifact.id.clone(),
            url: artifact.url.clone(),
            mime: artifact.mime.clone(),
            size_bytes: artifact.size_bytes,
            sha256: artifact.sha256.clone(),
            name: artifact.name.clone(),
        }
    }
}
