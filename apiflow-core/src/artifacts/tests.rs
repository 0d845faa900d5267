//! The store of artifacts in a real folder and in memory.

use std::sync::Mutex;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::*;
use crate::ports::{ArtifactFilter, Provenance, Timestamp};
use crate::value_type::ValueType;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x06\0\0\0";

/// A clock that is set by hand.
struct SetClock(Mutex<Timestamp>);

#[async_trait]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no test panics while it holds it")
    }

    async fn sleep_until(&self, _: Timestamp) {}
}

fn new_clock() -> Arc<dyn Clock> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a year after 1970");
    Arc::new(SetClock(Mutex::new(Timestamp(now.as_millis() as i64))))
}

fn new_artifact(id: &str, value_type: ValueType) -> NewArtifact {
    NewArtifact {
        id: id.to_owned(),
        value_type,
        mime: None,
        name: Some("fox.png".to_owned()),
        owner: Some("ann".to_owned()),
        provenance: None,
    }
}

fn bytes_of(parts: &[&[u8]]) -> ByteStream {
    let parts: Vec<Result<Bytes, HttpError>> = parts.iter().map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    Box::pin(stream::iter(parts))
}

async fn put(store: &StoredArtifacts, id: &str, content: &[u8]) -> Result<Artifact, ArtifactError> {
    store.put(new_artifact(id, ValueType::File), bytes_of(&[content])).await
}

async fn read(store: &StoredArtifacts, id: &str, range: Option<Range<u64>>) -> Vec<u8> {
    let reader = store.get(id, range).await.expect("it is opened");
    let parts: Vec<Bytes> = reader.bytes.try_collect().await.expect("it is read to its end");
    parts.concat()
}

async fn in_folder(folder: &Path) -> StoredArtifacts {
    let records = Arc::new(LocalRecords::open_folder(folder).await.expect("records are read"));
    let settings = ArtifactSettings::new("https://a.example/api/v1/artifacts/");
    StoredArtifacts::in_folder(folder, records, new_clock(), settings).expect("a folder is opened")
}

/// All files below a folder.
fn list_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { list_files(&path) } else { vec![path] }).collect()
}

fn count_blobs(folder: &Path) -> usize {
    list_files(&folder.join(BLOBS)).len()
}

#[tokio::test]
async fn what_was_stored_is_read_back_also_after_opening_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = in_folder(folder.path()).await;
    let parts = [&PNG[..5], &[], &PNG[5..]];
    let stored = store.put(new_artifact("a", ValueType::Image), bytes_of(&parts)).await.expect("it is stored");
    let expected = Artifact {
        id: "a".to_owned(),
        url: "https://a.example/api/v1/artifacts/a".to_owned(),
        mime: "image/png".to_owned(),
        size_bytes: PNG.len() as u64,
        sha256: crate::digest::hash_bytes(PNG),
        name: Some("fox.png".to_owned()),
        width: Some(2),
        height: Some(3),
        duration_s: None,
    };
    assert_eq!(stored, expected);
    drop(store);
    let store = in_folder(folder.path()).await;
    assert_eq!(store.stat("a").await, Ok(Some(expected)));
    assert_eq!(read(&store, "a", None).await, PNG);
    assert_eq!(read(&store, "a", Some(4..8)).await, &PNG[4..8]);
    assert_eq!(read(&store, "a", Some(20..1_000_000)).await, &PNG[20..]);
    for empty in [PNG.len() as u64..100, 500..600, 3..3] {
        assert_eq!(read(&store, "a", Some(empty)).await, b"");
    }
    for (url, expected) in [
        ("https://a.example/api/v1/artifacts/a", Some("a")),
        ("https://a.example/api/v1/artifacts/a?expires=1&signature=x", Some("a")),
        ("https://a.example/api/v1/artifacts/", None),
        ("https://a.example/api/v1/artifacts/a/info", None),
        ("https://b.example/api/v1/artifacts/a", None),
    ] {
        assert_eq!(store.id_of_url(url).as_deref(), expected, "{url}");
    }
    assert_eq!(store.stat("b").await, Ok(None));
    assert!(matches!(store.get("b", None).await.err(), Some(ArtifactError::NotFound { id }) if id == "b"));
}

