//! Artifacts over HTTP: uploads, ranges, links, and what they may do in a browser.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::recording_client::RecordingClient;

/// A PNG of 2 by 1 pixels.
pub(crate) const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x02, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x7b, 0x40, 0xe8, 0xdd, 0x00, 0x00, 0x00, 0x0d, 0x49,
    0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xf8, 0xcf, 0x00, 0x04, 0xff, 0x01, 0x07, 0x00, 0x01, 0xff, 0x3d, 0x7d, 0x8c,
    0x49, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

async fn upload(client: &RecordingClient, name: &str, mime: &str, content: &[u8]) -> Value {
    let headers = [("content-type", mime)];
    let (status, headers, reply) =
        client.exchange("PUT", &format!("/artifacts?name={name}"), &headers, Body::from(content.to_vec())).await;
    let reply: Value = serde_json::from_slice(&reply).expect("the reply is JSON");
    assert_eq!(status, StatusCode::CREATED, "{reply}");
    let id = reply["artifact"].as_str().expect("an id");
    assert_eq!(header(&headers, "location"), format!("/api/v1/artifacts/{id}"));
    reply
}

fn id_of(artifact: &Value) -> &str {
    artifact["artifact"].as_str().expect("an id")
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn get(client: &RecordingClient, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    client.exchange("GET", path, headers, Body::empty()).await
}

async fn status_of(client: &RecordingClient, method: &str, path: &str) -> StatusCode {
    client.exchange(method, path, &[], Body::empty()).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_read_back_in_whole_and_in_parts() {
    let client = RecordingClient::admin().await;
    let artifact = upload(&client, "fox.png", "application/octet-stream", PNG).await;
    let shown = json!({"mime": "image/png", "size_bytes": PNG.len(), "name": "fox.png", "width": 2, "height": 1});
    for (name, value) in shown.as_object().expect("fields") {
        assert_eq!(artifact[name], *value, "{name}");
    }
    let path = format!("/artifacts/{}", id_of(&artifact));
    assert_eq!(artifact["url"], format!("http://localhost:8000/api/v1{path}"));
    let (status, headers, content) = get(&client, &path, &[]).await;
    assert_eq!((status, content.as_slice()), (StatusCode::OK, PNG));
    let etag = format!("\"{}\"", artifact["sha256"].as_str().expect("a digest"));
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-length", &PNG.len().to_string()),
        ("content-disposition", "inline; filename=\"fox.png\""),
        ("etag", &etag),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "private, no-cache"),
    ] {
        assert_eq!(header(&headers, name), value, "{name}");
    }
    let (status, headers, content) = get(&client, &path, &[("range", "bytes=1-3")]).await;
    assert_eq!((status, content.as_slice()), (StatusCode::PARTIAL_CONTENT, &PNG[1..4]));
    assert_eq!(header(&headers, "content-range"), format!("bytes 1-3/{}", PNG.len()));
    assert_eq!(header(&headers, "content-length"), "3");
    let (status, headers, _) = get(&client, &path, &[("range", "bytes=999-")]).await;
    assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&headers, "content-range"), format!("bytes */{}", PNG.len()));
    let (status, _, content) = get(&client, &path, &[("if-none-match", &etag)]).await;
    assert_eq!((status, content.len()), (StatusCode::NOT_MODIFIED, 0));
    let (status, headers, content) = client.exchange("HEAD", &path, &[], Body::empty()).await;
    assert_eq!((status, content.len()), (StatusCode::OK, 0));
    assert_eq!(header(&headers, "content-length"), PNG.len().to_string());
    let (_, headers, _) = get(&client, &format!("{path}?download=true"), &[]).await;
    assert_eq!(header(&headers, "content-disposition"), "attachment; filename=\"fox.png\"");
    assert_eq!(status_of(&client, "DELETE", &path).await, StatusCode::NO_CONTENT);
    for method in ["GET", "DELETE", "HEAD"] {
        assert_eq!(status_of(&client, method, &path).await, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn active_content_is_sandboxed_and_not_shown() {
    let client = RecordingClient::admin().await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>fetch('/api/v1/user')</script></svg>";
    let html = b"<!DOCTYPE html><script>alert(1)</script>";
    for (content, sent, mime) in [
        (svg.as_slice(), "image/png", "image/svg+xml"),
        (html, "image/png", "text/html"),
        (html, "text/plain", "text/html"),
        (b"\x01\x02", "text/html", "application/octet-stream"),
    ] {
        let artifact = upload(&client, "..%2F..%2Fa%22b.html", sent, content).await;
        assert_eq!((artifact["mime"].as_str(), artifact["name"].as_str()), (Some(mime), Some("a\"b.html")));
        let (_, headers, _) = get(&client, &format!("/artifacts/{}", id_of(&artifact)), &[]).await;
        assert_eq!(header(&headers, "content-type"), mime);
        assert!(header(&headers, "content-security-policy").starts_with("sandbox; default-src 'none';"));
        assert_eq!(header(&headers, "x-content-type-options"), "nosniff");
        let disposition = header(&headers, "content-disposition");
        assert!(disposition.starts_with("attachment; filename=\"a_b.html\";"), "{disposition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_admins_and_holders_of_links_read_an_artifact() {
    let mut client = RecordingClient::admin().await;
    let admins = upload(&client, "a", "text/plain", b"of the admin").await;
    client.as_new_user("ada").await;
    let own = upload(&client, "b", "text/plain", b"of ada").await;
    let paths = [&admins, &own].map(|artifact| format!("/artifacts/{}", id_of(artifact)));
    for method in ["GET", "DELETE"] {
        assert_eq!(status_of(&client, method, &paths[0]).await, StatusCode::NOT_FOUND);
    }
    assert_eq!(status_of(&client, "GET", &format!("{}/info", paths[0])).await, StatusCode::NOT_FOUND);
    let listed = client.raw("GET", "/artifacts?type=file", &[], None).await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    let refused = client.raw("POST", &format!("{}/links", paths[0]), &[], Some(json!({}))).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let link = client.raw("POST", &format!("{}/links", paths[1]), &[], Some(json!({"expires_in_s": 60}))).await;
    assert_eq!(link.status, StatusCode::CREATED, "{}", link.text);
    let link = link.string("/url").replace("http://localhost:8000", "!");
    let short = client.raw("POST", &format!("{}/links", paths[1]), &[], Some(json!({"expires_in_s": 0}))).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);

    client.token(None);
    assert_eq!(get(&client, &paths[1], &[]).await.0, StatusCode::UNAUTHORIZED);
    let (status, headers, content) = get(&client, &link, &[("range", "bytes=0-1")]).await;
    assert_eq!((status, content.as_slice()), (StatusCode::PARTIAL_CONTENT, b"of".as_slice()));
    assert_eq!(header(&headers, "cross-origin-resource-policy"), "cross-origin");
    let forged = [
        link.replace("expires=", "expires=9"),
        link.replace(id_of(&own), id_of(&admins)),
        format!("{}&x=1", &link[..link.len() - 1]),
    ];
    for path in forged {
        let (status, _, reply) = get(&client, &path, &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(String::from_utf8_lossy(&reply).contains("invalid or has expired"));
    }
    let expired = link.split("expires=").next().map(|start| format!("{start}expires=1&signature=AAAA"));
    assert_eq!(get(&client, &expired.expect("a link")[..], &[]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(status_of(&client, "DELETE", &link).await, StatusCode::UNAUTHORIZED, "a link is for reading");

    client.log_in("admin", "admin").await;
    assert_eq!(get(&client, &paths[1], &[]).await.2, b"of ada");
    assert_eq!(client.raw("GET", "/artifacts", &[], None).await.json()["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_uploads_its_files() {
    let client = RecordingClient::admin().await;
    let form = |fields: &[(&str, &[u8])]| {
        let parts = fields.iter().map(|(head, content)| {
            [b"--x\r\nContent-Disposition: form-data; ", head.as_bytes(), b"\r\n\r\n", content, b"\r\n"].concat()
        });
        [parts.collect::<Vec<_>>().concat(), b"--x--\r\n".to_vec()].concat()
    };
    let send = async |body: Vec<u8>| {
        let headers = [("content-type", "multipart/form-data; boundary=x")];
        let (status, _, reply) = client.exchange("POST", "/artifacts", &headers, Body::from(body)).await;
        (status, serde_json::from_slice::<Value>(&reply).expect("JSON"))
    };
    let large = vec![7; 3 << 20];
    let files: [(&str, &[u8]); 2] = [
        ("name=\"a\"; filename=\"fox.png\"\r\nContent-Type: image/jpeg", PNG),
        ("name=\"b\"; filename=\"large.bin\"", &large),
    ];
    let (status, reply) = send(form(&files)).await;
    assert_eq!(status, StatusCode::CREATED, "{reply}");
    let facts = |index: usize| {
        let item = &reply["items"][index];
        (item["name"].clone(), item["mime"].clone(), item["size_bytes"].clone())
    };
    assert_eq!(facts(0), (json!("fox.png"), json!("image/png"), json!(PNG.len())));
    assert_eq!(facts(1), (json!("large.bin"), json!("application/octet-stream"), json!(3 << 20)));
    for body in [form(&[("name=\"a\"", b"text")]), form(&[]), b"--x\r\nnonsense".to_vec()] {
        assert_eq!(send(body).await.0, StatusCode::BAD_REQUEST);
    }
    let huge = vec![7; 13 << 20];
    let (status, reply) = send(form(&[("name=\"a\"; filename=\"f\"", &huge)])).await;
    assert_eq!((status, &reply["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_large")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_over_the_quota_leaves_nothing_behind() {
    let client = RecordingClient::admin().await;
    let send = async |size: usize, seed: u8| {
        let parts = (0..size >> 20).map(move |_| Ok::<_, std::io::Error>(Bytes::from(vec![seed; 1 << 20])));
        let body = Body::from_stream(futures_util::stream::iter(parts));
        let (status, _, reply) = client.exchange("POST", "/artifacts", &[], body).await;
        (status, serde_json::from_slice::<Value>(&reply).expect("JSON")["code"].as_str().map(str::to_owned))
    };
    let refused = |code: &str| (StatusCode::PAYLOAD_TOO_LARGE, Some(code.to_owned()));
    assert_eq!(send(13 << 20, 1).await, refused("too_large"), "bodies larger than those of JSON are accepted");
    let declared = [("content-length", "99999999999")];
    assert_eq!(client.exchange("PUT", "/artifacts", &declared, Body::empty()).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    for seed in 1..=2 {
        assert_eq!(send(12 << 20, seed).await, (StatusCode::CREATED, None));
    }
    assert_eq!(send(12 << 20, 3).await, refused("over_quota"));
    assert_eq!(send(6 << 20, 3).await, (StatusCode::CREATED, None));
    let usage = client.artifacts.records().read_usage(None).await.expect("usage is read");
    assert_eq!((usage.artifacts, usage.blob_bytes), (3, 30 << 20));
    let collected = client.artifacts.collect_garbage(std::time::Duration::ZERO).await.expect("it works");
    assert_eq!(collected.files, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn thumbnails_are_made_of_images_only() {
    let client = RecordingClient::admin().await;
    let image = upload(&client, "a.png", "image/png", PNG).await;
    let path = format!("/artifacts/{}", id_of(&image));
    let (status, first, made) = get(&client, &format!("{path}?w=300"), &[]).await;
    assert_eq!((status, header(&first, "content-type")), (StatusCode::OK, "image/jpeg"));
    assert!(header(&first, "content-security-policy").starts_with("sandbox;"));
    let (_, again, kept) = get(&client, &format!("{path}?w=320"), &[]).await;
    assert_eq!((kept, header(&again, "etag")), (made, header(&first, "etag")), "widths are rounded up");
    let cached = [("if-none-match", header(&first, "etag"))];
    assert_eq!(get(&client, &format!("{path}?w=320"), &cached).await.0, StatusCode::NOT_MODIFIED);
    for width in ["0", "1281", "-1", "x"] {
        assert_eq!(get(&client, &format!("{path}?w={width}"), &[]).await.0, StatusCode::BAD_REQUEST, "{width}");
    }
    let mut bomb = PNG.to_vec();
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>";
    for (content, reason) in [(bomb.as_slice(), "pixels"), (&PNG[..45], "cannot be decoded"), (svg, "image/svg+xml")] {
        let artifact = upload(&client, "a", "image/png", content).await;
        let (status, _, reply) = get(&client, &format!("/artifacts/{}?w=320", id_of(&artifact)), &[]).await;
        let reply = String::from_utf8_lossy(&reply);
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{reply}");
        assert!(reply.contains(reason) && reply.contains("no_thumbnail"), "{reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn media_in_the_input_of_a_run_becomes_artifacts() {
    let mut client = RecordingClient::admin().await;
    let other = upload(&client, "a", "text/plain", b"of the admin").await;
    client.as_new_user("ada").await;
    let own = upload(&client, "b", "image/png", PNG).await;
    let code = json!({"type": "identity", "input_transforms": {}});
    let document = json!({"summary": "media", "value": {"modules": [{"id": "a", "value": code}]}});
    let run = async |input: Value| {
        client.raw("POST", "/workflows/run", &[], Some(json!({"document": document, "input": input}))).await
    };
    let large = "A".repeat(12 * 1024);
    let small = "data:image/png;base64,AAAA";
    let reply = run(json!({
        "deep": [{"image": format!("data:image/x-test;base64,{large}")}], "small": small,
        "object": {"artifact": own["artifact"]}, "url": own["url"],
    }))
    .await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
    let job = reply.json();
    let image = &job["input"]["deep"][0]["image"];
    assert_eq!((&image["mime"], &image["size_bytes"]), (&json!("image/x-test"), &json!(9 * 1024)));
    assert_eq!(job["input"]["small"], small);
    assert_eq!(job["input"]["object"], own, "the object is completed");
    assert_eq!(job["input"]["url"], own["url"]);
    let path = format!("/artifacts?job={}", job["id"].as_str().expect("an id"));
    let used = client.raw("GET", &path, &[], None).await.json();
    assert_eq!(used["items"].as_array().map(Vec::len), Some(2), "{used}");
    for (input, pointer) in [
        (json!({"x": [{"artifact": other["artifact"]}]}), "/input/x/0"),
        (json!({"y": other["url"]}), "/input/y"),
        (json!({"y": {"artifact": "missing"}}), "/input/y"),
        (json!({"a/b": format!("data:image/png;base64,!{large}")}), "/input/a~1b"),
    ] {
        let reply = run(input).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reply.text);
        assert_eq!(reply.json()["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_fetched_once_and_only_from_permitted_hosts() {
    let client = RecordingClient::admin().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let host = format!("http://{}", listener.local_addr().expect("the port is known"));
    let files = axum::Router::new().route("/a/fox.png", axum::routing::get(|| async { PNG }));
    let server = tokio::spawn(async move { axum::serve(listener, files).await });
    let fetch = async |url: &str| client.raw("POST", "/artifacts/fetch", &[], Some(json!({"url": url}))).await;
    let first = fetch(&format!("{host}/a/fox.png?x=1")).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    let artifact = first.json();
    assert_eq!(
        (&artifact["mime"], &artifact["name"], &artifact["width"]),
        (&json!("image/png"), &json!("fox.png"), &json!(2))
    );
    let missing = fetch(&format!("{host}/none.png")).await;
    assert_eq!(
        (missing.status, missing.string("/errors/0/pointer").as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "/url")
    );
    for url in ["http://10.1.2.3/x.png", "file:///etc/passwd", "nonsense"] {
        let refused = fetch(url).await;
        assert!(refused.status.is_client_error(), "{url}: {}", refused.text);
    }
    server.abort();
    let again = fetch(&format!("{host}/a/fox.png?x=1")).await;
    assert_eq!(again.json()["artifact"], artifact["artifact"], "{}", again.text);
    let gone = fetch(&format!("{host}/a/fox.png?x=2")).await;
    assert_eq!(gone.status, StatusCode::BAD_GATEWAY, "{}", gone.text);
}
