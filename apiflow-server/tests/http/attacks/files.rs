//! Files that are two things at once, and pictures that claim to be huge: how they are kept, served and made small.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::artifacts::PNG;
use crate::recording_client::RecordingClient;

/// Longest time that a picture may take, on a busy machine without optimisations.
const MAX_TIME: Duration = Duration::from_secs(20);

async fn upload(client: &RecordingClient, name: &str, mime: &str, content: &[u8]) -> Value {
    let headers = [("content-type", mime)];
    let path = format!("/artifacts?name={name}");
    let (status, _, reply) = client.exchange("PUT", &path, &headers, Body::from(content.to_vec())).await;
    let reply: Value = serde_json::from_slice(&reply).expect("the reply is JSON");
    assert_eq!(status, StatusCode::CREATED, "{name}: {reply}");
    reply
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

const SCRIPT: &str = "<script>fetch('/api/v1/user')</script>";

/// Name, declared type, content, and the type as which it is served.
fn polyglots() -> Vec<(&'static str, &'static str, Vec<u8>, &'static str)> {
    let html = format!("<!DOCTYPE html><html>{SCRIPT}</html>");
    let svg = format!("<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>");
    let gif = b"GIF89a\x2f\x2a\x01\x00\x00\x00\x00".to_vec();
    let jpeg = [b"\xff\xd8\xff\xfe\x00\x40", SCRIPT.as_bytes(), b"\xff\xd9"].concat();
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("gif-js", "text/javascript", [&gif[..], b"*/=1;alert(1)//"].concat(), "image/gif"),
        ("gif-html", "text/html", [&gif[..], html.as_bytes()].concat(), "image/gif"),
        ("gif-zip", "application/java-archive", [&gif[..], b"PK\x03\x04\x14\x00"].concat(), "image/gif"),
        ("png-html", "text/html", [PNG, html.as_bytes()].concat(), "image/png"),
        ("jpeg-html", "text/html", jpeg, "image/jpeg"),
        ("pdf-html", "text/html", text(&format!("%PDF-1.4\n{html}")), "application/pdf"),
        ("html-png", "image/png", text(&html), "text/html"),
        ("html-pdf", "application/pdf", text(&html), "text/html"),
        ("html-text", "text/plain", text(&html), "text/html"),
        ("html-space", "image/png", text(&format!("\n\t  {html}")), "text/html"),
        ("html-charset", "text/html; charset=utf-7", text("+ADw-script+AD4-"), "text/html"),
        ("script", "text/html", text(SCRIPT), "text/html"),
        ("svg", "image/png", text(&svg), "image/svg+xml"),
        ("svg-bom", "image/png", text(&format!("\u{feff}{svg}")), "image/svg+xml"),
        (
            "svg-xml",
            "text/plain",
            text(&format!("<?xml version='1.0'?><!-- x --><!DOCTYPE svg>{svg}")),
            "image/svg+xml",
        ),
        ("svg-late", "image/svg+xml", text(&format!("<!--{}-->{svg}", "x".repeat(5_000))), "image/svg+xml"),
        ("xhtml", "application/xhtml+xml", text("<html xmlns='http://www.w3.org/1999/xhtml'/>"), "text/html"),
        ("js", "application/javascript", text("alert(1)"), "application/javascript"),
        ("css", "text/css", text("@import url(//evil.example)"), "text/css"),
        ("hta", "application/hta", text("x"), "application/hta"),
        ("wasm", "application/wasm", b"\0asm\x01\0\0\0".to_vec(), "application/wasm"),
        ("swf", "image/png", b"CWS\x0a\x40\0\0\0x".to_vec(), "application/x-shockwave-flash"),
        ("mhtml", "multipart/related", text("MIME-Version: 1.0"), "multipart/related"),
        ("no type", "text/html\u{a0}x", b"\x01\x02\x03".to_vec(), "application/octet-stream"),
    ]
}

/// Types that are shown by browsers in place; all others are saved.
const SHOWN: [&str; 4] = ["image/gif", "image/png", "image/jpeg", "text/plain"];