#[tokio::test]
async fn content_of_many_parts_is_read_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = in_folder(folder.path()).await;
    let content: Vec<u8> =
        (0..20 * 1024 * 1024_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let chunks: Vec<&[u8]> = content.chunks(700_001).collect();
    let stored = store.put(new_artifact("a", ValueType::File), bytes_of(&chunks)).await.expect("it is stored");
    assert_eq!((stored.size_bytes, stored.sha256), (content.len() as u64, crate::digest::hash_bytes(&content)));
    assert!(read(&store, "a", None).await == content);
    assert_eq!(count_blobs(folder.path()), 1);
}

#[tokio::test]
async fn equal_contents_are_stored_once_and_deleted_with_the_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = in_folder(folder.path()).await;
    for id in ["a", "b"] {
        put(&store, id, PNG).await.expect("it is stored");
    }
    assert_eq!(count_blobs(folder.path()), 1);
    let usage = store.records().read_usage(None).await.expect("usage is read");
    assert_eq!((usage.artifacts, usage.blobs), (2, 1));
    assert_eq!(store.delete("a").await, Ok(true));
    assert_eq!(read(&store, "b", None).await, PNG);
    assert_eq!(store.delete("b").await, Ok(true));
    assert_eq!(store.delete("b").await, Ok(false));
    assert_eq!(list_files(folder.path()), Vec::<PathBuf>::new(), "nothing is left");
}

#[tokio::test]
async fn storing_again_returns_the_first_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = in_folder(folder.path()).await;
    let first = put(&store, "a", PNG).await.expect("it is stored");
    assert_eq!(put(&store, "a", b"something else").await, Ok(first));
    assert_eq!(count_blobs(folder.path()), 1);
}

#[tokio::test]
async fn what_is_refused_or_breaks_off_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let records: Arc<dyn ArtifactRecords> = Arc::new(LocalRecords::default());
    let settings = ArtifactSettings {
        max_artifact_bytes: 10 * 1024 * 1024,
        quota_bytes: Some(100),
        ..ArtifactSettings::new("memory:")
    };
    let store = StoredArtifacts::in_folder(folder.path(), records, new_clock(), settings).expect("a folder is opened");
    let wrong = store.put(new_artifact("a", ValueType::Image), bytes_of(&[b"<html>"])).await;
    assert_eq!(wrong, Err(ArtifactError::WrongType { wanted: "an image".to_owned(), found: "text/html".to_owned() }));
    let large = vec![1; 11 * 1024 * 1024];
    assert_eq!(put(&store, "a", &large).await, Err(ArtifactError::TooLarge { limit_bytes: 10 * 1024 * 1024 }));
    let over = ArtifactError::OverQuota { user: "ann".to_owned(), quota_bytes: 100 };
    assert_eq!(put(&store, "a", &[1; 101]).await, Err(over.clone()));
    let lost = HttpError::Unknown("the connection was lost".to_owned());
    for size in [10, 9 * 1024 * 1024] {
        let parts = [Ok(Bytes::from(vec![1; size])), Err(lost.clone())];
        let cut = store.put(new_artifact("a", ValueType::File), Box::pin(stream::iter(parts))).await;
        assert_eq!(cut, Err(ArtifactError::Source(lost.clone())));
    }
    assert_eq!(count_blobs(folder.path()), 0);
    put(&store, "a", &[1; 100]).await.expect("what fits is stored");
    assert_eq!(put(&store, "b", &[1]).await, Err(over));
    assert_eq!(count_blobs(folder.path()), 1);
}

#[tokio::test]
async fn a_dropped_upload_and_a_file_without_a_record_are_collected() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = in_folder(folder.path()).await;
    put(&store, "a", PNG).await.expect("it is stored");
    let orphan = folder.path().join(BLOBS).join("00");
    std::fs::create_dir_all(&orphan).expect("a folder is created");
    std::fs::write(orphan.join("orphan"), b"12345").expect("a file is written");
    std::fs::write(orphan.join("unfinished#1"), b"123").expect("a file is written");
    let young = store.collect_garbage(Duration::from_hours(1)).await.expect("garbage is collected");
    assert_eq!(young, CollectedGarbage::default(), "an upload may be about to get its record");
    let endless = stream::iter([Ok(Bytes::from(vec![1; 9 * 1024 * 1024]))]).chain(stream::pending());
    let upload = store.put(new_artifact("b", ValueType::File), Box::pin(endless));
    assert!(tokio::time::timeout(Duration::from_millis(300), upload).await.is_err(), "the upload never ends");
    // The clock of the store stands still.
    let store = in_folder(folder.path()).await;
    let collected = store.collect_garbage(Duration::ZERO).await.expect("garbage is collected");
    assert!(collected.files >= 2 && collected.bytes >= 8, "{collected:?}");
    assert_eq!(count_blobs(folder.path()), 1);
    assert_eq!(read(&store, "a", None).await, PNG);
}

