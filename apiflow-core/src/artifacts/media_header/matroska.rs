//! WebM and Matroska: EBML elements. Sources: RFC 8794 (EBML), RFC 9559 (Matroska).

use super::{MediaFacts, read_be};

const SEGMENT: u64 = 0x1853_8067;
const INFO: u64 = 0x1549_a966;
const TIMESTAMP_SCALE: u64 = 0x2a_d7b1;
const DURATION: u64 = 0x4489;
const TRACKS: u64 = 0x1654_ae6b;
const TRACK_ENTRY: u64 = 0xae;
const VIDEO: u64 = 0xe0;
const PIXEL_WIDTH: u64 = 0xb0;
const PIXEL_HEIGHT: u64 = 0xba;

/// Nanoseconds per tick, unless the file says otherwise.
const DEFAULT_SCALE_NS: u64 = 1_000_000;

/// Maximum number of elements that are looked at in one place.
const MAX_ELEMENTS: usize = 200;

/// Reads the facts, as far as they are among the first bytes.
pub(super) fn read_facts(head: &[u8]) -> MediaFacts {
    let mut facts = MediaFacts::default();
    let Some((_, segment)) = list_elements(head).into_iter().find(|(id, _)| *id == SEGMENT) else { return facts };
    for (id, inside) in list_elements(segment) {
        match id {
            INFO => facts.duration_s = read_duration(inside),
            TRACKS => {
                let tracks = list_elements(inside).into_iter().filter(|(id, _)| *id == TRACK_ENTRY);
                let dimensions = tracks.into_iter().find_map(|(_, track)| read_dimensions(track));
                (facts.width, facts.height) = dimensions.unzip();
            }
            _ => {}
        }
    }
    facts
}

fn read_duration(info: &[u8]) -> Option<f64> {
    let elements = list_elements(info);
    let find = |wanted: u64| elements.iter().find(|(id, _)| *id == wanted).map(|(_, content)| *content);
    let scale = find(TIMESTAMP_SCALE).and_then(read_number).unwrap_or(DEFAULT_SCALE_NS);
    let ticks = match find(DURATION)? {
        content @ [_, _, _, _] => f64::from(f32::from_bits(read_number(content)? as u32)),
        content => f64::from_bits(read_number(content).filter(|_| content.len() == 8)?),
    };
    Some(ticks * scale as f64 / 1e9)
}

fn read_dimensions(track: &[u8]) -> Option<(u32, u32)> {
    let (_, video) = list_elements(track).into_iter().find(|(id, _)| *id == VIDEO)?;
    let elements = list_elements(video);
    let find = |wanted: u64| {
        let (_, content) = elements.iter().find(|(id, _)| *id == wanted)?;
        u32::try_from(read_number(content)?).ok()
    };
    Some((find(PIXEL_WIDTH)?, find(PIXEL_HEIGHT)?))
}

fn read_number(content: &[u8]) -> Option<u64> {
    if content.len() > 8 { None } else { read_be(content, 0, content.len()) }
}

/// Returns the elements that begin in a part of a file, each cut where the part ends.
fn list_elements(mut content: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while found.len() < MAX_ELEMENTS {
        let Some((id, id_length)) = read_id(content) else { break };
        let Some((size, size_length)) = read_size(&content[id_length..]) else { break };
        let start = id_length + size_length;
        let end = start.saturating_add(usize::try_from(size).unwrap_or(usize::MAX)).min(content.len());
        found.push((id, &content[start..end]));
        content = &content[end..];
    }
    found
}

/// Reads an id with its length marker, and its length in bytes.
fn read_id(content: &[u8]) -> Option<(u64, usize)> {
    let length = content.first()?.leading_zeros() as usize + 1;
    if length > 4 { None } else { Some((read_be(content, 0, length)?, length)) }
}

/// Reads a size, and its length in bytes; an unknown size reaches to the end.
fn read_size(content: &[u8]) -> Option<(u64, usize)> {
    let length = content.first()?.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let largest = (1_u64 << (7 * length)) - 1;
    let size = read_be(content, 0, length)? & largest;
    Some((if size == largest { u64::MAX } else { size }, length))
}