fn assert_harmless(name: &str, headers: &HeaderMap, mime: &str) {
    assert_eq!(header(headers, "content-type"), mime, "{name}");
    assert_eq!(header(headers, "x-content-type-options"), "nosniff", "{name}");
    let policy = header(headers, "content-security-policy");
    assert!(policy.starts_with("sandbox; default-src 'none';") && !policy.contains("allow-"), "{name}: {policy}");
    assert!(!policy.contains("script-src"), "{name}: {policy}");
    let disposition = header(headers, "content-disposition");
    let kind = if SHOWN.contains(&mime) { "inline;" } else { "attachment;" };
    assert!(disposition.starts_with(kind), "{name}: {disposition}");
    assert_eq!(headers.get_all("content-type").iter().count(), 1, "{name}");
    assert_eq!(headers.get_all("content-security-policy").iter().count(), 1, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_two_things_at_once_run_nowhere() {
    let client = RecordingClient::admin().await;
    for (name, declared, content, mime) in polyglots() {
        let declared: String = declared.chars().filter(char::is_ascii).collect();
        let file_name = name.replace(' ', "-");
        let artifact = upload(&client, &file_name, &declared, &content).await;
        assert_eq!(artifact["mime"], mime, "{name}");
        let path = format!("/artifacts/{}", artifact["artifact"].as_str().expect("an id"));
        let link = client.raw("POST", &format!("{path}/links"), &[], Some(json!({"expires_in_s": 60}))).await;
        let link = link.string("/url").replace("http://localhost:8000", "!");
        let range = [("range", "bytes=0-1")];
        let sniffing = [("accept", "text/html"), ("sec-fetch-dest", "script")];
        for (method, path, headers) in [
            ("GET", &path, &[][..]),
            ("HEAD", &path, &[]),
            ("GET", &path, &range),
            ("GET", &path, &sniffing),
            ("GET", &link, &[]),
            ("HEAD", &link, &[]),
        ] {
            let (status, headers, body) = client.exchange(method, path, headers, Body::empty()).await;
            assert!(status.is_success(), "{name}: {method} {path}: {status}");
            assert_harmless(name, &headers, mime);
            assert!(content.starts_with(&body), "{name}: the content is served as it is");
        }
    }
}

fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut png = PNG.to_vec();
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    png
}

/// Inserts a chunk after the header of a PNG; its checksum is right.
fn png_with_chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let step = |crc: u32| (0..8).fold(crc, |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1)));
    let named = [&name[..], content].concat();
    let crc = !named.iter().fold(u32::MAX, |crc, byte| step(crc ^ u32::from(*byte)));
    [&PNG[..33], &(content.len() as u32).to_be_bytes(), &named, &crc.to_be_bytes(), &PNG[33..]].concat()
}

/// A stream of zlib that unpacks to zeros: blocks of 258 repetitions each, without a proper end.
fn packed_zeros() -> Vec<u8> {
    // The header; a block with fixed codes: the literal 0, then "repeat 258 times at distance 1" again and again.
    let mut bits = vec![1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0];
    for _ in 0..200_000 {
        // Length code 285 is 11000101; distance code 0 is 00000.
        bits.extend([1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    }
    let bytes = bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |all, bit| all << 1 | bit));
    [0x78, 0x9c].into_iter().chain(bytes).collect()
}

fn gif_of(screen: (u16, u16), frame: (u16, u16), frames: usize) -> Vec<u8> {
    let pair = |(width, height): (u16, u16)| [width.to_le_bytes(), height.to_le_bytes()].concat();
    let mut gif = [b"GIF89a", &pair(screen)[..], b"\x80\0\0\0\0\0\xff\xff\xff"].concat();
    for _ in 0..frames {
        gif.extend([b",\0\0\0\0", &pair(frame)[..], b"\0\x02\x02\x44\x01\0"].concat());
    }
    gif.push(b';');
    gif
}

fn webp_of(width: u32, height: u32) -> Vec<u8> {
    let size = |size: u32| (size - 1).to_le_bytes()[..3].to_vec();
    let canvas = [&b"VP8X\x0a\0\0\0\x02\0\0\0"[..], &size(width), &size(height)].concat();
    [b"RIFF", &((canvas.len() + 4) as u32).to_le_bytes()[..], b"WEBP", &canvas].concat()
}

fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
    let frame = [
        &b"\xff\xc0\0\x11\x08"[..],
        &height.to_be_bytes(),
        &width.to_be_bytes(),
        b"\x03\x01\x11\0\x02\x11\x01\x03\x11\x01",
    ];
    [b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0", &frame.concat()[..], b"\xff\xd9"].concat()
}

