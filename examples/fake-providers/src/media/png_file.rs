//! PNG files.

use std::io::Cursor;

use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Filter, Transformations};

use super::canvas::Canvas;

/// The largest width and height of pictures that are read, in pixels.
const MAX_SIDE_PX: u32 = 8192;

/// Writes a picture as a PNG file.
pub(crate) fn encode_png(canvas: &Canvas) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, canvas.width, canvas.height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Balanced);
    encoder.set_filter(Filter::NoFilter);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&canvas.pixels));
    written.expect("a canvas has as many pixels as it says, and memory can be written to");
    file
}

/// Reads a PNG file; `None` if it is none, or too large. Transparency is ignored.
pub(crate) fn decode_png(file: &[u8]) -> Option<Canvas> {
    let mut decoder = Decoder::new(Cursor::new(file));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let (width, height) = (reader.info().width, reader.info().height);
    if width > MAX_SIDE_PX || height > MAX_SIDE_PX {
        return None;
    }
    let mut samples = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut samples).ok()?;
    let samples = &samples[..frame.buffer_size()];
    let pixels = match frame.color_type {
        ColorType::Rgb => samples.to_vec(),
        ColorType::Rgba => samples.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
        ColorType::Grayscale => samples.iter().flat_map(|grey| [*grey; 3]).collect(),
        ColorType::GrayscaleAlpha => samples.chunks_exact(2).flat_map(|pixel| [pixel[0]; 3]).collect(),
        ColorType::Indexed => return None,
    };
    Some(Canvas { width, height, pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let canvas = Canvas::draw_portrait("a fox", 40, 30);
        let file = encode_png(&canvas);
        assert!(file.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert_eq!(decode_png(&file), Some(canvas));
        assert_eq!(decode_png(b"\x89PNG\r\n\x1a\nno more"), None);
    }
}
