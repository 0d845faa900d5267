//! Videos: MP4 files with one H.264 track, whose macroblocks are stored without compression (`I_PCM`).
//!
//! Source: ITU-T H.264 (7.3, syntax; 9.1, codes), ISO/IEC 14496-12 (boxes), 14496-15 (`avcC`).

use super::canvas::Canvas;

/// Width and height of all videos, in pixels.
pub(crate) const SIDE_PX: u32 = 64;
/// Number of frames of all videos.
const FRAME_COUNT: u32 = 8;
/// Units of time per second.
const TIMESCALE: u32 = 1000;
/// Macroblocks per row and column.
const SIDE_BLOCKS: u32 = SIDE_PX / 16;
/// Type of a macroblock that is stored as it is.
const I_PCM: u32 = 25;

/// Returns an MP4 file in which a ball moves across the picture.
pub(crate) fn build_mp4(picture: &Canvas, duration_s: f32) -> Vec<u8> {
    let base = picture.scale_to(SIDE_PX, SIDE_PX);
    let frames: Vec<Vec<u8>> =
        (0..FRAME_COUNT).map(|number| encode_frame(&draw_frame(&base, number), number)).collect();
    let frame_units = ((duration_s * TIMESCALE as f32) as u32 / FRAME_COUNT).max(1);
    let brand = build_box(*b"ftyp", &[b"isom", &[0, 0, 2, 0], b"isomiso2avc1mp41"]);
    // The size of `moov` does not depend on the offset in it.
    let size = build_moov(&frames, frame_units, 0).len();
    let offset = (brand.len() + size + 8) as u32;
    [brand, build_moov(&frames, frame_units, offset), build_box(*b"mdat", &[&frames.concat()])].concat()
}

fn draw_frame(base: &Canvas, number: u32) -> Canvas {
    let mut frame = base.clone();
    let x = (number as f32 + 0.5) / FRAME_COUNT as f32;
    frame.paint_disc((x, 0.85), 0.08, [250, 250, 250]);
    frame
}

/// Returns a frame as a sample of an MP4 file: the size of the unit, and the unit.
fn encode_frame(frame: &Canvas, number: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    // First macroblock, type (all I), parameter set, frame number.
    bits.write_code(0);
    bits.write_code(7);
    bits.write_code(0);
    bits.write(0, 4);
    // Pictures that follow each other have different ids.
    bits.write_code(number % 2);
    // No earlier pictures are kept back, this one is no long-term reference; no change of the quantiser.
    bits.write(0, 2);
    bits.write_code(0);
    let planes = Planes::from_canvas(frame);
    for block in 0..SIDE_BLOCKS * SIDE_BLOCKS {
        bits.write_code(I_PCM);
        bits.align();
        planes.write_block(&mut bits.bytes, block % SIDE_BLOCKS, block / SIDE_BLOCKS);
    }
    let unit = finish_unit(0x65, bits);
    [&(unit.len() as u32).to_be_bytes(), unit.as_slice()].concat()
}

/// The luminance, and the colours at half the resolution.
struct Planes {
    luma: Vec<u8>,
    blue: Vec<u8>,
    red: Vec<u8>,
}

impl Planes {
    fn from_canvas(canvas: &Canvas) -> Self {
        let side = SIDE_PX as usize;
        let pixel = |x: usize, y: usize| {
            let at = (y * side + x) * 3;
            [0, 1, 2].map(|part| f32::from(canvas.pixels[at + part]))
        };
        // BT.601, limited range: never 0, so that stored samples cannot look like a start code.
        let luma = |[r, g, b]: [f32; 3]| (16.0 + 0.257 * r + 0.504 * g + 0.098 * b) as u8;
        let blue = |[r, g, b]: [f32; 3]| (128.0 - 0.148 * r - 0.291 * g + 0.439 * b) as u8;
        let red = |[r, g, b]: [f32; 3]| (128.0 + 0.439 * r - 0.368 * g - 0.071 * b) as u8;
        let all = |step: usize| (0..side).step_by(step).flat_map(move |y| (0..side).step_by(step).map(move |x| (x, y)));
        Self {
            luma: all(1).map(|(x, y)| luma(pixel(x, y))).collect(),
            blue: all(2).map(|(x, y)| blue(pixel(x, y))).collect(),
            red: all(2).map(|(x, y)| red(pixel(x, y))).collect(),
        }
    }

    fn write_block(&self, into: &mut Vec<u8>, column: u32, row: u32) {
        for (plane, size) in [(&self.luma, 16), (&self.blue, 8), (&self.red, 8)] {
            let (width, left, top) = (size * SIDE_BLOCKS as usize, column as usize * size, row as usize * size);
            for line in 0..size {
                let from = (top + line) * width + left;
                into.extend_from_slice(&plane[from..from + size]);
            }
        }
    }
}

/// Returns the sequence parameter set: baseline profile, level 3, pictures in the order in which they are stored.
fn build_sequence_set() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.bytes.extend([66, 0, 30]);
    // Id, bits of frame numbers less four, kind of the picture order, reference frames.
    for code in [0, 0, 2, 0] {
        bits.write_code(code);
    }
    bits.write(0, 1);
    bits.write_code(SIDE_BLOCKS - 1);
    bits.write_code(SIDE_BLOCKS - 1);
    // Whole frames; no inference for 8 × 8 blocks, no cropping, no usability information.
    bits.write(0b1000, 4);
    finish_unit(0x67, bits)
}

