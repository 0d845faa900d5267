//! Records of artifacts, and what jobs do to them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use apiflow_core::ports::{
    ArtifactError, ArtifactFilter, ArtifactRow, ArtifactUsage, BlobRow, Commit, Erasure, EventRow, JobBundle, JobState,
    JobStatus, LeaseChange, NewJob, Provenance, StepRow, StepStatus, Timestamp,
};
use serde_json::json;
use tokio::task::JoinSet;

use super::accounts::add_user;
use super::tokens::new_token;
use crate::Stores;

type Subject = Arc<Stores>;

super::list_cases![Stores:
    an_artifact_reads_back_as_it_was_added,
    the_first_artifact_with_an_id_stays,
    equal_contents_are_one_blob_until_the_last_is_deleted,
    a_released_blob_is_not_taken_again,
    artifacts_are_listed_newest_first_and_filtered,
    a_quota_is_for_all_artifacts_of_a_user,
    an_output_goes_with_the_last_job_that_uses_it,
    a_job_sends_only_what_its_user_may_read,
    a_token_reaches_the_jobs_that_it_started_and_their_artifacts,
    an_output_of_a_missing_job_is_refused,
    erased_steps_take_their_outputs_along,
    what_no_active_job_uses_is_deleted_oldest_first,
    a_turn_is_taken_once_per_period,
    of_adds_at_once_none_is_lost_or_counted_twice,
    adds_and_deletions_at_once_leave_no_artifact_without_its_content,
];

pub(super) fn new_row(id: &str, content: &str, owner: Option<&str>) -> ArtifactRow {
    ArtifactRow {
        id: id.to_owned(),
        blob: BlobRow { key: format!("blobs/{id}"), sha256: content.to_owned(), size_bytes: content.len() as u64 },
        mime: "image/png".to_owned(),
        name: None,
        width: None,
        height: None,
        duration_s: None,
        owner: owner.map(str::to_owned),
        provenance: None,
        created_at: Timestamp(5_000),
        last_used_at: Timestamp(5_000),
    }
}

pub(super) fn new_output(id: &str, job: &str, step: u64) -> ArtifactRow {
    let provenance = Provenance {
        job: job.to_owned(),
        step,
        step_id: "draw".to_owned(),
        provider: "images".to_owned(),
        link: Some("https://a.example/x?sig=ü".to_owned()),
        link_expires_at: Some(Timestamp(9_000)),
    };
    ArtifactRow { provenance: Some(provenance), ..new_row(id, id, None) }
}

pub(super) async fn add(store: &Subject, row: ArtifactRow) -> ArtifactRow {
    store.artifacts.add_artifact(row, None).await.expect("an artifact is added")
}

async fn find(store: &Subject, id: &str) -> Option<ArtifactRow> {
    store.artifacts.find_artifact(id).await.expect("an artifact is looked up")
}

async fn released(store: &Subject) -> Vec<String> {
    let blobs = store.artifacts.list_released_blobs(100).await.expect("blobs are listed");
    blobs.into_iter().map(|blob| blob.key).collect()
}

async fn usage(store: &Subject, owner: Option<&str>) -> ArtifactUsage {
    store.artifacts.read_usage(owner).await.expect("usage is read")
}

pub(super) async fn list(store: &Subject, filter: ArtifactFilter) -> Vec<String> {
    let rows = store.artifacts.list_artifacts(&filter, None, 100).await.expect("artifacts are listed");
    rows.into_iter().map(|row| row.id).collect()
}

async fn create_job(store: &Subject, id: &str) {
    store.store.create_job(new_job(id), None).await.expect("a job is created");
}

pub(super) fn new_job(id: &str) -> NewJob {
    NewJob {
        id: id.to_owned(),
        name: String::new(),
        workflow_id: None,
        workflow_version: None,
        node_id: None,
        rerun_of: None,
        created_by: Some("ann".to_owned()),
        created_at: Timestamp(1),
        bundle: JobBundle::default().into(),
        priority: 0,
        concurrency: None,
        events: vec![EventRow { seq: 1, at: Timestamp(1), body: json!({}), value: Some(json!(1)), item: None }],
        idempotency: None,
        max_bytes_in_flight: None,
        webhook: None,
    }
}

