//! WAV: RIFF chunks. Source: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0".

use super::read_le;

/// Returns the duration in seconds, from the byte rate and the size of the data.
pub(super) fn read_duration(head: &[u8], size_bytes: u64) -> Option<f64> {
    if head.get(..4)? != b"RIFF" || head.get(8..12)? != b"WAVE" {
        return None;
    }
    let (mut at, mut byte_rate) = (12_usize, None);
    loop {
        let (name, length) = (head.get(at..at + 4)?, read_le(head, at + 4, 4)?);
        let start = at + 8;
        match name {
            b"fmt " => byte_rate = read_le(head, start + 8, 4).filter(|rate| *rate > 0),
            // Streams that did not know their length claim the largest one, or none.
            b"data" => {
                let there = size_bytes.saturating_sub(start as u64);
                let length = if length == 0 { there } else { length.min(there) };
                return Some(length as f64 / byte_rate? as f64);
            }
            _ => {}
        }
        at = start.checked_add(usize::try_from(length + length % 2).ok()?)?;
    }
}
