//! Ogg with Vorbis, Opus or FLAC: the last page says how many samples there are. Sources: RFC 3533 (pages), RFC 7845
//! (Opus), the Vorbis I specification.

use super::read_le;

/// Position of the number of samples in the head of a page.
const GRANULE_AT: usize = 6;

/// Returns the duration in seconds, from the first page and the last one.
pub(super) fn read_duration(head: &[u8], tail: &[u8]) -> Option<f64> {
    let (rate, skipped) = read_rate(head)?;
    let last = tail.windows(4).rposition(|window| window == b"OggS")?;
    let samples = read_le(tail, last + GRANULE_AT, 8).filter(|samples| *samples != u64::MAX)?;
    Some(samples.saturating_sub(skipped) as f64 / rate as f64)
}

/// Returns the samples per second, and how many at the beginning are not played.
fn read_rate(head: &[u8]) -> Option<(u64, u64)> {
    let segments = usize::from(*head.get(26)?);
    let packet = head.get(27 + segments..)?;
    let (rate, skipped) = if packet.starts_with(b"\x01vorbis") {
        (read_le(packet, 12, 4)?, 0)
    } else if packet.starts_with(b"OpusHead") {
        // Opus always counts at 48 kHz.
        (48_000, read_le(packet, 10, 2)?)
    } else if packet.starts_with(b"\x7fFLAC") {
        (super::read_be(packet, 27, 8)? >> 44, 0)
    } else {
        return None;
    };
    (rate > 0).then_some((rate, skipped))
}