/// Returns the picture parameter set.
fn build_picture_set() -> Vec<u8> {
    let mut bits = Bits::default();
    // Ids of both sets.
    bits.write_code(0);
    bits.write_code(0);
    bits.write(0, 2);
    // Slice groups, reference pictures of both lists.
    for _ in 0..3 {
        bits.write_code(0);
    }
    bits.write(0, 3);
    // Quantisers.
    for _ in 0..3 {
        bits.write_code(0);
    }
    bits.write(0, 3);
    finish_unit(0x68, bits)
}

/// Adds the final bit, the head, and the bytes that keep start codes apart.
fn finish_unit(head: u8, mut bits: Bits) -> Vec<u8> {
    bits.write(1, 1);
    bits.align();
    let mut unit = vec![head];
    let mut zeros = 0;
    for byte in bits.bytes {
        if zeros == 2 && byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        unit.push(byte);
    }
    unit
}

/// Bits, the highest first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are free.
    free: u32,
}

impl Bits {
    fn write(&mut self, value: u32, count: u32) {
        for at in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> at & 1) as u8) << self.free;
            }
        }
    }

    /// Writes an Exp-Golomb code.
    fn write_code(&mut self, value: u32) {
        let width = (value + 1).ilog2() + 1;
        self.write(0, width - 1);
        self.write(value + 1, width);
    }

    fn align(&mut self) {
        self.free = 0;
    }
}

fn build_box(kind: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let size = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut whole = (size as u32).to_be_bytes().to_vec();
    whole.extend(kind);
    whole.extend(parts.concat());
    whole
}

fn numbers(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn build_moov(frames: &[Vec<u8>], frame_units: u32, offset: u32) -> Vec<u8> {
    let duration = frame_units * FRAME_COUNT;
    let matrix = numbers(&[0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]);
    let movie = build_box(
        *b"mvhd",
        &[
            &numbers(&[0, 0, 0, TIMESCALE, duration, 0x1_0000, 0x0100_0000, 0, 0]),
            &matrix,
            &numbers(&[0, 0, 0, 0, 0, 0, 2]),
        ],
    );
    let track = build_box(
        *b"tkhd",
        &[&numbers(&[3, 0, 0, 1, 0, duration, 0, 0, 0, 0]), &matrix, &numbers(&[SIDE_PX << 16, SIDE_PX << 16])],
    );
    // The language is undetermined: `und`, five bits for each letter.
    let media = build_box(*b"mdhd", &[&numbers(&[0, 0, 0, TIMESCALE, duration, 0x55C4_0000])]);
    let handler = build_box(*b"hdlr", &[&numbers(&[0, 0]), b"vide", &numbers(&[0, 0, 0]), b"video\0"]);
    let head = build_box(*b"vmhd", &[&numbers(&[1, 0, 0])]);
    // The data is in the same file.
    let here = build_box(*b"url ", &[&numbers(&[1])]);
    let place = build_box(*b"dinf", &[&build_box(*b"dref", &[&numbers(&[0, 1]), &here])]);
    let samples = build_box(
        *b"stbl",
        &[
            &build_sample_description(),
            &build_box(*b"stts", &[&numbers(&[0, 1, FRAME_COUNT, frame_units])]),
            &build_box(*b"stsc", &[&numbers(&[0, 1, 1, FRAME_COUNT, 1])]),
            &build_box(*b"stsz", &[&numbers(&[0, 0, FRAME_COUNT]), &sizes(frames)]),
            &build_box(*b"stco", &[&numbers(&[0, 1, offset])]),
        ],
    );
    let information = build_box(*b"minf", &[&head, &place, &samples]);
    let media = build_box(*b"mdia", &[&media, &handler, &information]);
    build_box(*b"moov", &[&movie, &build_box(*b"trak", &[&track, &media])])
}

fn sizes(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.iter().flat_map(|frame| (frame.len() as u32).to_be_bytes()).collect()
}

fn build_sample_description() -> Vec<u8> {
    let (sequence, picture) = (build_sequence_set(), build_picture_set());
    let with_length = |unit: &[u8]| [&(unit.len() as u16).to_be_bytes(), unit].concat();
    // Version, profile, level; sizes take four bytes; one set of each kind.
    let settings =
        build_box(*b"avcC", &[&[1, 66, 0, 30, 0xFF, 0xE1], &with_length(&sequence), &[1], &with_length(&picture)]);
    let side = (SIDE_PX as u16).to_be_bytes();
    let mut entry = vec![0, 0, 0, 0, 0, 0, 0, 1];
    entry.extend([0; 16]);
    entry.extend([side, side].concat());
    // 72 dpi in both directions, one frame per sample, no name, 24 bits per pixel.
    entry.extend(numbers(&[0x48_0000, 0x48_0000, 0]));
    entry.extend([0, 1]);
    entry.extend([0; 32]);
    entry.extend([0, 24, 0xFF, 0xFF]);
    entry.extend(settings);
    build_box(*b"stsd", &[&numbers(&[0, 1]), &build_box(*b"avc1", &[&entry])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_agree_with_the_table_of_the_standard() {
        // Table 9-2: 0 is `1`, 1 is `010`, 2 is `011`, 3 is `00100`, 8 is `0001001`.
        let mut bits = Bits::default();
        for value in [0, 1, 2, 3, 8] {
            bits.write_code(value);
        }
        assert_eq!(bits.bytes, [0b1010_0110, 0b0100_0001, 0b0010_0000]);
    }

    #[test]
    fn the_data_begins_where_the_file_says() {
        let file = build_mp4(&Canvas::draw_portrait("a fox", 64, 64), 1.0);
        let at = |name: &[u8]| file.windows(4).position(|window| window == name).expect("the box exists");
        let offset = at(b"stco") + 12;
        assert_eq!(file[offset..offset + 4], (at(b"mdat") as u32 + 4).to_be_bytes());
    }
}
