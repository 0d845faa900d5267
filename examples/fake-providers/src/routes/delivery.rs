//! The output files of predictions.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::Shared;

/// `GET /delivery/{id}.{extension}`: needs no token, as on replicate.delivery.
pub(crate) async fn read_file(shared: Shared, Path(file): Path<String>) -> Response {
    let id = file.rsplit_once('.').map_or(file.as_str(), |(id, _)| id);
    match shared.find_prediction(id) {
        Some((age, prediction)) if prediction.has_files(age) => {
            ([(header::CONTENT_TYPE, prediction.media.mime())], prediction.media.render().await).into_response()
        }
        Some(_) | None => (StatusCode::NOT_FOUND, "Not found").into_response(),
    }
}
