//! `GET /files/{provider}/{file}`: the outputs behind links.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::render_content;
use crate::body::{Sending, reply_with_file};
use crate::call::Call;
use crate::provider::Provider;
use crate::switches::FileFate;
use crate::switches::Outcome;
use crate::task::Phase;
use crate::world::World;

/// Replies with an output whose link is valid: 403 with a wrong signature, 404 after its time.
pub(crate) async fn read_file(
    State(world): State<Arc<World>>,
    Path((provider, file)): Path<(String, String)>,
    call: Call,
) -> Response {
    let not_found = || (StatusCode::NOT_FOUND, "Not found").into_response();
    let Some(provider) = Provider::from_name(&provider) else { return not_found() };
    let expires = call.query("expires").and_then(|text| text.parse().ok()).unwrap_or(0);
    if call.query("signature") != Some(world.signer.sign_link(call.uri.path(), expires)) {
        return (StatusCode::FORBIDDEN, "Signature mismatch").into_response();
    }
    if world.now() >= Duration::from_millis(expires) {
        return not_found();
    }
    let name = file.rsplit_once('.').map_or(file.as_str(), |(name, _)| name);
    let Some((id, index)) = name.rsplit_once('-') else { return not_found() };
    let Some(task) = world.find(provider, id) else { return not_found() };
    let media = index.parse::<usize>().ok().and_then(|index| task.outputs.get(index).cloned());
    let Some(media) = media.filter(|_| task.phase(world.now()) == Phase::Ended(Outcome::Succeeded)) else {
        return not_found();
    };
    if task.switches.protected_links
        && let Err(reply) = world.check_key(provider, &call)
    {
        return *reply;
    }
    let cut = match world.admit_file(provider) {
        FileFate::TooEarly => return StatusCode::TOO_EARLY.into_response(),
        FileFate::Unavailable => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        FileFate::Cut => Some(call.connection.clone()),
        FileFate::Whole => None,
    };
    let switches = &task.switches;
    let mime = switches.content_type.clone().unwrap_or_else(|| media.mime().to_owned());
    let pause = Duration::from_millis(switches.slow_body_ms);
    reply_with_file(render_content(&media, switches).await, Sending { mime, pause, cut })
}
