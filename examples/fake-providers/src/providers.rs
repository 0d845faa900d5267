//! The providers other than Replicate, each with its own protocol.

pub(crate) mod bfl;
pub(crate) mod elevenlabs;
pub(crate) mod fal;
pub(crate) mod files;
pub(crate) mod openai;
pub(crate) mod stability;

use axum::response::{IntoResponse as _, Response};

use crate::body::Content;
use crate::media::{DEFAULT_SIDE_PX, Media, Picture};
use crate::switches::Switches;

/// The longest side of pictures that are drawn, in pixels: larger ones are drawn at their shape in this size.
const MAX_SIDE_PX: u32 = 512;

/// Returns the reply of a call, or the reply that ended it early.
pub(crate) fn unbox(result: Result<Response, Box<Response>>) -> Response {
    result.unwrap_or_else(|early| (*early).into_response())
}

/// Returns a size of this shape that is drawn quickly. Clients are told that they got what they asked for only by the
/// picture itself: pictures are smaller than those of the real providers.
pub(crate) fn shrink_size(width: u32, height: u32) -> (u32, u32) {
    let longest = width.max(height).max(1);
    if longest <= MAX_SIDE_PX {
        return (width.max(1), height.max(1));
    }
    ((width * DEFAULT_SIDE_PX / longest).max(1), (height * DEFAULT_SIDE_PX / longest).max(1))
}

/// Parses `1024x768`; `None` for `auto` and other words.
pub(crate) fn parse_size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

/// Parses a shape such as `16:9`.
pub(crate) fn parse_aspect_ratio(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(':')?;
    let (width, height): (u32, u32) = (width.parse().ok()?, height.parse().ok()?);
    (width > 0 && height > 0 && width < 100 && height < 100).then(|| shrink_size(width * 100, height * 100))
}

/// Returns `count` pictures for a prompt, which differ from each other.
pub(crate) fn draw_pictures(prompt: &str, seed: &str, count: u64, size: Option<(u32, u32)>) -> Vec<Picture> {
    let size = size.map_or((DEFAULT_SIDE_PX, DEFAULT_SIDE_PX), |(width, height)| shrink_size(width, height));
    let picture =
        |index| Picture { prompt: prompt.to_owned(), variation: format!("{seed} {index}"), size, input: None };
    (0..count).map(picture).collect()
}

/// Returns the content of an output, as large as the switches say.
pub(crate) async fn render_content(media: &Media, switches: &Switches) -> Content {
    Content::new(media.render().await, switches.file_bytes)
}
