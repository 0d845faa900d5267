//! FLAC: the block STREAMINFO comes first. Source: RFC 9639, section 8.2.

use super::read_be;

/// Returns the duration in seconds.
pub(super) fn read_duration(head: &[u8]) -> Option<f64> {
    if head.get(..4)? != b"fLaC" || head.get(4)? & 0x7f != 0 {
        return None;
    }
    // 20 bits of sample rate, 3 of channels, 5 of sample size, 36 of the number of samples.
    let packed = read_be(head, 18, 8)?;
    let (rate, samples) = (packed >> 44, packed & 0xf_ffff_ffff);
    (rate > 0 && samples > 0).then(|| samples as f64 / rate as f64)
}
