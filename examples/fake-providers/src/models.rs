//! The models of the stand-in, and their replies.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde_json::{Value, json};

/// A model: official ones can be called by name, others only by version.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Model {
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) official: bool,
    /// Id of the version: 64 hexadecimal digits.
    pub(crate) version: String,
    pub(crate) description: String,
    /// The JSON Schema of the input object, as Cog writes it.
    pub(crate) input: Value,
    /// The JSON Schema of the output, as Cog writes it.
    pub(crate) output: Value,
}

/// Creation time of all models.
const CREATED_AT: &str = "2025-06-01T12:00:00.000000Z";

static MODELS: LazyLock<Vec<Arc<Model>>> = LazyLock::new(|| {
    let models: Vec<Model> =
        serde_json::from_str(include_str!("models.json")).expect("a test reads the built-in models");
    models.into_iter().map(Arc::new).collect()
});

/// The account's deployments: `owner/name`, and the model that it runs.
const DEPLOYMENTS: [(&str, &str); 1] = [("acme/kontext", "black-forest-labs/flux-kontext-pro")];

/// Returns the model `owner/name`: a built-in one, or one of the `further` names.
pub(crate) fn by_name(full_name: &str, further: &[String]) -> Option<Arc<Model>> {
    let built_in = MODELS.iter().find(|model| model.full_name() == full_name).cloned();
    built_in.or_else(|| further.iter().find(|name| *name == full_name).and_then(|name| build_plain_model(name)))
}

/// Returns the model of a create body's `version`: 64 hexadecimal digits, `owner/name:digits`, or the name of an official model.
pub(crate) fn by_version(reference: &str, further: &[String]) -> Option<Arc<Model>> {
    let (name, version) = match reference.split_once(':') {
        Some((name, version)) => (Some(name), Some(version)),
        None if reference.contains('/') => (Some(reference), None),
        None => (None, Some(reference)),
    };
    let mut all = MODELS.iter().cloned().chain(further.iter().filter_map(|name| build_plain_model(name)));
    all.find(|model| {
        name.is_none_or(|name| model.full_name() == name)
            && version.map_or(model.official, |version| model.version == version)
    })
}

/// Returns the model that a deployment runs.
pub(crate) fn by_deployment(full_name: &str) -> Option<Arc<Model>> {
    let (_, model) = DEPLOYMENTS.into_iter().find(|(name, _)| *name == full_name)?;
    by_name(model, &[])
}

/// Returns an official model with this name that accepts any input and outputs one file.
fn build_plain_model(full_name: &str) -> Option<Arc<Model>> {
    let (owner, name) = full_name.split_once('/')?;
    let digits = (0..4).map(|part| {
        let mut hasher = DefaultHasher::new();
        (part, full_name).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    });
    Some(Arc::new(Model {
        owner: owner.into(),
        name: name.into(),
        official: true,
        version: digits.collect(),
        description: "Takes any input".into(),
        input: json!({"type": "object", "title": "Input", "properties": {}}),
        output: json!({"type": "string", "title": "Output", "format": "uri"}),
    }))
}

impl Model {
    /// Returns the full name, `owner/name`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Returns the reply to `GET /v1/models/{owner}/{name}`.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "url": format!("https://replicate.com/{}", self.full_name()),
            "owner": self.owner,
            "name": self.name,
            "description": self.description,
            "visibility": "public",
            "is_official": self.official,
            "github_url": null,
            "paper_url": null,
            "license_url": null,
            "run_count": 1,
            "cover_image_url": null,
            "default_example": null,
            "latest_version": self.version_json(),
        })
    }

    /// The reply to `GET /v1/models/{owner}/{name}/versions/{id}`: the schema is the OpenAPI document of a Cog container.
    pub(crate) fn version_json(&self) -> Value {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let body = |schema: Value| json!({"content": {"application/json": {"schema": schema}}});
        let ok =
            |schema: Value| json!({"200": {"description": "Successful Response", "content": body(schema)["content"]}});
        json!({
            "id": self.version,
            "created_at": CREATED_AT,
            "cog_version": "0.13.7",
            "openapi_schema": {
                "openapi": "3.0.2",
                "info": {"title": "Cog", "version": "0.1.0"},
                "paths": {
                    "/predictions": {"post": {
                        "summary": "Predict",
                        "operationId": "predict_predictions_post",
                        "requestBody": body(reference("PredictionRequest")),
                        "responses": ok(reference("PredictionResponse")),
                    }},
                },
                "components": {"schemas": {
                    "Input": self.input,
                    "Output": self.output,
                    "Status": {"type": "string", "title": "Status", "enum": ["starting", "processing", "succeeded", "canceled", "failed"]},
                    "PredictionRequest": {"type": "object", "title": "PredictionRequest", "properties": {
                        "id": {"type": "string", "title": "Id"},
                        "input": reference("Input"),
                        "webhook": {"type": "string", "title": "Webhook", "format": "uri"},
                    }},
                    "PredictionResponse": {"type": "object", "title": "PredictionResponse", "properties": {
                        "id": {"type": "string", "title": "Id"},
                        "input": reference("Input"),
                        "output": reference("Output"),
                        "status": reference("Status"),
                        "error": {"type": "string", "title": "Error"},
                        "logs": {"type": "string", "title": "Logs", "default": ""},
                        "metrics": {"type": "object", "title": "Metrics"},
                    }},
                }},
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDXL: &str = "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b";

    fn check(reference: &str, expected: Option<&str>) {
        let found = by_version(reference, &["me/mine".into()]).map(|model| model.full_name());
        assert_eq!(found.as_deref(), expected, "{reference}");
    }

    #[test]
    fn a_version_is_found_in_each_of_its_forms() {
        check(SDXL, Some("stability-ai/sdxl"));
        check(&format!("stability-ai/sdxl:{SDXL}"), Some("stability-ai/sdxl"));
        check("black-forest-labs/flux-kontext-pro", Some("black-forest-labs/flux-kontext-pro"));
        check("me/mine", Some("me/mine"));
        check("stability-ai/sdxl", None);
        check("stability-ai/sdxl:latest", None);
        check(&format!("meta/meta-llama-3-8b-instruct:{SDXL}"), None);
        check("", None);
    }

    #[test]
    fn versions_are_64_hexadecimal_digits() {
        for model in MODELS.iter().cloned().chain(build_plain_model("me/mine")) {
            assert_eq!(model.version.len(), 64, "{}", model.name);
            assert!(model.version.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", model.name);
        }
    }

    #[test]
    fn every_deployment_runs_a_model_that_exists() {
        for (name, _) in DEPLOYMENTS {
            assert!(by_deployment(name).is_some(), "{name}");
        }
    }
}
