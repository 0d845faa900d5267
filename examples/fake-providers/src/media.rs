//! Real media: small files that differ by prompt, and that show what was done to an input image.

use std::sync::Arc;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::OnceCell;

use crate::outgoing;

pub(crate) mod audio;
pub(crate) mod canvas;
pub(crate) mod png_file;
pub(crate) mod video;

use canvas::Canvas;

/// Width and height of a picture whose size nobody chose, in pixels.
pub(crate) const DEFAULT_SIDE_PX: u32 = 256;

/// A file that a provider makes; its content is made when it is read.
#[derive(Clone, Debug)]
pub(crate) enum Media {
    Png(Picture),
    Wav(Sound),
    Mp3(Sound),
    /// Samples of 16 bits without a head.
    Pcm(Sound),
    Mp4(Picture, f32),
}

/// What determines a picture.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) prompt: String,
    /// Tells pictures with the same prompt apart.
    pub(crate) variation: String,
    /// Width and height, in pixels.
    pub(crate) size: (u32, u32),
    /// The image to change; none: a new one is drawn.
    pub(crate) input: Option<Arc<InputImage>>,
}

/// What determines a sound.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    pub(crate) text: String,
    pub(crate) duration_s: f32,
}

impl Sound {
    /// Returns the sound of a text that is read aloud: 60 ms per character, from 0.3 s to 5 s.
    pub(crate) fn read_aloud(text: &str) -> Self {
        Self { text: text.to_owned(), duration_s: (text.chars().count() as f32 * 0.06).clamp(0.3, 5.0) }
    }
}

impl Media {
    /// Returns the MIME type.
    pub(crate) fn mime(&self) -> &'static str {
        match self {
            Self::Png(_) => "image/png",
            Self::Wav(_) => "audio/wav",
            Self::Mp3(_) => "audio/mpeg",
            Self::Pcm(_) => "audio/pcm",
            Self::Mp4(..) => "video/mp4",
        }
    }

    /// Returns the ending of file names.
    pub(crate) fn extension(&self) -> &'static str {
        match self {
            Self::Png(_) => "png",
            Self::Wav(_) => "wav",
            Self::Mp3(_) => "mp3",
            Self::Pcm(_) => "pcm",
            Self::Mp4(..) => "mp4",
        }
    }

    /// Returns the content.
    pub(crate) async fn render(&self) -> Bytes {
        let file = match self {
            Self::Png(picture) => png_file::encode_png(&picture.draw().await),
            Self::Wav(sound) => audio::build_wav(&audio::play_tone(&sound.text, sound.duration_s)),
            Self::Mp3(sound) => audio::build_mp3(&sound.text, sound.duration_s),
            Self::Pcm(sound) => audio::play_tone(&sound.text, sound.duration_s),
            Self::Mp4(picture, duration_s) => video::build_mp4(&picture.draw().await, *duration_s),
        };
        file.into()
    }

    /// Reads the input image now, while its link is valid.
    pub(crate) async fn load_input(&self) {
        if let Self::Png(picture) | Self::Mp4(picture, _) = self
            && let Some(input) = &picture.input
        {
            input.load().await;
        }
    }
}

impl Picture {
    async fn draw(&self) -> Canvas {
        let (width, height) = self.size;
        match &self.input {
            Some(input) => input.load().await.scale_to(width, height).apply_instruction(&self.prompt),
            None => Canvas::draw_portrait(&format!("{} {}", self.prompt, self.variation), width, height),
        }
    }
}

/// An image that a client gave.
#[derive(Debug)]
pub(crate) struct InputImage {
    source: ImageSource,
    canvas: OnceCell<Canvas>,
}

#[derive(Debug)]
enum ImageSource {
    Bytes(Bytes),
    /// A link, a data URI or bare base64.
    Text(String),
}

impl InputImage {
    /// Creates an image from the bytes of a file.
    pub(crate) fn from_bytes(bytes: Bytes) -> Arc<Self> {
        Arc::new(Self { source: ImageSource::Bytes(bytes), canvas: OnceCell::new() })
    }

    /// Creates an image from a link, a data URI or bare base64.
    pub(crate) fn from_text(text: &str) -> Arc<Self> {
        Arc::new(Self { source: ImageSource::Text(text.to_owned()), canvas: OnceCell::new() })
    }

    /// Returns the image; a picture of its own stands for one that can't be read.
    async fn load(&self) -> &Canvas {
        self.canvas.get_or_init(|| async { self.source.read().await }).await
    }
}

impl ImageSource {
    async fn read(&self) -> Canvas {
        let replacement = |name: &str| Canvas::draw_portrait(name, DEFAULT_SIDE_PX, DEFAULT_SIDE_PX);
        match self {
            Self::Bytes(bytes) => png_file::decode_png(bytes).unwrap_or_else(|| replacement(&STANDARD.encode(bytes))),
            Self::Text(text) => {
                let file = match text.split_once(";base64,") {
                    Some((_, base64)) => STANDARD.decode(base64).ok(),
                    None if text.starts_with("http://") => outgoing::fetch(text).await,
                    None => STANDARD.decode(text).ok(),
                };
                file.and_then(|file| png_file::decode_png(&file)).unwrap_or_else(|| replacement(text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_input_image_is_recognisable_in_the_output() {
        let portrait = Canvas::draw_portrait("a person", 64, 64);
        let file = png_file::encode_png(&portrait);
        let uri = format!("data:image/png;base64,{}", STANDARD.encode(&file));
        for input in [InputImage::from_bytes(file.into()), InputImage::from_text(&uri)] {
            let size = (64, 64);
            let picture = Picture { prompt: "Add a hat".into(), variation: String::new(), size, input: Some(input) };
            assert_eq!(picture.draw().await, portrait.apply_instruction("Add a hat"));
        }
    }
}
