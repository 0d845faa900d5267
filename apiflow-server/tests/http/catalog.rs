//! The catalog for editors, and the compression of replies.

use apiflow_server::settings::WebSettings;
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::recording_client::{RecordingClient, Reply};

async fn read_catalog(client: &RecordingClient, headers: &[(&str, &str)]) -> Reply {
    client.raw("GET", "/catalog", headers, None).await
}

async fn shows_signatures_and_changes_with_every_save(client: RecordingClient) {
    let empty = read_catalog(&client, &[]).await;
    assert_eq!(empty.json(), json!({"connectors": {}, "nodes": {}, "workflows": {}, "names": {}}));
    let save = async |path: &str, body: Value| {
        let reply = client.raw("PUT", path, &[], Some(body)).await;
        assert!(reply.status.is_success(), "{}", reply.text);
    };
    let call = json!({"price": {"currency": "USD", "per_call": "0.1"}, "path": "/hat"});
    save("/connectors/c", json!({"name": "C", "base_url": "https://c.example", "header": {"x": "y"}})).await;
    let output = json!([{"name": "image", "type": "image", "mapping": "url"}]);
    save("/nodes/n", json!({"name": "N", "connector_id": "c", "output": output, "data": call})).await;
    let module = json!({"id": "a", "mock": {"enabled": false, "return_value": "x".repeat(5_000)},
        "value": {"type": "identity"}});
    save("/workflows/w", json!({"name": "W", "nodes": {"summary": "s", "value": {"modules": [module]}}})).await;

    let reply = read_catalog(&client, &[]).await;
    let catalog = reply.json();
    let connector = json!({"id": "c", "name": "C", "base_url": "https://c.example", "method": "POST"});
    assert_eq!(catalog["connectors"], json!({ "c": connector }));
    let node = &catalog["nodes"]["n"];
    assert_eq!((&node["output"][0]["name"], &node["price"]["per_call"]), (&json!("image"), &json!("0.1")), "{node}");
    assert_eq!(node["data"], Value::Null, "calls are not part of a signature");
    assert_eq!(
        catalog["workflows"]["w"]["value"]["modules"][0]["mock"],
        json!({"enabled": false, "return_value": null})
    );
    assert_eq!(catalog["names"], json!({"w": "W"}));

    let etag = reply.header("etag");
    assert!(etag.starts_with('"') && reply.header("cache-control") == "private, no-cache", "{etag}");
    let known = read_catalog(&client, &[("if-none-match", &format!("\"other\", {etag}"))]).await;
    assert_eq!((known.status, known.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(known.header("etag"), etag);
    save("/nodes/n", json!({"name": "Renamed", "connector_id": "c"})).await;
    let changed = read_catalog(&client, &[("if-none-match", &etag)]).await;
    assert_eq!((changed.status, changed.string("/nodes/n/name").as_str()), (StatusCode::OK, "Renamed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_shows_signatures_and_changes_with_every_save() {
    shows_signatures_and_changes_with_every_save(RecordingClient::admin().await).await;
    let Some(client) = RecordingClient::on_postgres().await else { return };
    shows_signatures_and_changes_with_every_save(client).await;
}

#[tokio::test]
async fn a_catalog_is_for_users_only() {
    let client = RecordingClient::new().await;
    assert_eq!(read_catalog(&client, &[]).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_replies_are_compressed_as_the_caller_accepts() {
    let mut client = RecordingClient::with(WebSettings::default(), "").await;
    client.log_in("admin", "admin").await;
    let connector = json!({"name": "c".repeat(2_000), "base_url": "https://c.example"});
    assert!(client.raw("PUT", "/connectors/c", &[], Some(connector)).await.status.is_success());
    let read = async |path: &str, accepted: &str| {
        let (_, headers, body) = client.exchange("GET", path, &[("accept-encoding", accepted)], Body::empty()).await;
        let shown = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        (shown("content-encoding"), shown("vary"), body)
    };
    for (accepted, used, start) in [
        ("gzip", "gzip", &[0x1f, 0x8b][..]),
        ("zstd", "zstd", &[0x28, 0xb5, 0x2f, 0xfd]),
        ("br;q=0.9, gzip;q=0.1", "br", &[]),
        ("identity", "", b"{\"id\":\"c\""),
    ] {
        let (encoding, vary, body) = read("/connectors/c", accepted).await;
        assert_eq!(encoding, used, "{accepted}");
        assert!(vary.to_ascii_lowercase().contains("accept-encoding"), "{accepted}: {vary}");
        assert!(body.starts_with(start), "{accepted}");
        assert_eq!(body.len() < 1_000, !used.is_empty(), "{accepted}: {} bytes", body.len());
    }
    let (encoding, _, _) = read("/user", "gzip, br, zstd").await;
    assert_eq!(encoding, "", "a short reply is not compressed");
}
