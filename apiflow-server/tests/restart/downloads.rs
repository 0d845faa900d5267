//! A server that is killed in the middle of a download: the download is repeated, and the submit is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fake_providers::{Behaviour, Replicate};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::process::{Server, declare, is_final, schema};

/// The file that is downloaded.
const CONTENT: &[u8] = b"the whole file";

/// A server of files that sends only a part of the first one that it is asked for.
async fn serve_files() -> (String, Arc<Notify>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/a.bin", listener.local_addr().expect("an address"));
    let (begun, count) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (told, counted) = (begun.clone(), count.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let is_first = counted.fetch_add(1, Ordering::Relaxed) == 0;
            let told = told.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _read = stream.read(&mut request).await;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", CONTENT.len());
                let sent = if is_first { &CONTENT[..4] } else { CONTENT };
                let _written = stream.write_all(&[head.as_bytes(), sent].concat()).await;
                told.notify_one();
                if is_first {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (url, begun, count)
}

async fn killed_while_downloading(database: Option<&str>) {
    let (url, begun, count) = serve_files().await;
    let behaviour = Behaviour { delay_ms: 100, output: Some(json!(url)), ..Behaviour::default() };
    let provider = Replicate::start(behaviour).await.expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::start(folder.path(), database, &provider).await;
    declare(&server, &provider, json!({})).await;
    let node = json!({"id": "draw", "name": "Draw", "connector_id": "replicate_connector_id", "data": {
        "path": "/models/black-forest-labs/flux-schnell/predictions", "body": {"input": "{{ input }}"},
        "operation": "replicate"}, "output": [{"name": "made", "type": "file", "mapping": "output"}]});
    server.send("POST", "/nodes", Some(node)).await;
    let job = server.send("POST", "/node/draw/run", Some(json!({"input": {"prompt": "p"}}))).await;
    let job = job["id"].as_str().expect("an id").to_owned();
    tokio::time::timeout(Duration::from_mins(1), begun.notified()).await.expect("the download begins");
    let token = server.token.clone();
    server.kill();
    let server = Server::start_again(folder.path(), database, &provider, token);
    let ended = server.job_where(&job, is_final).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let made = &ended["output"]["made"];
    assert!(made["artifact"].is_string() && made["size_bytes"] == json!(CONTENT.len()), "{ended}");
    assert_eq!((provider.creates().len(), count.load(Ordering::Relaxed)), (1, 2), "one create, two downloads");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_a_kill_cut_off_is_repeated() {
    killed_while_downloading(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_too_a_download_that_a_kill_cut_off_is_repeated() {
    let Some(database) = schema("downloads").await else { return };
    killed_while_downloading(Some(&database)).await;
}
