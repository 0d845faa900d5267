//! Thumbnails of images: made on blocking threads, with limits on pixels and memory, and kept beside the image.

use std::io::Cursor;

use apiflow_core::ports::{ArtifactRow, Artifacts as _};
use axum::body::Bytes;
use axum::http::StatusCode;
use futures_util::TryStreamExt as _;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};

use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::state::AppState;

/// Widths that thumbnails have, in pixels; others are rounded up to the next one.
const WIDTHS: [u32; 5] = [80, 160, 320, 640, 1280];

/// Maximum height of a thumbnail, in pixels, for images that are much higher than wide.
const MAX_HEIGHT: u32 = 2 * WIDTHS[WIDTHS.len() - 1];

/// Maximum size of an image's file, in bytes.
const MAX_FILE_BYTES: u64 = 50 * 1024 * 1024;

/// Maximum number of pixels of an image.
const MAX_PIXELS: u64 = 40_000_000;

/// Maximum memory of decoding an image, in bytes.
const MAX_DECODE_BYTES: u64 = 256 * 1024 * 1024;

/// Quality of JPEG thumbnails, from 1 to 100.
const JPEG_QUALITY: u8 = 80;

/// A small picture of an image.
pub(crate) struct Thumbnail {
    /// MIME type: JPEG, or PNG if the image is transparent.
    pub(crate) mime: &'static str,
    /// The file.
    pub(crate) content: Bytes,
    /// Width in pixels that was asked for, rounded.
    pub(crate) width: u32,
}

/// Returns the thumbnail of an image, at most `width` pixels wide after rounding; makes it if there is none yet. Of an
/// animation it shows the first picture.
///
/// # Errors
/// 422 if the artifact is no image of a known format, is too large, or is broken.
pub(crate) async fn read_thumbnail(state: &AppState, row: &ArtifactRow, width: u32) -> Result<Thumbnail, Problem> {
    let width = round_width(width)?;
    let name = format!("w{width}");
    if let Some(content) = state.artifacts.read_derived(&row.blob, &name).await? {
        return Ok(Thumbnail { mime: mime_of(&content), content, width });
    }
    let format = format_of(row)?;
    refuse_large(row)?;
    let reader = state.artifacts.get(&row.id, None).await?;
    let parts: Vec<Bytes> = reader.bytes.try_collect().await.map_err(Problem::internal)?;
    let user = row.owner.clone().unwrap_or_default();
    let made = state.thumbnail_places.run(&user, move || make_thumbnail(&parts.concat(), format, width)).await?;
    let content = Bytes::from(made.map_err(|error| no_thumbnail(&row.id, &error))?);
    state.artifacts.write_derived(&row.blob, &name, content.clone()).await?;
    Ok(Thumbnail { mime: mime_of(&content), content, width })
}

fn round_width(width: u32) -> Result<u32, Problem> {
    let last = WIDTHS[WIDTHS.len() - 1];
    let rounded = WIDTHS.into_iter().find(|known| (1..=*known).contains(&width));
    rounded.ok_or_else(|| Problem::malformed(format!("w is {width}; it must be from 1 to {last}")))
}

fn mime_of(content: &[u8]) -> &'static str {
    if content.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" }
}

fn format_of(row: &ArtifactRow) -> Result<ImageFormat, Problem> {
    match row.mime.as_str() {
        "image/png" => Ok(ImageFormat::Png),
        "image/jpeg" => Ok(ImageFormat::Jpeg),
        "image/gif" => Ok(ImageFormat::Gif),
        "image/webp" => Ok(ImageFormat::WebP),
        other => Err(no_thumbnail(&row.id, &format!("it is {other}; thumbnails are made of PNG, JPEG, GIF and WebP"))),
    }
}

