//! MP3: the first frame says how many follow, or all have the same bit rate. Sources: ISO/IEC 11172-3 (frames), the "Xing"
//! and "VBRI" headers of encoders, id3.org (ID3v2 tags).

use super::read_be;

/// Kilobits per second of layer III, of MPEG 1 and of MPEG 2 and 2.5.
const BIT_RATES: [[u64; 15]; 2] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
/// Samples per second of MPEG 1; half for MPEG 2, a quarter for MPEG 2.5.
const SAMPLE_RATES: [u64; 3] = [44_100, 48_000, 32_000];

/// Returns the length of the ID3v2 tag before the first frame, in bytes.
pub(super) fn tag_length(head: &[u8]) -> u64 {
    let (true, Some(size)) = (head.starts_with(b"ID3"), head.get(6..10)) else { return 0 };
    10 + size.iter().fold(0, |length, byte| length << 7 | u64::from(byte & 0x7f))
}

/// Returns the duration in seconds; `bytes` begin after the tag, `size_bytes` is the size of the file from there.
pub(super) fn read_duration(bytes: &[u8], size_bytes: u64) -> Option<f64> {
    let (at, frame) = (0..bytes.len().saturating_sub(4)).find_map(|at| Some((at, AudioFrame::parse(&bytes[at..])?)))?;
    let seconds_per_frame = frame.samples as f64 / frame.sample_rate as f64;
    if let Some(count) = read_frame_count(&bytes[at..], &frame) {
        return Some(count as f64 * seconds_per_frame);
    }
    let rest = size_bytes.saturating_sub(at as u64);
    Some(rest as f64 * 8.0 / (frame.bit_rate as f64 * 1000.0))
}

struct AudioFrame {
    /// Kilobits per second.
    bit_rate: u64,
    sample_rate: u64,
    samples: u64,
    /// Where the header of an encoder is, from the start of the frame.
    side_info_end: usize,
}

impl AudioFrame {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let header = read_be(bytes, 0, 4)?;
        let (version, layer) = (header >> 19 & 3, header >> 17 & 3);
        if header >> 21 != 0x7ff || version == 1 || layer != 1 {
            return None;
        }
        let is_first_version = version == 3;
        let bit_rate = *BIT_RATES[usize::from(!is_first_version)].get((header >> 12 & 15) as usize)?;
        let base_rate = *SAMPLE_RATES.get((header >> 10 & 3) as usize)?;
        let sample_rate = base_rate / [4, 1, 2, 1][version as usize];
        let is_mono = header >> 6 & 3 == 3;
        let side_info = match (is_first_version, is_mono) {
            (true, false) => 32,
            (true, true) | (false, false) => 17,
            (false, true) => 9,
        };
        (bit_rate > 0).then(|| Self {
            bit_rate,
            sample_rate,
            samples: if is_first_version { 1152 } else { 576 },
            side_info_end: 4 + side_info,
        })
    }
}

fn read_frame_count(bytes: &[u8], frame: &AudioFrame) -> Option<u64> {
    let at = frame.side_info_end;
    if matches!(bytes.get(at..at + 4)?, b"Xing" | b"Info") && read_be(bytes, at + 4, 4)? & 1 == 1 {
        return read_be(bytes, at + 8, 4);
    }
    if bytes.get(36..40)? == b"VBRI" { read_be(bytes, 36 + 14, 4) } else { None }
}
