//! Pictures: a portrait whose colours and pattern follow from a text, and recognisable changes of it.

use ring::digest::{SHA256, digest};

/// A colour: red, green, blue.
type Rgb = [u8; 3];

/// A point in parts of the width and height, from 0 to 1.
type Point = (f32, f32);

const DARK: Rgb = [40, 32, 36];

/// An RGB picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Canvas {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Three bytes for each pixel, row by row.
    pub(crate) pixels: Vec<u8>,
}

/// Returns 32 bytes that follow from a text.
fn hash(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

/// Returns a bright colour that follows from a byte.
fn pick_colour(byte: u8) -> Rgb {
    let sixth = f32::from(byte) / 256.0 * 6.0;
    let rising = (sixth.fract() * 190.0) as u8 + 60;
    let falling = 250 - (sixth.fract() * 190.0) as u8;
    match sixth as u8 {
        0 => [250, rising, 60],
        1 => [falling, 250, 60],
        2 => [60, 250, rising],
        3 => [60, falling, 250],
        4 => [rising, 60, 250],
        _last => [250, 60, falling],
    }
}

impl Canvas {
    /// Draws a portrait before a pattern; both follow from `text`.
    pub(crate) fn draw_portrait(text: &str, width: u32, height: u32) -> Self {
        let seed = hash(text);
        let (first, second) = (pick_colour(seed[0]), pick_colour(seed[0].wrapping_add(64 + seed[1] / 2)));
        let (kind, scale) = (seed[2] % 4, f32::from(seed[3] % 6) + 4.0);
        let mut canvas = Self { width, height, pixels: vec![0; (width * height * 3) as usize] };
        canvas.paint(|(x, y), _| {
            let band = match kind {
                0 => x * scale,
                1 => (x + y) * scale,
                2 => ((x - 0.5).hypot(y - 0.5)) * 2.0 * scale,
                _checks => (x * scale).floor() + (y * scale).floor(),
            };
            Some(if (band as u32).is_multiple_of(2) { first } else { second })
        });
        canvas.paint_face(seed[4]);
        canvas
    }

    /// Returns the picture changed as the text asks: a hat, a cartoon, or a frame in a colour of the text's own.
    pub(crate) fn apply_instruction(&self, text: &str) -> Self {
        let mut changed = self.clone();
        let words = text.to_lowercase();
        if words.contains("cartoon") {
            changed.make_cartoon();
        }
        if words.contains("hat") && !words.contains("what") {
            changed.paint_hat(pick_colour(hash(text)[0]));
        }
        let colour = pick_colour(hash(text)[5]);
        changed.paint(|(x, y), _| (x.min(y).min(1.0 - x).min(1.0 - y) < 0.025).then_some(colour));
        changed
    }

    /// Returns the picture in another size.
    pub(crate) fn scale_to(&self, width: u32, height: u32) -> Self {
        let mut pixels = Vec::with_capacity((width * height * 3) as usize);
        for y in 0..height {
            for x in 0..width {
                let from = ((y * self.height / height) * self.width + x * self.width / width) as usize * 3;
                pixels.extend_from_slice(&self.pixels[from..from + 3]);
            }
        }
        Self { width, height, pixels }
    }

    /// Paints a disc.
    pub(crate) fn paint_disc(&mut self, (at_x, at_y): Point, radius: f32, colour: Rgb) {
        let ratio = self.height as f32 / self.width as f32;
        self.paint(|(x, y), _| ((x - at_x).hypot((y - at_y) * ratio) < radius).then_some(colour));
    }

    fn paint_box(&mut self, (left, top): Point, (right, bottom): Point, colour: Rgb) {
        self.paint(|(x, y), _| ((left..right).contains(&x) && (top..bottom).contains(&y)).then_some(colour));
    }

    fn paint_face(&mut self, skin: u8) {
        let skin = [255 - skin / 3, 210 - skin / 3, 170 - skin / 3];
        self.paint_disc((0.5, 0.55), 0.24, DARK);
        self.paint_disc((0.5, 0.55), 0.225, skin);
        for x in [0.42, 0.58] {
            self.paint_disc((x, 0.52), 0.03, DARK);
        }
        self.paint_box((0.43, 0.65), (0.57, 0.67), [180, 50, 60]);
    }

    fn paint_hat(&mut self, colour: Rgb) {
        self.paint_box((0.22, 0.33), (0.78, 0.39), DARK);
        self.paint_box((0.33, 0.1), (0.67, 0.34), DARK);
        self.paint_box((0.345, 0.115), (0.655, 0.28), colour);
    }

    /// Reduces the colours and darkens every eighth line, as in a printed comic.
    fn make_cartoon(&mut self) {
        let height = self.height as f32;
        self.paint(|(_, y), colour| {
            let dim = if ((y * height) as u32).is_multiple_of(8) { 40 } else { 0 };
            Some(colour.map(|part| (part / 86 * 127).saturating_sub(dim)))
        });
    }

    /// Replaces the pixels for which `choose` returns a colour.
    fn paint(&mut self, choose: impl Fn(Point, Rgb) -> Option<Rgb>) {
        let (width, height) = (self.width as f32, self.height as f32);
        let row_size = self.width as usize * 3;
        for (y, row) in self.pixels.chunks_exact_mut(row_size).enumerate() {
            for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
                let point = ((x as f32 + 0.5) / width, (y as f32 + 0.5) / height);
                if let Some(colour) = choose(point, [pixel[0], pixel[1], pixel[2]]) {
                    pixel.copy_from_slice(&colour);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_follow_from_their_texts() {
        let fox = Canvas::draw_portrait("a fox", 32, 24);
        assert_eq!(fox.pixels.len(), 32 * 24 * 3);
        assert_eq!(fox, Canvas::draw_portrait("a fox", 32, 24));
        assert_ne!(fox, Canvas::draw_portrait("a wolf", 32, 24));
    }

    #[test]
    fn a_change_keeps_most_of_the_picture() {
        let fox = Canvas::draw_portrait("a fox", 64, 64);
        for text in ["Add a hat", "Make it blue"] {
            let changed = fox.apply_instruction(text);
            let same = fox.pixels.iter().zip(&changed.pixels).filter(|(old, new)| old == new).count();
            let part = same * 100 / fox.pixels.len();
            assert!((60..100).contains(&part), "{text}: {part} %");
        }
        assert_ne!(fox.apply_instruction("Add a hat"), fox.apply_instruction("Make it blue"));
    }
}
