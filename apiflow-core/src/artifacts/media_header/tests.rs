//! Headers as the formats' specifications describe them, whole, cut and wrong.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::*;

struct WholeFile(Vec<u8>);

#[async_trait]
impl RangeReader for WholeFile {
    async fn read_range(&self, range: Range<u64>) -> Option<Bytes> {
        self.0.get(range.start as usize..range.end as usize).map(Bytes::copy_from_slice)
    }
}

async fn facts_of(mime: &str, content: &[u8], head_bytes: usize) -> MediaFacts {
    let head = &content[..content.len().min(head_bytes)];
    read_media_facts(mime, head, content.len() as u64, &WholeFile(content.to_vec())).await
}

async fn check(mime: &str, content: &[u8], expected: (Option<(u32, u32)>, Option<f64>)) {
    for head_bytes in [content.len(), 64] {
        let MediaFacts { width, height, duration_s } = facts_of(mime, content, head_bytes).await;
        let found = (width.zip(height), duration_s);
        // What is behind the head is read from the file, except in formats whose facts come first.
        if head_bytes == content.len() || matches!(mime, "video/mp4" | "audio/ogg" | "audio/mpeg") {
            assert_eq!(found, expected, "{mime} with {head_bytes} bytes");
        }
    }
    for end in 0..content.len().min(300) {
        facts_of(mime, &content[..end], 64).await;
        facts_of(mime, &[&content[..end], &[0xff; 40]].concat(), 4096).await;
    }
    change_at_random(mime, content).await;
}

/// A file that claims any size, and repeats a content for ever; counts what is read of it.
struct EndlessFile {
    content: Vec<u8>,
    reads: AtomicUsize,
    bytes: AtomicU64,
}

#[async_trait]
impl RangeReader for EndlessFile {
    async fn read_range(&self, range: Range<u64>) -> Option<Bytes> {
        let length = range.end.checked_sub(range.start).expect("a range has a beginning and an end");
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(length, Ordering::Relaxed);
        assert!(length <= 4 << 20, "{length} bytes at once");
        let start = usize::try_from(range.start % self.content.len().max(1) as u64).expect("a small number");
        let repeated = self.content.repeat((start + length as usize) / self.content.len().max(1) + 1);
        Some(Bytes::from(repeated).slice(start..start + length as usize))
    }
}

/// Changes a content at random, and reads its facts: nothing panics, and little is read of a file of any size.
async fn change_at_random(mime: &str, content: &[u8]) {
    let mut random = fastrand::Rng::with_seed(content.len() as u64);
    for _ in 0..300 {
        let mut changed = content.to_vec();
        for _ in 0..random.usize(1..8) {
            let at = random.usize(0..changed.len().min(400));
            match random.u8(0..4) {
                0 => changed[at] = random.u8(..),
                1 => changed[at] ^= 1 << random.u8(0..8),
                2 => changed[at] = [0, 0x7f, 0x80, 0xff][random.usize(0..4)],
                _ => {
                    let end = (at + 8).min(changed.len());
                    changed[at..end].fill([0, 0xff][random.usize(0..2)]);
                }
            }
        }
        facts_of(mime, &changed, random.usize(0..changed.len())).await;
        let size_bytes = [1 << 50, 1 << 40, changed.len() as u64 * 3][random.usize(0..3)];
        let head = changed[..changed.len().min(64)].to_vec();
        let file = EndlessFile { content: changed, reads: AtomicUsize::new(0), bytes: AtomicU64::new(0) };
        read_media_facts(mime, &head, size_bytes, &file).await;
        let (reads, bytes) = (file.reads.into_inner(), file.bytes.into_inner());
        assert!(reads <= 300 && bytes <= 16 << 20, "{mime}: {bytes} bytes in {reads} reads");
    }
}

fn make_box(name: &str, content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes(), name.as_bytes(), content].concat()
}

fn make_mp4(is_turned: bool) -> Vec<u8> {
    let mut movie = vec![0; 100];
    movie[12..16].copy_from_slice(&600_u32.to_be_bytes());
    movie[16..20].copy_from_slice(&1500_u32.to_be_bytes());
    let mut track = vec![0; 84];
    let entry = if is_turned { 44 } else { 40 };
    track[entry..entry + 4].copy_from_slice(&0x0001_0000_u32.to_be_bytes());
    track[76..80].copy_from_slice(&(640_u32 << 16).to_be_bytes());
    track[80..84].copy_from_slice(&(360_u32 << 16).to_be_bytes());
    let sound = make_box("trak", &make_box("tkhd", &[0; 84]));
    let picture = make_box("trak", &make_box("tkhd", &track));
    let moov = make_box("moov", &[make_box("mvhd", &movie), sound, picture].concat());
    [make_box("ftyp", b"isom\0\0\0\0"), make_box("mdat", &[7; 5000]), moov].concat()
}

#[tokio::test]
async fn mp4_tells_its_facts_at_its_end() {
    check("video/mp4", &make_mp4(false), (Some((640, 360)), Some(2.5))).await;
    check("video/mp4", &make_mp4(true), (Some((360, 640)), Some(2.5))).await;
    check("video/mp4", &make_box("moov", &make_box("mvhd", &[0; 100])), (None, None)).await;
}

