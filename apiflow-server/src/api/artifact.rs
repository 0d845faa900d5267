//! Artifacts in requests and replies.

use apiflow_core::artifact::Artifact;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An artifact with where it comes from.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ArtifactInfo {
    /// What is known about the file.
    #[serde(flatten)]
    pub artifact: Artifact,
    /// Id of the user to whom it belongs.
    #[schema(required)]
    pub owner: Option<String>,
    /// When it was stored.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was stored, or when a job was last started with it.
    #[schema(format = DateTime)]
    pub last_used_at: String,
    /// Where an output comes from; null for an upload.
    #[schema(required)]
    pub provenance: Option<ArtifactProvenance>,
}

/// Where an output comes from.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ArtifactProvenance {
    /// Id of the job.
    pub job: String,
    /// The step's `ordinal`.
    pub step: u64,
    /// Id of the module.
    pub step_id: String,
    /// Name of the connector.
    pub provider: String,
    /// Link that it was downloaded from; null if the reply itself contained it.
    #[schema(required)]
    pub link: Option<String>,
    /// When the link expires, if known.
    #[schema(required, format = DateTime)]
    pub link_expires_at: Option<String>,
}

/// The artifacts that a form contained, in order.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UploadedArtifacts {
    /// One per file.
    pub items: Vec<Artifact>,
}

/// A signed link to create.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewArtifactLink {
    /// How long the link is valid, in seconds, from 1 to 604800 (default: APIFLOW_LINK_SECONDS).
    #[serde(default)]
    #[schema(minimum = 1, maximum = 604_800)]
    pub expires_in_s: Option<u64>,
}

/// A link under which anyone can read an artifact without a token.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ArtifactLink {
    /// The signed URL.
    pub url: String,
    /// When it expires.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// A file to fetch.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FetchRequest {
    /// The http or https URL of the file.
    pub url: String,
}
