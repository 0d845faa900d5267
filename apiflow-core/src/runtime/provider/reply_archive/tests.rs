//! Hostile archives, written byte by byte: none takes memory, time or a path that its size does not justify.

use std::io::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;

/// What an entry of an archive claims, and what is there.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    /// The compressed bytes.
    data: Vec<u8>,
    /// 0: stored, 8: deflated.
    method: u16,
    crc: u32,
    claimed_size: u32,
    claimed_packed_size: u32,
    /// Position of its local header, instead of the true one.
    claimed_offset: Option<u32>,
    flags: u16,
    /// Type and rights of the file, as Unix has them.
    unix_mode: u32,
}

impl Entry {
    fn stored(name: &str, content: &[u8]) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            data: content.to_vec(),
            method: 0,
            crc: crc32(content),
            claimed_size: content.len() as u32,
            claimed_packed_size: content.len() as u32,
            claimed_offset: None,
            flags: 0,
            unix_mode: 0o100_644,
        }
    }

    fn deflated(name: &str, content: &[u8]) -> Self {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        writer.start_file("x", zip::write::SimpleFileOptions::default()).expect("a file");
        writer.write_all(content).expect("bytes");
        let archive = writer.finish().expect("an archive").into_inner();
        let mut archive = ZipArchive::new(io::Cursor::new(archive)).expect("an archive");
        let mut data = Vec::new();
        archive.by_index_raw(0).expect("a file").read_to_end(&mut data).expect("bytes");
        let (packed_size, size) = (data.len() as u32, content.len() as u32);
        Self { data, method: 8, claimed_size: size, claimed_packed_size: packed_size, ..Self::stored(name, content) }
    }

    fn write_common(&self, to: &mut Vec<u8>) {
        to.extend(self.flags.to_le_bytes());
        to.extend(self.method.to_le_bytes());
        to.extend([0; 4]);
        to.extend(self.crc.to_le_bytes());
        to.extend(self.claimed_packed_size.to_le_bytes());
        to.extend(self.claimed_size.to_le_bytes());
        to.extend((self.name.len() as u16).to_le_bytes());
        to.extend([0; 2]);
    }
}

/// What the end of an archive claims; `None` is the truth.
#[derive(Clone, Copy, Default)]
struct End {
    count: Option<u16>,
    size: Option<u32>,
    offset: Option<u32>,
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (0..8).fold(crc, |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1)));
    !bytes.iter().fold(u32::MAX, |crc, byte| step(crc ^ u32::from(*byte)))
}

