//! Audio files: a tone as WAV, silence as MP3.

use std::f32::consts::TAU;

/// Samples per second of WAV files.
pub(crate) const SAMPLE_RATE_HZ: u32 = 8000;

/// Samples per second and samples per frame of MP3 files.
const MP3_RATE_HZ: f32 = 44_100.0;
const MP3_FRAME_SAMPLES: f32 = 1152.0;

/// The header of an MP3 frame: MPEG 1, layer III, 32 kbit/s, 44.1 kHz, mono.
const MP3_FRAME_HEADER: [u8; 4] = [0xFF, 0xFB, 0x10, 0xC4];
/// The size of such a frame: 144 × 32,000 / 44,100.
const MP3_FRAME_BYTES: usize = 104;

/// Returns the samples of a tone, as 16-bit little-endian numbers. The pitch follows from the text.
pub(crate) fn play_tone(text: &str, duration_s: f32) -> Vec<u8> {
    let pitch = 220.0 + f32::from(text.bytes().fold(0_u8, u8::wrapping_add)) * 2.0;
    let count = (duration_s * SAMPLE_RATE_HZ as f32) as u32;
    let sample = |at: u32| {
        let height = (at as f32 / SAMPLE_RATE_HZ as f32 * pitch * TAU).sin();
        ((height * 8000.0) as i16).to_le_bytes()
    };
    (0..count).flat_map(sample).collect()
}

/// Returns a WAV file: mono, 16 bits.
pub(crate) fn build_wav(samples: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(44 + samples.len());
    file.extend(b"RIFF");
    file.extend((36 + samples.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    file.extend([1, 0, 1, 0]);
    file.extend(SAMPLE_RATE_HZ.to_le_bytes());
    file.extend((SAMPLE_RATE_HZ * 2).to_le_bytes());
    // Bytes and bits per sample.
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend((samples.len() as u32).to_le_bytes());
    file.extend(samples);
    file
}

/// Returns an MP3 file of silence that contains `title`.
pub(crate) fn build_mp3(title: &str, duration_s: f32) -> Vec<u8> {
    let title: String = title.chars().filter(char::is_ascii).take(100).collect();
    let mut file = b"ID3\x03\x00\x00".to_vec();
    // A frame of a tag has ten bytes of head and one that tells the encoding; sizes have seven bits per byte.
    file.extend([0, 0, 0, (title.len() + 11) as u8]);
    file.extend(b"TIT2");
    file.extend((title.len() as u32 + 1).to_be_bytes());
    file.extend([0, 0, 0]);
    file.extend(title.as_bytes());
    let frames = ((duration_s * MP3_RATE_HZ / MP3_FRAME_SAMPLES).ceil() as usize).max(1);
    for _ in 0..frames {
        file.extend(MP3_FRAME_HEADER);
        file.extend([0; MP3_FRAME_BYTES - 4]);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wav_file_says_its_sizes() {
        let file = build_wav(&play_tone("hello", 0.5));
        assert_eq!(file.len(), 44 + 8000);
        assert_eq!(file[4..8], (file.len() as u32 - 8).to_le_bytes());
        assert_ne!(file, build_wav(&play_tone("other", 0.5)));
    }

    #[test]
    fn an_mp3_file_has_its_title_and_frames() {
        let file = build_mp3("hello", 1.0);
        assert!(file.starts_with(b"ID3\x03\x00\x00\x00\x00\x00\x10TIT2\x00\x00\x00\x06\x00\x00\x00hello\xFF\xFB"));
        assert_eq!(file.len(), 10 + 16 + 39 * MP3_FRAME_BYTES);
    }
}
