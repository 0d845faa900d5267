//! All routes, and the OpenAPI document generated from them.

mod approvals;
mod artifacts;
mod calls;
mod catalog;
mod documents;
mod events;
mod health;
mod hooks;
mod jobs;
mod library;
mod proxy;
mod runs;
mod schemas;
mod secrets;
mod session;
mod settings;
mod spending;
mod tokens;
mod users;
mod webhooks;
mod workflow_versions;

use axum::Router;
use axum::routing::get;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::api::{BASE_PATH, ProblemBody};
use crate::http::compression::compression_layer;
use crate::http::{fallback, frontend, layers};
use crate::state::AppState;
use crate::users::cookies;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "apiflow",
        description = "Declare providers and their calls, chain them in workflows, run them as durable jobs.\n\nEvery error is a `Problem` (RFC 9457). Lists are paginated: pass `next` as `cursor` to get the next page.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    components(schemas(ProblemBody)),
    security(("token" = []), ("session" = [])),
    modifiers(&Schemes),
    tags(
        (name = "connectors", description = "Providers and how to authenticate with them"),
        (name = "nodes", description = "Typed calls to a provider"),
        (name = "workflows", description = "OpenFlow documents"),
        (name = "jobs", description = "Runs of nodes and workflows"),
        (name = "artifacts", description = "Media and other files"),
        (name = "users", description = "Users, sessions and tokens"),
        (name = "secrets", description = "Provider keys"),
        (name = "usage", description = "What calls cost, and budgets"),
        (name = "library", description = "Ready-made connectors and nodes"),
        (name = "health", description = "Health and metrics, for operators"),
    ),
)]
struct Base;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let session = ApiKey::Cookie(ApiKeyValue::new(cookies::NAME));
        components.add_security_scheme("session", SecurityScheme::ApiKey(session));
    }
}

/// The OpenAPI 3.1 document of all routes.
pub fn openapi_document() -> Document {
    documented_router().1
}

/// All routes of a server.
///
/// Architecture invariant: whatever the path, an error under `/api` is a problem; outside of it the frontend answers.
pub fn router(state: AppState) -> Router {
    let (routes, document) = documented_router();
    let browsable = SwaggerUi::new("/docs").url(format!("{BASE_PATH}/openapi.json"), document);
    let routes = routes
        .merge(browsable)
        .route("/api", get(fallback::unknown_route))
        .route("/api/", get(fallback::unknown_route))
        .route("/api/{*path}", axum::routing::any(fallback::unknown_route))
        .fallback(frontend::serve_page)
        .method_not_allowed_fallback(fallback::method_not_allowed);
    layers::add_layers(routes, &state).with_state(state)
}

fn documented_router() -> (Router<AppState>, Document) {
    let compressed = OpenApiRouter::new()
        .merge(documents::router())
        .merge(workflow_versions::router())
        .merge(catalog::router())
        .merge(runs::router())
        .merge(jobs::router())
        .merge(webhooks::router())
        .merge(approvals::router())
        .merge(hooks::router())
        .merge(session::router())
        .merge(tokens::router())
        .merge(users::router())
        .merge(secrets::router())
        .merge(spending::router())
        .merge(library::router())
        .merge(calls::router())
        .merge(schemas::router())
        .merge(settings::router())
        .layer(compression_layer());
    // Files are compressed already, streams must not wait for a block to fill, and replies of providers are passed on as they are.
    let api = compressed.merge(artifacts::router()).merge(events::router()).merge(proxy::router());
    let (routes, mut document) =
        OpenApiRouter::with_openapi(Base::openapi()).nest(BASE_PATH, api).merge(health::router()).split_for_parts();
    document.paths.paths.values_mut().flat_map(path_operations).for_each(add_problem);
    (routes, document)
}

fn path_operations(item: &mut utoipa::openapi::PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
}

fn add_problem(operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let problem = ResponseBuilder::new().description("a problem").content("application/problem+json", content).build();
    operation.responses.responses.insert("default".to_owned(), problem.into());
}
