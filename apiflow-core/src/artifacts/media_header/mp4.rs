//! MP4, MOV and M4A: boxes. Source: ISO/IEC 14496-12, sections 8.2 (`mvhd`) and 8.3 (`tkhd`).

use super::{MediaFacts, RangeReader, read_be};

/// Maximum number of top-level boxes that are looked at.
const MAX_BOXES: usize = 64;

/// Maximum number of bytes of the box `moov` that are read: its header and the tracks' headers come first.
const MAX_MOOV_BYTES: u64 = 1024 * 1024;

/// Reads the facts; the box `moov` may be at the end of the file.
pub(super) async fn read_facts(head: &[u8], size_bytes: u64, file: &dyn RangeReader) -> Option<MediaFacts> {
    let mut at = 0_u64;
    for _ in 0..MAX_BOXES {
        let end = size_bytes.min(at.saturating_add(16));
        let header = match usize::try_from(at).ok().and_then(|at| head.get(at..at + 16)) {
            Some(header) => bytes::Bytes::copy_from_slice(header),
            None if at.saturating_add(8) <= end => file.read_range(at..end).await?,
            None => return None,
        };
        let (name, start, length) = read_box(&header)?;
        let length = if length == 0 { size_bytes - at } else { length };
        if &name == b"moov" {
            let content = file.read_range(at + start..size_bytes.min(at + length.min(MAX_MOOV_BYTES))).await?;
            return Some(read_moov(&content));
        }
        at = at.checked_add(length)?;
    }
    None
}

/// Returns the name of a box, the length of its header, and its length with the header; 0 means up to the end.
fn read_box(bytes: &[u8]) -> Option<([u8; 4], u64, u64)> {
    let name = bytes.get(4..8)?.try_into().ok()?;
    match read_be(bytes, 0, 4)? {
        1 => read_be(bytes, 8, 8).filter(|length| *length >= 16).map(|length| (name, 16, length)),
        0 => Some((name, 8, 0)),
        length => (length >= 8).then_some((name, 8, length)),
    }
}

/// Returns the boxes inside of one, as far as they are there.
fn list_boxes(mut content: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let mut found = Vec::new();
    while let Some((name, start, length)) = read_box(content) {
        let there = content.len() as u64;
        let end = if length == 0 { there } else { length.min(there) } as usize;
        found.push((name, content.get(start as usize..end).unwrap_or_default()));
        content = &content[end..];
    }
    found
}

fn read_moov(content: &[u8]) -> MediaFacts {
    let mut facts = MediaFacts::default();
    for (name, inside) in list_boxes(content) {
        match &name {
            b"mvhd" => facts.duration_s = read_duration(inside),
            b"trak" if facts.width.is_none() => {
                let header = list_boxes(inside).into_iter().find(|(name, _)| name == b"tkhd");
                if let Some((width, height)) = header.and_then(|(_, header)| read_dimensions(header)) {
                    (facts.width, facts.height) = (Some(width), Some(height));
                }
            }
            _ => {}
        }
    }
    facts
}

fn read_duration(header: &[u8]) -> Option<f64> {
    let (scale, duration) = match header.first()? {
        0 => (read_be(header, 12, 4)?, read_be(header, 16, 4).filter(|duration| *duration != u64::from(u32::MAX))?),
        _ => (read_be(header, 20, 4)?, read_be(header, 24, 8).filter(|duration| *duration != u64::MAX)?),
    };
    (scale > 0 && duration > 0).then(|| duration as f64 / scale as f64)
}

/// Returns the dimensions of a track as they are shown; a track without a picture has none.
fn read_dimensions(header: &[u8]) -> Option<(u32, u32)> {
    // The matrix and the dimensions end the header; before them are five numbers more with 64-bit times.
    let matrix = if *header.first()? == 0 { 40 } else { 52 };
    let whole = |at: usize| read_be(header, at, 4).map(|fixed| (fixed >> 16) as u32);
    let (width, height) = (whole(matrix + 36)?, whole(matrix + 40)?);
    // A quarter turn, as of videos of phones: the matrix swaps the axes.
    let is_turned = read_be(header, matrix, 4)? == 0 && read_be(header, matrix + 4, 4)? != 0;
    let (width, height) = if is_turned { (height, width) } else { (width, height) };
    (width > 0 && height > 0).then_some((width, height))
}