fn refuse_large(row: &ArtifactRow) -> Result<(), Problem> {
    if row.blob.size_bytes > MAX_FILE_BYTES {
        return Err(no_thumbnail(&row.id, &format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    let pixels = u64::from(row.width.unwrap_or_default()) * u64::from(row.height.unwrap_or_default());
    if pixels > MAX_PIXELS {
        return Err(no_thumbnail(&row.id, &format!("it has {pixels} pixels; the limit is {MAX_PIXELS}")));
    }
    Ok(())
}

fn no_thumbnail(id: &str, reason: &str) -> Problem {
    let detail = format!("artifact `{id}` has no thumbnail: {reason}");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, problem_codes::NO_THUMBNAIL, detail)
}

/// Decodes an image and returns its thumbnail; an image that is small already keeps its size.
fn make_thumbnail(content: &[u8], format: ImageFormat, width: u32) -> Result<Vec<u8>, String> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    let dimensions = ImageReader::with_format(Cursor::new(content), format).into_dimensions();
    let (wide, high) = dimensions.map_err(|error| format!("it cannot be decoded: {error}"))?;
    if u64::from(wide) * u64::from(high) > MAX_PIXELS {
        return Err(format!("it has {wide} × {high} pixels; the limit is {MAX_PIXELS} in all"));
    }
    let mut reader = ImageReader::with_format(Cursor::new(content), format);
    reader.limits(limits);
    let image = reader.decode().map_err(|error| format!("it cannot be decoded: {error}"))?;
    let small = if image.width() <= width && image.height() <= MAX_HEIGHT {
        image
    } else {
        image.thumbnail(width.min(image.width()), MAX_HEIGHT)
    };
    encode_thumbnail(&small).map_err(|error| format!("it cannot be encoded: {error}"))
}

fn encode_thumbnail(image: &DynamicImage) -> image::ImageResult<Vec<u8>> {
    let mut content = Vec::new();
    let is_transparent = image.color().has_alpha() && image.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX);
    if is_transparent {
        DynamicImage::from(image.to_rgba8()).write_to(&mut Cursor::new(&mut content), ImageFormat::Png)?;
    } else {
        JpegEncoder::new_with_quality(&mut content, JPEG_QUALITY).encode_image(&image.to_rgb8())?;
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;

    fn encode(width: u32, height: u32, alpha: u8, format: ImageFormat) -> Vec<u8> {
        let image = DynamicImage::from(RgbaImage::from_pixel(width, height, Rgba([200, 100, 50, alpha])));
        let image = if format == ImageFormat::Jpeg { DynamicImage::from(image.to_rgb8()) } else { image };
        let mut content = Vec::new();
        image.write_to(&mut Cursor::new(&mut content), format).expect("it is encoded");
        content
    }

    fn check(content: &[u8], format: ImageFormat, width: u32, expected: (u32, u32, &str)) {
        let made = make_thumbnail(content, format, width).expect("a thumbnail is made");
        let found = image::load_from_memory(&made).expect("it is an image");
        assert_eq!((found.width(), found.height(), mime_of(&made)), expected);
    }

    #[test]
    fn thumbnails_keep_the_ratio_and_the_transparency() {
        check(&encode(1000, 500, 255, ImageFormat::Png), ImageFormat::Png, 320, (320, 160, "image/jpeg"));
        check(&encode(1000, 500, 100, ImageFormat::Png), ImageFormat::Png, 160, (160, 80, "image/png"));
        check(&encode(100, 50, 255, ImageFormat::Jpeg), ImageFormat::Jpeg, 320, (100, 50, "image/jpeg"));
        check(&encode(10, 6000, 255, ImageFormat::Gif), ImageFormat::Gif, 320, (4, 2560, "image/jpeg"));
        check(&encode(640, 640, 255, ImageFormat::WebP), ImageFormat::WebP, 80, (80, 80, "image/jpeg"));
    }

    #[test]
    fn bombs_and_broken_images_are_refused() {
        let mut bomb = encode(2, 2, 255, ImageFormat::Png);
        bomb[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        bomb[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
        for content in [bomb.as_slice(), &encode(2, 2, 255, ImageFormat::Png)[..40], b"", b"\x89PNG\r\n\x1a\n"] {
            assert!(make_thumbnail(content, ImageFormat::Png, 320).is_err(), "{content:?}");
        }
    }
}
