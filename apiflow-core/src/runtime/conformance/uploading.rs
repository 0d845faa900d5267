//! Files that were uploaded to providers.

use super::fixtures::Subject;
use crate::ports::{StoredUpload, Timestamp};

super::list_cases![an_upload_is_found_until_it_expires, a_later_upload_replaces_an_earlier_one,];

/// Far in the future of any clock under test: the year 2150.
const LATER: Timestamp = Timestamp(5_680_281_600_000);

async fn found(store: &Subject, key: &str) -> Option<(String, Timestamp)> {
    let upload = store.find_upload(key).await.expect("an upload is read");
    upload.map(|upload| (upload.value, upload.expires_at))
}

async fn record(store: &Subject, key: &str, value: &str, expires_at: Timestamp) {
    let upload = StoredUpload { key: key.to_owned(), value: value.to_owned(), expires_at };
    store.record_upload(upload).await.expect("an upload is noted");
}

async fn an_upload_is_found_until_it_expires(store: Subject) {
    assert_eq!(found(&store, "one").await, None);
    record(&store, "one", "https://files/1", LATER).await;
    record(&store, "over", "https://files/2", Timestamp(1_000)).await;
    assert_eq!(found(&store, "one").await, Some(("https://files/1".to_owned(), LATER)));
    assert_eq!(found(&store, "over").await, None);
    assert_eq!(found(&store, "other").await, None);
}

async fn a_later_upload_replaces_an_earlier_one(store: Subject) {
    record(&store, "one", "https://files/1", LATER).await;
    record(&store, "one", "https://files/2", LATER.plus_ms(1)).await;
    assert_eq!(found(&store, "one").await, Some(("https://files/2".to_owned(), LATER.plus_ms(1))));
}