fn build(entries: &[Entry], end: End) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = entry.claimed_offset.unwrap_or(archive.len() as u32);
        archive.extend(b"PK\x03\x04\x14\x00");
        entry.write_common(&mut archive);
        archive.extend(&entry.name);
        archive.extend(&entry.data);
        directory.extend(b"PK\x01\x02\x14\x03\x14\x00");
        entry.write_common(&mut directory);
        directory.extend([0; 6]);
        directory.extend((entry.unix_mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let count = end.count.unwrap_or(entries.len() as u16).to_le_bytes();
    let offset = end.offset.unwrap_or(archive.len() as u32);
    let size = end.size.unwrap_or(directory.len() as u32);
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\x00\x00\x00\x00");
    archive.extend([count, count].concat());
    archive.extend(size.to_le_bytes());
    archive.extend(offset.to_le_bytes());
    archive.extend([0; 2]);
    archive
}

/// An archive whose end says that the true one, with 64 bits, is elsewhere.
fn build_zip64(count: u64, size: u64, offset: u64) -> Vec<u8> {
    let mut archive = build(&[Entry::stored("a", b"a")], End::default());
    archive.truncate(archive.len() - 22);
    let start = archive.len() as u64;
    archive.extend(b"PK\x06\x06");
    archive.extend(44_u64.to_le_bytes());
    archive.extend([0x2d, 0, 0x2d, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    archive.extend([count, count, size, offset].map(u64::to_le_bytes).concat());
    archive.extend(b"PK\x06\x07\x00\x00\x00\x00");
    archive.extend(start.to_le_bytes());
    archive.extend(1_u32.to_le_bytes());
    archive.extend(b"PK\x05\x06\x00\x00\x00\x00");
    archive.extend([0xff; 12]);
    archive.extend([0; 2]);
    archive
}

fn unpack(archive: &[u8]) -> Result<UnpackedArchive, String> {
    let bytes = SpooledBytes::Memory(Bytes::copy_from_slice(archive));
    unpack_archive(&bytes, archive.len() as u64, ReplyParts::new("0123456789abcdef".to_owned()))
}

/// Unpacks the same archive from a file.
fn unpack_from_file(archive: &[u8]) -> Result<UnpackedArchive, String> {
    let mut file = tempfile::tempfile().expect("a temporary file can be made");
    file.write_all(archive).expect("there is space");
    let bytes = SpooledBytes::File(Arc::new(Mutex::new(file)));
    unpack_archive(&bytes, archive.len() as u64, ReplyParts::new("0123456789abcdef".to_owned()))
}

fn names_of(unpacked: &UnpackedArchive) -> Vec<String> {
    let files = unpacked.document["files"].as_array().into_iter().flatten();
    files.map(|file| file["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn archives_that_claim_more_than_they_have_are_refused() {
    let zeros = vec![0; 4_000_000];
    let bomb = Entry::deflated("bomb", &zeros);
    let same = Entry { claimed_offset: Some(0), ..Entry::deflated("0", &zeros[..200_000]) };
    let name = |number: usize| number.to_string().into_bytes();
    let overlapping: Vec<Entry> = (0..40).map(|number| Entry { name: name(number), ..same.clone() }).collect();
    let many: Vec<Entry> = (0..1_001).map(|number| Entry::stored(&number.to_string(), b"")).collect();
    for (name, archive) in [
        ("a bomb", build(std::slice::from_ref(&bomb), End::default())),
        ("a bomb that claims to be small", build(&[Entry { claimed_size: 10, ..bomb.clone() }], End::default())),
        ("a bomb that claims to be huge", build(&[Entry { claimed_size: u32::MAX - 1, ..bomb }], End::default())),
        ("files that overlap", build(&overlapping, End::default())),
        ("a wrong checksum", build(&[Entry { crc: 7, ..Entry::stored("a", b"a") }], End::default())),
        (
            "a file beyond the end",
            build(&[Entry { claimed_offset: Some(1 << 30), ..Entry::stored("a", b"a") }], End::default()),
        ),
        (
            "a file in the directory",
            build(&[Entry { claimed_offset: Some(32), ..Entry::stored("a", b"a") }], End::default()),
        ),
        (
            "a file longer than the archive",
            build(
                &[Entry { claimed_packed_size: 1 << 30, claimed_size: 1 << 30, ..Entry::stored("a", b"a") }],
                End::default(),
            ),
        ),
        ("an encrypted file", build(&[Entry { flags: 1, ..Entry::stored("a", b"a") }], End::default())),
        ("an unknown method", build(&[Entry { method: 98, ..Entry::stored("a", b"a") }], End::default())),
        (
            "a directory beyond the end",
            build(&[Entry::stored("a", b"a")], End { offset: Some(1 << 31), ..End::default() }),
        ),
        (
            "more files than there are",
            build(&[Entry::stored("a", b"a")], End { count: Some(60_000), ..End::default() }),
        ),
        ("too many files", build(&many, End::default())),
        ("files of 2^60 entries", build_zip64(1 << 60, 47, 32)),
        ("a directory at 2^60", build_zip64(1, 47, 1 << 60)),
        ("a directory at the last position", build_zip64(1, 47, u64::MAX)),
        ("nothing", Vec::new()),
        (
            "an end alone",
            b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00\x2e\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec(),
        ),
    ] {
        let begun = Instant::now();
        for outcome in [unpack(&archive), unpack_from_file(&archive)] {
            let error = outcome.err().unwrap_or_else(|| panic!("{name} is refused"));
            assert!(error.starts_with("the ZIP archive cannot be unpacked: "), "{name}: {error}");
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_lie_about_the_size_of_the_directory_changes_nothing() {
    let entry = Entry::stored("a", b"a");
    for archive in [build(&[entry], End { size: Some(u32::MAX - 1), ..End::default() }), build_zip64(1, 1 << 60, 32)] {
        let total = unpack(&archive).map(|unpacked| unpacked.parts.total_bytes());
        assert!(total.is_err() || total == Ok(1), "{total:?}");
    }
}

#[test]
fn a_directory_that_is_too_large_is_not_read_to_its_end() {
    let archive = build(
        &vec![Entry::stored("a-name-of-some-length", b""); 200_000],
        End { count: Some(u16::MAX), ..End::default() },
    );
    let bytes = SpooledBytes::Memory(Bytes::from(archive.clone()));
    let reader = ArchiveReader::new(bytes, archive.len() as u64);
    let budget = reader.budget();
    assert!(ZipArchive::new(io::BufReader::new(reader)).is_err());
    assert_eq!(budget.get(), Some(0));
    assert!(unpack(&archive).is_err_and(|error| error.contains("directory")), "the reason is named");
}

#[test]
fn paths_that_leave_the_archive_are_refused_in_every_spelling() {
    for name in ["../a", "a/../../b", "..", "..\\a", "a\\..\\..\\b", "..\\", "a\0b", "a/..\\../b"] {
        let outcome = unpack(&build(&[Entry::stored(name, b"x")], End::default()));
        assert!(outcome.is_err(), "{name:?}: {:?}", outcome.map(|unpacked| names_of(&unpacked)));
    }
    let link = Entry { unix_mode: 0o120_777, ..Entry::stored("link", b"/etc/passwd") };
    assert!(unpack(&build(&[link], End::default())).is_err(), "a symbolic link");
    // Whatever is accepted has a relative name, and the artifact only its last part.
    for name in
        ["/etc/passwd", "//server/share/a", "C:\\windows\\a", "C:/a", "\\\\server\\a", "./a", "a//b", "a:b", "a/.."]
    {
        if let Ok(unpacked) = unpack(&build(&[Entry::stored(name, b"x")], End::default())) {
            let names = names_of(&unpacked);
            let is_safe = |name: &String| !name.starts_with('/') && !name.split('/').any(|part| part == "..");
            assert!(names.iter().all(is_safe), "{name:?}: {names:?}");
        }
    }
}

#[test]
fn an_archive_in_an_archive_stays_packed() {
    let inner = build(&[Entry::deflated("bomb", &vec![0; 1_000_000])], End::default());
    let outer = build(&[Entry::stored("inner.zip", &inner)], End::default());
    let unpacked = unpack(&outer).expect("it is an archive");
    assert_eq!(unpacked.parts.total_bytes(), inner.len() as u64);
}

#[test]
fn changed_archives_neither_panic_nor_grow() {
    let files = [Entry::deflated("a/b.txt", &b"some text ".repeat(300)), Entry::stored("c.png", b"\x89PNG and so on")];
    let originals = [build(&files, End::default()), build_zip64(1, 47, 32)];
    let mut random = fastrand::Rng::with_seed(9);
    for round in 0..4_000 {
        let mut archive = originals[round % originals.len()].clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(0..archive.len());
            match random.u8(0..4) {
                0 => archive[at] = random.u8(..),
                1 => archive[at] ^= 1 << random.u8(0..8),
                2 => archive[at] = [0, 0xff][random.usize(0..2)],
                _ => archive.truncate(at.max(1)),
            }
        }
        let limit = MAX_UNCHECKED_BYTES.max(archive.len() as u64 * MAX_RATIO);
        for unpacked in [unpack(&archive), unpack_from_file(&archive)].into_iter().flatten() {
            assert!(unpacked.parts.total_bytes() <= limit, "round {round}");
        }
    }
}