#[tokio::test]
async fn derived_files_go_with_their_content() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = in_folder(folder.path()).await;
    for (id, content) in [("a", PNG), ("b", b"text")] {
        put(&store, id, content).await.expect("it is stored");
        let row = store.records().find_artifact(id).await.expect("it is found").expect("it is there");
        assert_eq!(store.read_derived(&row.blob, "w320").await, Ok(None));
        store.write_derived(&row.blob, "w320", Bytes::from_static(b"small")).await.expect("it is stored");
        assert_eq!(store.read_derived(&row.blob, "w320").await, Ok(Some(Bytes::from_static(b"small"))));
    }
    let derived = || list_files(&folder.path().join("derived")).len();
    // The clock of a store stands still.
    let store = in_folder(folder.path()).await;
    store.collect_garbage(Duration::ZERO).await.expect("garbage is collected");
    assert_eq!(derived(), 2);
    store.delete("a").await.expect("it is deleted");
    assert_eq!(derived(), 1);
    store.records().delete_artifact("b").await.expect("it is deleted");
    let released = store.records().list_released_blobs(10).await.expect("blobs are listed");
    store.records().forget_blobs(&[released[0].key.clone()]).await.expect("it is forgotten");
    let store = in_folder(folder.path()).await;
    store.collect_garbage(Duration::ZERO).await.expect("garbage is collected");
    assert_eq!((derived(), count_blobs(folder.path())), (0, 0), "files of a crash are collected");
}

#[tokio::test]
async fn unused_artifacts_are_deleted_oldest_first() {
    let clock = Arc::new(SetClock(Mutex::new(Timestamp(0))));
    let store = StoredArtifacts::in_memory(clock.clone());
    for (at, id) in [(3000, "c"), (1000, "a"), (2000, "b"), (1500, "used")] {
        *clock.0.lock().expect("it is free") = Timestamp(at);
        put(&store, id, &[at as u8; 10]).await.expect("it is stored");
    }
    let records = store.records();
    records.add_references("job", &["used".to_owned(), "gone".to_owned()], Timestamp(1500)).await.expect("it is used");
    let list = async || {
        let rows = records.list_artifacts(&ArtifactFilter::default(), None, 10).await.expect("a list");
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(list().await, ["c", "b", "used", "a"]);
    assert_eq!(records.delete_unused_artifacts(Timestamp(3000), Some(10), 10).await, Ok(1));
    assert_eq!(list().await, ["c", "b", "used"]);
    assert_eq!(records.delete_unused_artifacts(Timestamp(3000), None, 10).await, Ok(1));
    assert_eq!(list().await, ["c", "used"]);
    assert_eq!(store.delete_released_blobs().await.map(|collected| collected.files), Ok(2));
}

#[tokio::test]
async fn an_output_is_used_by_its_job() {
    let store = StoredArtifacts::in_memory(new_clock());
    let provenance = Provenance {
        job: "j".to_owned(),
        step: 1,
        step_id: "draw".to_owned(),
        provider: "images".to_owned(),
        link: None,
        link_expires_at: None,
    };
    let output = NewArtifact { owner: None, provenance: Some(provenance), ..new_artifact("o", ValueType::Image) };
    store.put(output, bytes_of(&[PNG])).await.expect("it is stored");
    let of = async |job: &str, kind: &str| {
        let filter =
            ArtifactFilter { job: Some(job.to_owned()), kind: Some(kind.to_owned()), ..ArtifactFilter::default() };
        store.records().list_artifacts(&filter, None, 10).await.expect("a list").len()
    };
    assert_eq!((of("j", "image").await, of("j", "file").await, of("k", "image").await), (1, 0, 0));
}