#[tokio::test]
async fn wav_tells_its_length_or_ends_with_the_file() {
    let wav = |data_bytes: u32| {
        let format = [
            &b"fmt "[..],
            &16_u32.to_le_bytes(),
            &[1, 0, 1, 0],
            &8000_u32.to_le_bytes(),
            &16_000_u32.to_le_bytes(),
            &[2, 0, 16, 0],
        ];
        let list = [&b"LIST"[..], &3_u32.to_le_bytes(), b"abc\0"].concat();
        [&b"RIFF\xff\xff\xff\xffWAVE"[..], &format.concat(), &list, b"data", &data_bytes.to_le_bytes(), &[0; 8000]]
            .concat()
    };
    check("audio/wav", &wav(8000), (None, Some(0.5))).await;
    check("audio/wav", &wav(u32::MAX), (None, Some(0.5))).await;
    check("audio/wav", &wav(0), (None, Some(0.5))).await;
    check("audio/wav", &wav(4000), (None, Some(0.25))).await;
}

#[tokio::test]
async fn mp3_counts_frames_or_has_one_bit_rate() {
    // MPEG 1, layer III, 128 kbit/s, 44.1 kHz, stereo.
    let frame = [&[0xff, 0xfb, 0x90, 0x00][..], &[0; 413]].concat();
    check("audio/mpeg", &frame.repeat(20), (None, Some(0.521))).await;
    let mut counted = frame.clone();
    counted[36..40].copy_from_slice(b"Xing");
    counted[43] = 1;
    counted[44..48].copy_from_slice(&100_u32.to_be_bytes());
    check("audio/mpeg", &counted, (None, Some(2.612))).await;
    let tag = [&b"ID3\x04\0\0\0\0\x02\0"[..], &[0xff; 256], &frame.repeat(20)].concat();
    check("audio/mpeg", &tag, (None, Some(0.521))).await;
}

#[tokio::test]
async fn flac_and_ogg_count_samples() {
    let packed = (44_100_u64 << 44 | 1 << 41 | 15 << 36 | 0x5622).to_be_bytes();
    let flac = [&b"fLaC\0\0\0\x22"[..], &[0; 10], &packed, &[0; 16]].concat();
    check("audio/flac", &flac, (None, Some(0.5))).await;
    let page = |granule: u64, packet: &[u8]| {
        [&b"OggS\0\0"[..], &granule.to_le_bytes(), &[0; 12], &[1, packet.len() as u8], packet].concat()
    };
    let opus = [b"OpusHead\x01\x02".as_slice(), &312_u16.to_le_bytes(), &[0; 7]].concat();
    let ogg = [page(0, &opus), page(1000, &[1; 200]), page(48_312, &[2; 200])].concat();
    check("audio/ogg", &ogg, (None, Some(1.0))).await;
}

#[tokio::test]
async fn webm_tells_its_facts_first() {
    let element = |id: &[u8], content: &[u8]| [id, &[0x80 | content.len() as u8], content].concat();
    let info = element(&[0x15, 0x49, 0xa9, 0x66], &element(&[0x44, 0x89], &1500_f32.to_be_bytes()));
    let video = element(&[0xe0], &[element(&[0xb0], &[2, 128]), element(&[0xba], &[1, 104])].concat());
    let tracks = element(&[0x16, 0x54, 0xae, 0x6b], &element(&[0xae], &video));
    // A live stream does not know its size.
    let segment =
        [&[0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], &info, &tracks].concat();
    let webm = [element(&[0x1a, 0x45, 0xdf, 0xa3], &[0; 4]), segment].concat();
    check("video/webm", &webm, (Some((640, 360)), Some(1.5))).await;
}

#[tokio::test]
async fn images_tell_their_dimensions() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x06\0\0\0".to_vec();
    check("image/png", &png, (Some((2, 3)), None)).await;
    check("image/svg+xml", b"<svg width='10' height='10'/>", (None, None)).await;
    // A photo whose preview fills the head.
    let preview = [&[0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff][..], &vec![0; 65_533]].concat();
    let frame = [0xff, 0xc0, 0, 17, 8, 0, 20, 0, 30, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1, 0xff, 0xd9];
    let jpeg = [preview.as_slice(), &frame].concat();
    let MediaFacts { width, height, .. } = facts_of("image/jpeg", &jpeg, 65_536).await;
    assert_eq!(width.zip(height), Some((30, 20)));
}

#[tokio::test]
async fn beginnings_of_images_with_anything_after_them_are_read_in_bounds() {
    let beginnings: [(&str, &[u8]); 9] = [
        ("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
        ("image/gif", b"GIF89a"),
        ("image/webp", b"RIFF\xff\xff\xff\xffWEBPVP8X"),
        ("image/avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif\0\0\0\x40meta"),
        ("image/heif", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x40meta"),
        ("image/jxl", b"\0\0\0\x0cJXL \r\n\x87\n"),
        ("image/tiff", b"II*\0\x08\0\0\0\xff\xff"),
        ("image/bmp", b"BM\xff\xff\xff\xff"),
    ];
    let mut random = fastrand::Rng::with_seed(11);
    for (mime, beginning) in beginnings {
        let rest: Vec<u8> = (0..500).map(|_| [0, 1, 0xff, random.u8(..)][random.usize(0..4)]).collect();
        change_at_random(mime, &[beginning, &rest].concat()).await;
    }
}