/// Whether a picture has a thumbnail.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Small {
    Made,
    Refused,
    /// Either is fine, as long as it takes bounded time and memory.
    Any,
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_claim_to_be_huge_are_measured_and_not_decoded() {
    let client = RecordingClient::admin().await;
    let zeros = packed_zeros();
    let idat = png_with_chunk(*b"IDAT", &zeros);
    let text = png_with_chunk(*b"zTXt", &[&b"a\0\0"[..], &zeros].concat());
    let profile = png_with_chunk(*b"iCCP", &[&b"a\0\0"[..], &zeros].concat());
    let animated = png_with_chunk(*b"acTL", &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    for (name, mime, content, dimensions, expected) in [
        ("png", "image/png", png_of(50_000, 50_000), Some((50_000, 50_000)), Small::Refused),
        ("png-wide", "image/png", png_of(u32::MAX >> 1, 1), Some((u32::MAX >> 1, 1)), Small::Refused),
        ("png-overflow", "image/png", png_of(u32::MAX, u32::MAX), Some((u32::MAX, u32::MAX)), Small::Refused),
        ("png-empty", "image/png", png_of(0, 0), None, Small::Refused),
        ("png-6k", "image/png", png_of(6_400, 6_400), Some((6_400, 6_400)), Small::Refused),
        ("png-cut", "image/png", PNG[..50].to_vec(), Some((2, 1)), Small::Refused),
        ("png-data", "image/png", idat, Some((2, 1)), Small::Any),
        ("png-text", "image/png", text, Some((2, 1)), Small::Any),
        ("png-profile", "image/png", profile, Some((2, 1)), Small::Any),
        ("png-frames", "image/png", animated, Some((2, 1)), Small::Any),
        ("gif", "image/gif", gif_of((50_000, 50_000), (50_000, 50_000), 1), Some((50_000, 50_000)), Small::Refused),
        ("gif-frame", "image/gif", gif_of((1, 1), (65_535, 65_535), 1), Some((1, 1)), Small::Any),
        ("gif-screen", "image/gif", gif_of((65_535, 65_535), (1, 1), 1), Some((65_535, 65_535)), Small::Refused),
        ("gif-frames", "image/gif", gif_of((1, 1), (1, 1), 100_000), Some((1, 1)), Small::Made),
        ("gif-cut", "image/gif", gif_of((9, 9), (9, 9), 1)[..20].to_vec(), Some((9, 9)), Small::Refused),
        ("webp", "image/webp", webp_of(50_000, 50_000), Some((50_000, 50_000)), Small::Refused),
        ("webp-most", "image/webp", webp_of(1 << 24, 1 << 24), Some((1 << 24, 1 << 24)), Small::Refused),
        ("jpeg", "image/jpeg", jpeg_of(65_500, 65_500), Some((65_500, 65_500)), Small::Refused),
        ("jpeg-empty", "image/jpeg", jpeg_of(0, 0), None, Small::Refused),
    ] {
        let begun = Instant::now();
        let artifact = upload(&client, name, "application/octet-stream", &content).await;
        assert_eq!(artifact["mime"], mime, "{name}");
        let shown = dimensions.map(|(width, height)| (json!(width), json!(height)));
        let (width, height) = shown.unwrap_or((Value::Null, Value::Null));
        assert_eq!((&artifact["width"], &artifact["height"]), (&width, &height), "{name}: {artifact}");
        let path = format!("/artifacts/{}?w=320", artifact["artifact"].as_str().expect("an id"));
        let (status, _, reply) = client.exchange("GET", &path, &[], Body::empty()).await;
        let found = if status == StatusCode::OK { Small::Made } else { Small::Refused };
        let reply = String::from_utf8_lossy(&reply);
        assert!(expected == Small::Any || found == expected, "{name}: {status} {reply}");
        if found == Small::Refused {
            assert!(
                status == StatusCode::UNPROCESSABLE_ENTITY && reply.contains("no_thumbnail"),
                "{name}: {status} {reply}"
            );
        }
        assert!(begun.elapsed() < MAX_TIME, "{name}: {:?}", begun.elapsed());
    }
}