/// Ends all jobs that have not ended.
pub(super) async fn end_jobs(store: &Subject) {
    for _ in 0..500 {
        for claim in store.store.claim_due_jobs("w", 10, Duration::from_mins(1)).await.expect("jobs are claimed") {
            let state = JobState { status: JobStatus::Completed, finished_at: Some(Timestamp(2)), ..JobState::new(1) };
            let release = LeaseChange::Release { wake_at: None };
            let turn = Commit::new(&claim.job, claim.version, Timestamp(2), state, release);
            store.store.commit_turn(turn).await.expect("a job ends");
        }
        if store.store.count_active_jobs().await.expect("jobs are counted").is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the jobs do not end");
}

async fn an_artifact_reads_back_as_it_was_added(store: Subject) {
    create_job(&store, "j").await;
    let full = ArtifactRow {
        name: Some("füchse \"1\".mp4".to_owned()),
        mime: "video/mp4".to_owned(),
        width: Some(u32::MAX),
        height: Some(1),
        duration_s: Some(2.125),
        ..new_output("o", "j", 7)
    };
    let added = add(&store, full.clone()).await;
    assert_eq!(added, ArtifactRow { owner: Some("ann".to_owned()), ..full }, "an output belongs to the job's user");
    assert_eq!(find(&store, "o").await, Some(added));
    let bare = ArtifactRow { owner: None, ..new_row("a", "x", None) };
    assert_eq!(add(&store, bare.clone()).await, bare);
    assert_eq!(find(&store, "a").await, Some(bare));
    assert_eq!(find(&store, "b").await, None);
}

async fn the_first_artifact_with_an_id_stays(store: Subject) {
    let first = add(&store, new_row("a", "first", Some("ann"))).await;
    assert_eq!(add(&store, new_row("a", "second", Some("bob"))).await, first);
    assert_eq!(usage(&store, None).await, ArtifactUsage { artifacts: 1, bytes: 5, blobs: 1, blob_bytes: 5 });
}

async fn equal_contents_are_one_blob_until_the_last_is_deleted(store: Subject) {
    add(&store, new_row("a", "same", Some("ann"))).await;
    assert_eq!(add(&store, new_row("b", "same", Some("bob"))).await.blob.key, "blobs/a");
    assert_eq!(add(&store, new_row("c", "other", Some("bob"))).await.blob.key, "blobs/c");
    assert_eq!(usage(&store, None).await, ArtifactUsage { artifacts: 3, bytes: 13, blobs: 2, blob_bytes: 9 });
    assert_eq!(usage(&store, Some("bob")).await, ArtifactUsage { artifacts: 2, bytes: 9, blobs: 0, blob_bytes: 0 });
    assert_eq!(store.artifacts.delete_artifact("a").await, Ok(true));
    assert_eq!(store.artifacts.delete_artifact("a").await, Ok(false));
    assert_eq!(released(&store).await, [""; 0]);
    assert_eq!(store.artifacts.delete_artifact("b").await, Ok(true));
    assert_eq!(released(&store).await, ["blobs/a"]);
    let asked = ["blobs/a", "blobs/b", "blobs/c"].map(str::to_owned);
    let known = store.artifacts.find_blobs(&asked).await.expect("blobs are looked up");
    assert_eq!(known, BTreeSet::from(["blobs/a", "blobs/c"].map(str::to_owned)), "a file is known until it is gone");
    assert_eq!(store.artifacts.forget_blobs(&asked).await, Ok(()));
    assert_eq!(released(&store).await, [""; 0]);
    let known = store.artifacts.find_blobs(&asked).await.expect("blobs are looked up");
    assert_eq!(known, BTreeSet::from(["blobs/c".to_owned()]), "what is in use is not forgotten");
    assert_eq!(usage(&store, None).await, ArtifactUsage { artifacts: 1, bytes: 5, blobs: 1, blob_bytes: 5 });
}

async fn a_released_blob_is_not_taken_again(store: Subject) {
    add(&store, new_row("a", "same", None)).await;
    assert_eq!(store.artifacts.delete_artifact("a").await, Ok(true));
    assert_eq!(add(&store, new_row("b", "same", None)).await.blob.key, "blobs/b");
    assert_eq!(released(&store).await, ["blobs/a"]);
}

async fn artifacts_are_listed_newest_first_and_filtered(store: Subject) {
    create_job(&store, "j").await;
    let at = |at: i64, row: ArtifactRow| ArtifactRow { created_at: Timestamp(at), ..row };
    add(&store, at(2, new_row("b", "b", Some("ann")))).await;
    add(&store, at(1, new_row("c", "c", Some("bob")))).await;
    add(&store, at(2, new_row("B", "B", Some("ann")))).await;
    let sound = ArtifactRow { mime: "audio/wav".to_owned(), ..new_row("a", "a", Some("ann")) };
    add(&store, at(3, sound)).await;
    add(&store, at(4, new_output("o", "j", 1))).await;
    store.artifacts.add_references("j", &["c".to_owned()], Timestamp(6_000)).await.expect("it is used");
    assert_eq!(find(&store, "c").await.map(|row| row.last_used_at), Some(Timestamp(6_000)));
    let all = ArtifactFilter::default();
    assert_eq!(list(&store, all.clone()).await, ["o", "a", "b", "B", "c"]);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(list(&store, ArtifactFilter { owner: text("ann"), ..all.clone() }).await, ["o", "a", "b", "B"]);
    assert_eq!(list(&store, ArtifactFilter { kind: text("audio"), ..all.clone() }).await, ["a"]);
    assert_eq!(
        list(&store, ArtifactFilter { mime: text("image/png"), owner: text("bob"), ..all.clone() }).await,
        ["c"]
    );
    assert_eq!(list(&store, ArtifactFilter { job: text("j"), ..all.clone() }).await, ["o", "c"]);
    let page = store.artifacts.list_artifacts(&all, Some((Timestamp(2), "b".to_owned())), 1).await;
    assert_eq!(page.expect("a page").into_iter().map(|row| row.id).collect::<Vec<_>>(), ["B"]);
}

async fn a_quota_is_for_all_artifacts_of_a_user(store: Subject) {
    let attempt = async |row: ArtifactRow| store.artifacts.add_artifact(row, Some(10)).await.map(|row| row.id);
    let over = |user: &str| Err(ArtifactError::OverQuota { user: user.to_owned(), quota_bytes: 10 });
    assert_eq!(attempt(new_row("z", "12345678901", Some("ann"))).await, over("ann"));
    assert_eq!(attempt(new_row("a", "123456", Some("ann"))).await, Ok("a".to_owned()));
    assert_eq!(attempt(new_row("b", "12345", Some("ann"))).await, over("ann"));
    assert_eq!(attempt(new_row("b", "12345", Some("bob"))).await, Ok("b".to_owned()));
    assert_eq!(usage(&store, Some("ann")).await.bytes, 6, "what is refused is not counted");
    assert_eq!(store.artifacts.delete_artifact("a").await, Ok(true));
    assert_eq!(attempt(new_row("c", "1234567890", Some("ann"))).await, Ok("c".to_owned()));
    create_job(&store, "j").await;
    assert_eq!(attempt(new_output("o", "j", 1)).await, over("ann"), "an output counts for the job's user");
}

async fn an_output_goes_with_the_last_job_that_uses_it(store: Subject) {
    for job in ["j", "k"] {
        create_job(&store, job).await;
    }
    add(&store, new_output("o", "j", 1)).await;
    add(&store, new_output("p", "j", 2)).await;
    add(&store, new_row("upload", "u", Some("ann"))).await;
    let used = ["o", "upload", "missing"].map(str::to_owned);
    store.artifacts.add_references("k", &used, Timestamp(1)).await.expect("they are used");
    end_jobs(&store).await;
    store.store.delete_job("j").await.expect("a job is deleted");
    assert_eq!(list(&store, ArtifactFilter::default()).await, ["upload", "o"], "`p` is gone with its job");
    assert_eq!(released(&store).await, ["blobs/p"]);
    store.store.delete_job("k").await.expect("a job is deleted");
    assert_eq!(list(&store, ArtifactFilter::default()).await, ["upload"], "an upload stays until its user deletes it");
    assert_eq!(usage(&store, None).await.artifacts, 1);
}

async fn a_job_sends_only_what_its_user_may_read(store: Subject) {
    for (name, is_admin) in [("ann", false), ("root", true)] {
        let user = super::accounts::user_row(name, name, is_admin);
        store.accounts.add_user(user).await.expect("a user is added");
    }
    create_job(&store, "j").await;
    store
        .store
        .create_job(NewJob { created_by: Some("root".to_owned()), ..new_job("admins") }, None)
        .await
        .expect("a job");
    store.store.create_job(NewJob { created_by: None, ..new_job("nobodys") }, None).await.expect("a job");
    for (id, owner) in [("own", Some("ann")), ("others", Some("bob")), ("used", Some("bob")), ("nobodys", None)] {
        add(&store, new_row(id, id, owner)).await;
    }
    store.artifacts.add_references("j", &["used".to_owned()], Timestamp(1)).await.expect("it is used");
    let all = ["own", "others", "used", "nobodys"];
    for (job, user, expected) in [
        ("j", None, ["own", "used"].as_slice()),
        ("j", Some("ann"), &["own", "used"]),
        ("admins", None, &all),
        ("nobodys", None, &all),
        ("new", Some("ann"), &["own"]),
        ("new", Some("root"), &all),
        ("new", Some("stranger"), &[]),
        ("new", None, &all),
    ] {
        let mut found = Vec::new();
        for id in ["own", "others", "used", "nobodys", "missing"] {
            let row = store.artifacts.find_artifact_for_job(job, user, id).await.expect("an artifact is looked up");
            found.extend(row.map(|row| row.id));
        }
        assert_eq!(found, expected, "{job} {user:?}");
    }
}

async fn a_token_reaches_the_jobs_that_it_started_and_their_artifacts(store: Subject) {
    let accounts = &store.accounts;
    add_user(accounts, "ann", false).await;
    for token in ["limited", "other"] {
        assert_eq!(accounts.add_token(new_token(token, "ann", false, 1_000)).await, Ok(()));
    }
    for job in ["own", "others"] {
        create_job(&store, job).await;
        add(&store, new_output(&format!("of-{job}"), job, 1)).await;
    }
    assert_eq!(accounts.is_token_job("limited", "own").await, Ok(false));
    for _ in 0..2 {
        assert_eq!(accounts.link_token_job("limited", "own").await, Ok(()));
    }
    for (token, job) in [("limited", "missing"), ("missing", "own")] {
        assert_eq!(accounts.link_token_job(token, job).await, Ok(()));
        assert_eq!(accounts.is_token_job(token, job).await, Ok(false), "{token} {job}");
    }
    for (token, job, expected) in [("limited", "own", true), ("limited", "others", false), ("other", "own", false)] {
        assert_eq!(accounts.is_token_job(token, job).await, Ok(expected), "{token} {job}");
        let artifact = format!("of-{job}");
        assert_eq!(accounts.is_token_artifact(token, &artifact).await, Ok(expected), "{token} {artifact}");
    }
    end_jobs(&store).await;
    store.store.delete_job("own").await.expect("a job that has ended is deleted");
    assert_eq!(accounts.is_token_job("limited", "own").await, Ok(false));
    assert_eq!(accounts.link_token_job("limited", "others").await, Ok(()));
    assert_eq!(accounts.delete_token("ann", "limited").await, Ok(true));
    assert_eq!(accounts.is_token_job("limited", "others").await, Ok(false));
}

async fn an_output_of_a_missing_job_is_refused(store: Subject) {
    let refused = Err(ArtifactError::NoJob { job: "gone".to_owned() });
    assert_eq!(store.artifacts.add_artifact(new_output("o", "gone", 1), None).await, refused);
    assert_eq!(usage(&store, None).await, ArtifactUsage::default());
    add(&store, new_row("a", "a", None)).await;
    let used = store.artifacts.add_references("gone", &["a".to_owned()], Timestamp(1)).await;
    assert_eq!(used, Err(ArtifactError::NoJob { job: "gone".to_owned() }));
}

async fn erased_steps_take_their_outputs_along(store: Subject) {
    create_job(&store, "j").await;
    for (id, step) in [("o", 2), ("p", 3)] {
        add(&store, new_output(id, "j", step)).await;
    }
    end_jobs(&store).await;
    let step = StepRow {
        ordinal: 2,
        step_id: "draw".to_owned(),
        path: String::new(),
        status: StepStatus::Completed,
        attempt: 1,
        started_at: Timestamp(1),
        finished_at: Some(Timestamp(2)),
        input: None,
        output: None,
        error: None,
        progress: None,
        queue_position: None,
        preview: None,
        log_bytes: 0,
        provider_id: None,
        retry_at: None,
        approval: None,
        cost: None,
        fallback: None,
    };
    let erasure = Erasure { job: "j".to_owned(), steps: vec![step], ..Erasure::default() };
    store.store.erase_job_data(erasure).await.expect("a step is erased");
    assert_eq!(list(&store, ArtifactFilter::default()).await, ["p"]);
}

async fn what_no_active_job_uses_is_deleted_oldest_first(store: Subject) {
    create_job(&store, "j").await;
    for (at, id) in [(3_000, "c"), (1_000, "a"), (2_000, "b"), (500, "used")] {
        add(&store, ArtifactRow { last_used_at: Timestamp(at), ..new_row(id, &format!("{id:9}"), None) }).await;
    }
    store.artifacts.add_references("j", &["used".to_owned()], Timestamp(500)).await.expect("it is used");
    let delete = async |before: i64, bytes: Option<u64>, limit: u32| {
        store.artifacts.delete_unused_artifacts(Timestamp(before), bytes, limit).await.expect("it works")
    };
    assert_eq!(delete(1_000, None, 10).await, 0, "the age is exact");
    assert_eq!(delete(3_000, Some(9), 10).await, 1);
    assert_eq!(find(&store, "a").await, None);
    assert_eq!(delete(9_000, None, 1).await, 1);
    assert_eq!(find(&store, "b").await, None);
    end_jobs(&store).await;
    assert_eq!(delete(9_000, Some(10), 10).await, 2, "as many as are needed");
    assert_eq!(usage(&store, None).await, ArtifactUsage::default());
}

async fn a_turn_is_taken_once_per_period(store: Subject) {
    let take = async |task: &str, period: Duration| store.artifacts.take_turn(task, period).await;
    assert_eq!(take("a", Duration::from_hours(1)).await, Ok(true));
    assert_eq!(take("a", Duration::from_hours(1)).await, Ok(false));
    assert_eq!(take("b", Duration::ZERO).await, Ok(true));
    assert_eq!(take("b", Duration::ZERO).await, Ok(true));
}

async fn of_adds_at_once_none_is_lost_or_counted_twice(store: Subject) {
    let mut adds = JoinSet::new();
    for index in 0..12 {
        let store = store.clone();
        // Four ids, three times each, all of the same content.
        let row = ArtifactRow {
            blob: BlobRow { key: format!("blobs/{index}"), sha256: "same".to_owned(), size_bytes: 4 },
            ..new_row(&format!("a{}", index % 4), "same", Some("ann"))
        };
        adds.spawn(async move { store.artifacts.add_artifact(row, Some(16)).await.map(|row| row.blob.key) });
    }
    let keys: Result<BTreeSet<String>, ArtifactError> = adds.join_all().await.into_iter().collect();
    assert_eq!(keys.map(|keys| keys.len()), Ok(1), "all share one content");
    assert_eq!(usage(&store, None).await, ArtifactUsage { artifacts: 4, bytes: 16, blobs: 1, blob_bytes: 4 });
}

async fn adds_and_deletions_at_once_leave_no_artifact_without_its_content(store: Subject) {
    let mut tasks = JoinSet::new();
    for task in 0..4 {
        let store = store.clone();
        tasks.spawn(async move {
            for round in 0..15 {
                let id = format!("a{task}-{round}");
                add(&store, new_row(&id, "same", Some("ann"))).await;
                if round % 5 != 4 {
                    assert_eq!(store.artifacts.delete_artifact(&id).await, Ok(true));
                }
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(usage(&store, None).await.artifacts, 12);
    let released = released(&store).await;
    for row in store.artifacts.list_artifacts(&ArtifactFilter::default(), None, 100).await.expect("a list") {
        assert!(!released.contains(&row.blob.key), "the content of `{}` is about to be deleted", row.id);
    }
}
