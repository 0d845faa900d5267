//! Reads the dimensions and the duration of media from its headers, without decoding it.
//!
//! Whatever the bytes claim, at most a few parts of bounded size are read. What is not understood is left out: a file is
//! stored all the same.

mod flac;
mod matroska;
mod mp3;
mod mp4;
mod ogg;
mod wav;

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

/// Number of first bytes that are read of an image whose header is longer than its head, such as a photo with a preview.
const IMAGE_HEADER_BYTES: u64 = 1024 * 1024;

/// Number of last bytes in which the end of an Ogg stream is looked for: more than the largest page.
const OGG_TAIL_BYTES: u64 = 128 * 1024;

/// Number of bytes after an MP3 file's tag in which its first frame is looked for.
const MP3_SEARCH_BYTES: u64 = 64 * 1024;

/// Maximum duration that is believed, in seconds: a year.
const MAX_DURATION_S: f64 = 365.0 * 86_400.0;

/// Reads parts of a file.
#[async_trait]
pub(super) trait RangeReader: Send + Sync {
    /// Returns the bytes of a range within the file; `None` if they cannot be read.
    async fn read_range(&self, range: Range<u64>) -> Option<Bytes>;
}

/// What a header says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct MediaFacts {
    /// Width, in pixels.
    pub(super) width: Option<u32>,
    /// Height, in pixels.
    pub(super) height: Option<u32>,
    /// Duration, in seconds.
    pub(super) duration_s: Option<f64>,
}

impl MediaFacts {
    fn of_duration(duration_s: Option<f64>) -> Self {
        Self { duration_s, ..Self::default() }
    }

    fn of_dimensions(dimensions: Option<(u32, u32)>) -> Self {
        Self {
            width: dimensions.map(|(width, _)| width),
            height: dimensions.map(|(_, height)| height),
            duration_s: None,
        }
    }

    /// Leaves out what no file has.
    fn drop_nonsense(self) -> Self {
        let has_pixels = self.width.is_some_and(|width| width > 0) && self.height.is_some_and(|height| height > 0);
        let dimensions = if has_pixels { (self.width, self.height) } else { (None, None) };
        let duration_s =
            self.duration_s.filter(|seconds| seconds.is_finite() && (0.0..=MAX_DURATION_S).contains(seconds));
        // Milliseconds: the rest is noise of the division.
        let duration_s = duration_s.map(|seconds| (seconds * 1000.0).round() / 1000.0);
        Self { width: dimensions.0, height: dimensions.1, duration_s }
    }
}

/// Reads the facts of a file of a MIME type; `head` are its first bytes.
pub(super) async fn read_media_facts(mime: &str, head: &[u8], size_bytes: u64, file: &dyn RangeReader) -> MediaFacts {
    let facts = match mime {
        "image/svg+xml" => MediaFacts::default(),
        "audio/wav" => MediaFacts::of_duration(wav::read_duration(head, size_bytes)),
        "audio/flac" => MediaFacts::of_duration(flac::read_duration(head)),
        "audio/mpeg" => MediaFacts::of_duration(read_mp3_duration(head, size_bytes, file).await),
        "audio/ogg" | "video/ogg" => {
            let tail = read_tail(head, size_bytes, OGG_TAIL_BYTES, file).await;
            MediaFacts::of_duration(tail.and_then(|tail| ogg::read_duration(head, &tail)))
        }
        "audio/webm" | "video/webm" | "video/x-matroska" => matroska::read_facts(head),
        "video/mp4" | "audio/mp4" | "video/quicktime" | "video/x-m4v" => {
            mp4::read_facts(head, size_bytes, file).await.unwrap_or_default()
        }
        image if image.starts_with("image/") => {
            MediaFacts::of_dimensions(read_image_dimensions(head, size_bytes, file).await)
        }
        _ => MediaFacts::default(),
    };
    facts.drop_nonsense()
}

async fn read_image_dimensions(head: &[u8], size_bytes: u64, file: &dyn RangeReader) -> Option<(u32, u32)> {
    let dimensions = |bytes: &[u8]| {
        let size = imagesize::blob_size(bytes).ok()?;
        Some((u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?))
    };
    match dimensions(head) {
        None if size_bytes > head.len() as u64 => {
            dimensions(&file.read_range(0..size_bytes.min(IMAGE_HEADER_BYTES)).await?)
        }
        found => found,
    }
}

async fn read_mp3_duration(head: &[u8], size_bytes: u64, file: &dyn RangeReader) -> Option<f64> {
    let start = mp3::tag_length(head);
    if start == 0 {
        return mp3::read_duration(head, size_bytes);
    }
    let rest = size_bytes.checked_sub(start)?;
    let first = match head.get(usize::try_from(start).ok()?..).filter(|rest| rest.len() > 4096) {
        Some(first) => Bytes::copy_from_slice(first),
        None => file.read_range(start..size_bytes.min(start + MP3_SEARCH_BYTES)).await?,
    };
    mp3::read_duration(&first, rest)
}

async fn read_tail(head: &[u8], size_bytes: u64, length: u64, file: &dyn RangeReader) -> Option<Bytes> {
    if head.len() as u64 >= size_bytes {
        return Some(Bytes::copy_from_slice(head));
    }
    file.read_range(size_bytes.saturating_sub(length)..size_bytes).await
}

/// Reads an unsigned number in big-endian order at a position.
fn read_be(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(length)?)?;
    Some(part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Reads an unsigned number in little-endian order at a position.
fn read_le(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(length)?)?;
    Some(part.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests;
