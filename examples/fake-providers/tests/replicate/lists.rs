//! The list of predictions.

use serde_json::{Value, json};

use crate::bench::Bench;

/// Follows an absolute link and returns the page.
async fn follow(bench: &Bench, link: &Value) -> Value {
    let link = link.as_str().expect("a link is a text");
    let path = link.strip_prefix(&bench.replicate.base_url()).expect("a link stays on the host that was called");
    bench.get(path).await.json()
}

fn ids(page: &Value) -> Vec<Value> {
    page["results"].as_array().expect("a page has results").iter().map(|object| object["id"].clone()).collect()
}

#[tokio::test]
async fn pages_are_newest_first_and_new_predictions_do_not_shift_them() {
    let bench = Bench::start(json!({"page_size": 2})).await;
    let mut newest_first = Vec::new();
    for _ in 0..5 {
        newest_first.insert(0, bench.create(&[]).await.json()["id"].clone());
    }
    let first = bench.get("/predictions").await.json();
    assert_eq!((ids(&first), &first["previous"]), (newest_first[..2].to_vec(), &Value::Null));
    let newcomer = bench.create(&[]).await.json()["id"].clone();
    let second = follow(&bench, &first["next"]).await;
    assert_eq!(ids(&second), newest_first[2..4]);
    let third = follow(&bench, &second["next"]).await;
    assert_eq!((ids(&third), &third["next"]), (newest_first[4..].to_vec(), &Value::Null));
    let back = follow(&bench, &second["previous"]).await;
    assert_eq!(ids(&back), newest_first[..2]);
    assert_eq!(ids(&follow(&bench, &back["previous"]).await)[0], newcomer);
    assert_eq!(bench.get("/predictions?cursor=nonsense").await.status, 400);
}

#[tokio::test]
async fn an_entry_tells_what_recovery_needs() {
    let bench = Bench::start(json!({"delay_ms": 0})).await;
    let created = bench.create(&[]).await.json();
    let entry = bench.get("/predictions").await.json()["results"][0].clone();
    for field in ["id", "model", "version", "input", "created_at", "urls", "source"] {
        assert_eq!(entry[field], created[field], "{field}");
    }
    assert_eq!(entry["status"], "succeeded");
    assert_eq!(entry.get("logs"), None);
}

#[tokio::test]
async fn the_list_can_be_cut_by_time_and_source() {
    let bench = Bench::start(json!({})).await;
    let created = bench.create(&[]).await.json();
    let at = created["created_at"].as_str().expect("a time is a text");
    let count = async |query: &str| ids(&bench.get(&format!("/predictions?{query}")).await.json()).len();
    assert_eq!(count(&format!("created_after={at}")).await, 1);
    assert_eq!(count(&format!("created_before={at}")).await, 0);
    assert_eq!(count("created_after=2001-01-01&created_before=2999-01-01").await, 1);
    assert_eq!(count("created_after=2999-01-01T00:00:00Z").await, 0);
    assert_eq!(count("source=web").await, 0);
    assert_eq!(bench.get("/predictions?created_after=soon").await.status, 400);
}
