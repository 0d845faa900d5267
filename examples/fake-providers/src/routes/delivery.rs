//! The output files of predictions.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::Shared;
use crate::sample;

/// `GET /delivery/{id}.png`: needs no token, as on replicate.delivery.
pub(crate) async fn read_file(shared: Shared, Path(file): Path<String>) -> Response {
    let id = file.strip_suffix(".png").unwrap_or_default();
    match shared.find_prediction(id) {
        Some((age, prediction)) if prediction.has_files(age) => {
            ([(header::CONTENT_TYPE, "image/png")], sample::draw_png(id)).into_response()
        }
        Some(_) | None => (StatusCode::NOT_FOUND, "Not found").into_response(),
    }
}
