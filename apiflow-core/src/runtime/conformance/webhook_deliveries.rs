//! Announcements of jobs, and their delivery.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::fixtures::{
    EXPIRED_LEASE_TIMEOUT, LEASE_TIMEOUT, Subject, claim_one, commit, empty_turn, ending_turn, event_row, fenced_error,
    job_state, new_job, step_row,
};
use crate::ports::{
    AfterTry, Commit, Created, DeliveryState, DeliveryTry, DueDeliveries, JobStart, JobStatus, JobWebhook, NewJob,
    StepRow, StepStatus, Store, Timestamp, WebhookDelivery, WebhookEvent,
};

super::list_cases![
    the_end_of_a_job_is_announced_by_its_commit,
    only_chosen_events_are_announced,
    a_waiting_step_is_announced_once,
    a_job_that_ends_with_its_creation_is_announced,
    a_taken_delivery_is_hidden_until_its_lease_ends,
    a_try_is_recorded_unless_there_was_a_later_one,
    a_message_is_sent_again_on_request,
    a_host_or_user_with_many_messages_delays_no_other,
    messages_are_deleted_with_their_job,
];

fn webhook(host: &str, signer: &str) -> JobWebhook {
    JobWebhook {
        url: format!("https://{host}/hook?key=1"),
        host: host.to_owned(),
        events: vec![WebhookEvent::Completed, WebhookEvent::Approval],
        signer: signer.to_owned(),
    }
}

fn announced_job(id: &str) -> NewJob {
    NewJob { webhook: Some(webhook("one.example", "ada")), ..new_job(id) }
}

/// Returns a turn that ends a job.
fn last_turn(job: &str, version: u64) -> Commit {
    Commit { events: vec![event_row(7)], ..ending_turn(job, version) }
}

async fn create(store: &Subject, job: NewJob) -> u64 {
    let id = job.id.clone();
    store.create_job(job, None).await.expect("a new job is made");
    claim_one(store, "worker", &id).await
}

async fn create_ended(store: &Subject, id: &str, host: &str, signer: &str) {
    let job = NewJob { webhook: Some(webhook(host, signer)), ..new_job(id) };
    let version = create(store, job).await;
    commit(store, last_turn(id, version)).await;
}

async fn list(store: &Subject, job: &str) -> Vec<WebhookDelivery> {
    store.list_deliveries(job, 10).await.expect("deliveries are read")
}

fn wanted(limit: u32, lease: Duration) -> DueDeliveries {
    DueDeliveries { limit, per_host: 10, per_user: 10, busy_hosts: Vec::new(), busy_users: Vec::new(), lease }
}

async fn take(store: &Subject, wanted: DueDeliveries) -> Vec<WebhookDelivery> {
    let mut taken = store.take_due_deliveries(wanted).await.expect("deliveries are taken");
    taken.sort_by(|one, other| one.id.cmp(&other.id));
    taken
}

async fn take_ids(store: &Subject, wanted: DueDeliveries) -> Vec<String> {
    take(store, wanted).await.into_iter().map(|taken| taken.id).collect()
}

fn answer(status: u16) -> DeliveryTry {
    let reply = Some("it says so".to_owned());
    DeliveryTry { at: Timestamp(9_000), status: Some(status), error: None, reply }
}

async fn the_end_of_a_job_is_announced_by_its_commit(store: Subject) {
    let version = create(&store, announced_job("a")).await;
    assert_eq!(store.read_job_webhook("a").await, Ok(Some(webhook("one.example", "ada"))));
    assert_eq!(store.commit_turn(last_turn("a", version + 1)).await, fenced_error("a"));
    assert_eq!(list(&store, "a").await, [], "a commit that was refused announces nothing");
    assert_eq!(store.count_pending_deliveries().await, Ok(0));
    commit(&store, last_turn("a", version)).await;
    let found = list(&store, "a").await;
    let [delivery] = found.as_slice() else { panic!("one message: {found:?}") };
    let WebhookDelivery { queued_at, due_at, .. } = delivery.clone();
    let expected = WebhookDelivery {
        id: "msg_a_7".to_owned(),
        job: "a".to_owned(),
        event: WebhookEvent::Completed,
        step: None,
        at: Timestamp(6_000),
        url: "https://one.example/hook?key=1".to_owned(),
        host: "one.example".to_owned(),
        signer: "ada".to_owned(),
        state: DeliveryState::Pending,
        queued_at,
        earlier_tries: 0,
        tries: 0,
        due_at,
        last_try: None,
    };
    assert_eq!(*delivery, expected);
    assert_eq!(due_at, Some(queued_at), "it is due when it is queued");
    assert_eq!(store.count_pending_deliveries().await, Ok(1));
}

async fn only_chosen_events_are_announced(store: Subject) {
    let version = create(&store, announced_job("a")).await;
    commit(&store, Commit { state: job_state(JobStatus::Failed), ..last_turn("a", version) }).await;
    assert_eq!(list(&store, "a").await, []);
    let version = create(&store, new_job("b")).await;
    commit(&store, last_turn("b", version)).await;
    assert_eq!((list(&store, "b").await, store.read_job_webhook("b").await), (Vec::new(), Ok(None)));
}

async fn a_waiting_step_is_announced_once(store: Subject) {
    let waiting = |given: u64| StepRow {
        status: StepStatus::Suspended,
        approval: Some(serde_json::json!({"required": 2, "given": given, "until": 5})),
        ..step_row(3)
    };
    let state = job_state(JobStatus::Suspended);
    let mut version = create(&store, announced_job("a")).await;
    for given in 0..2 {
        let steps = vec![step_row(2), waiting(given), waiting(given)];
        version = commit(&store, Commit { steps, state: state.clone(), ..empty_turn("a", version) }).await;
    }
    commit(&store, last_turn("a", version)).await;
    let found: Vec<_> =
        list(&store, "a").await.into_iter().map(|delivery| (delivery.id, delivery.event, delivery.step)).collect();
    let expected = [("msg_a_3a", WebhookEvent::Approval, Some(3)), ("msg_a_7", WebhookEvent::Completed, None)];
    assert_eq!(found, expected.map(|(id, event, step)| (id.to_owned(), event, step)));
}

async fn a_job_that_ends_with_its_creation_is_announced(store: Subject) {
    let turn = Some(Box::new(last_turn("a", 0)));
    let start = JobStart { worker: "worker".to_owned(), lease: LEASE_TIMEOUT, turn };
    let created = store.create_job(announced_job("a"), Some(start)).await.expect("a new job is made");
    assert!(matches!(created, Created::New { claim: Some(_) }), "{created:?}");
    let ids: Vec<String> = list(&store, "a").await.into_iter().map(|delivery| delivery.id).collect();
    assert_eq!(ids, ["msg_a_7"]);
}

async fn a_taken_delivery_is_hidden_until_its_lease_ends(store: Subject) {
    create_ended(&store, "a", "one.example", "ada").await;
    assert_eq!(take_ids(&store, wanted(5, EXPIRED_LEASE_TIMEOUT)).await, ["msg_a_7"]);
    let taken = take(&store, wanted(5, LEASE_TIMEOUT)).await;
    assert_eq!(taken.iter().map(|taken| taken.tries).collect::<Vec<_>>(), [2], "each taking is a try");
    assert_eq!(taken, list(&store, "a").await);
    assert_eq!(take_ids(&store, wanted(5, LEASE_TIMEOUT)).await, Vec::<String>::new());
}

async fn a_try_is_recorded_unless_there_was_a_later_one(store: Subject) {
    create_ended(&store, "a", "one.example", "ada").await;
    let id = "msg_a_7";
    take(&store, wanted(5, EXPIRED_LEASE_TIMEOUT)).await;
    take(&store, wanted(5, LEASE_TIMEOUT)).await;
    let record = async |tries, status, next| {
        store.record_delivery_try(id, tries, answer(status), next).await.expect("a try is recorded")
    };
    assert!(!record(1, 200, AfterTry::Delivered).await, "of an earlier taking");
    assert!(record(2, 500, AfterTry::Retry(Duration::from_hours(1))).await);
    let found = list(&store, "a").await.remove(0);
    assert_eq!((found.state, found.last_try.clone()), (DeliveryState::Pending, Some(answer(500))));
    assert!(found.due_at.is_some_and(|at| at.since_ms(found.queued_at) >= 3_600_000), "{found:?}");
    assert_eq!(take_ids(&store, wanted(5, LEASE_TIMEOUT)).await, Vec::<String>::new(), "it is not due yet");
    assert!(record(2, 500, AfterTry::Retry(Duration::ZERO)).await);
    assert_eq!(take_ids(&store, wanted(5, LEASE_TIMEOUT)).await, [id]);
    assert!(record(3, 204, AfterTry::Delivered).await);
    let found = list(&store, "a").await.remove(0);
    assert_eq!((found.state, found.due_at, found.tries), (DeliveryState::Delivered, None, 3));
    assert_eq!(store.count_pending_deliveries().await, Ok(0));
    assert!(!record(3, 500, AfterTry::Retry(Duration::ZERO)).await, "it was delivered");
    assert!(!store.record_delivery_try("other", 1, answer(200), AfterTry::Delivered).await.expect("no delivery"));
}

async fn a_message_is_sent_again_on_request(store: Subject) {
    create_ended(&store, "a", "one.example", "ada").await;
    take(&store, wanted(5, LEASE_TIMEOUT)).await;
    assert_eq!(store.record_delivery_try("msg_a_7", 1, answer(410), AfterTry::GiveUp).await, Ok(true));
    assert_eq!(list(&store, "a").await.remove(0).state, DeliveryState::Failed);
    assert_eq!(store.resend_delivery("b", "msg_a_7").await, Ok(false), "it is about another job");
    assert_eq!(store.resend_delivery("a", "msg_a_8").await, Ok(false));
    assert_eq!(store.resend_delivery("a", "msg_a_7").await, Ok(true));
    let taken = take(&store, wanted(5, LEASE_TIMEOUT)).await.remove(0);
    assert_eq!((taken.tries, taken.tries_since_queued(), taken.state), (2, 1, DeliveryState::Pending));
}

async fn a_host_or_user_with_many_messages_delays_no_other(store: Subject) {
    for job in ["a", "b", "c"] {
        create_ended(&store, job, "one.example", "ada").await;
    }
    create_ended(&store, "d", "one.example", "bob").await;
    create_ended(&store, "e", "two.example", "ada").await;
    create_ended(&store, "f", "two.example:8443", "cleo").await;
    let wanted =
        |limit, per_host, per_user| DueDeliveries { per_host, per_user, ..wanted(limit, EXPIRED_LEASE_TIMEOUT) };
    let jobs = async |wanted| -> Vec<String> {
        let taken = store.take_due_deliveries(wanted).await.expect("deliveries are taken");
        let jobs: BTreeSet<String> = taken.into_iter().map(|taken| taken.job).collect();
        jobs.into_iter().collect()
    };
    assert_eq!(jobs(wanted(3, 10, 10)).await, ["a", "d", "f"], "users take turns");
    let turns = jobs(wanted(10, 2, 10)).await;
    assert!(
        turns.len() == 4 && turns.ends_with(&["d", "e", "f"].map(str::to_owned)),
        "users of a host take turns: {turns:?}"
    );
    assert_eq!(jobs(wanted(10, 10, 1)).await.len(), 3, "one of each user");
    let busy = DueDeliveries { busy_hosts: vec!["one.example".to_owned()], ..wanted(10, 10, 10) };
    assert_eq!(jobs(busy).await, ["e", "f"]);
    let busy = DueDeliveries { busy_users: vec!["ada".to_owned(), "cleo".to_owned()], ..wanted(10, 10, 10) };
    assert_eq!(jobs(busy).await, ["d"]);
}

async fn messages_are_deleted_with_their_job(store: Subject) {
    create_ended(&store, "a", "one.example", "ada").await;
    store.delete_job("a").await.expect("an ended job is deleted");
    assert_eq!((list(&store, "a").await, store.read_job_webhook("a").await), (Vec::new(), Ok(None)));
    assert_eq!(take_ids(&store, wanted(5, LEASE_TIMEOUT)).await, Vec::<String>::new());
    assert_eq!(store.count_pending_deliveries().await, Ok(0));
}

/// Two stores of the same database never take the same delivery while its lease lasts.
pub(super) async fn stores_that_race_for_deliveries_take_each_once(stores: [Arc<dyn Store>; 2]) {
    const JOBS: usize = 24;
    for number in 0..JOBS {
        let user = format!("racer{}", number % 3);
        let id = format!("told{number:02}");
        let job = NewJob { webhook: Some(webhook(&format!("{user}.example"), &user)), ..new_job(&id) };
        let turn = Some(Box::new(last_turn(&id, 0)));
        let start = JobStart { worker: "racing".to_owned(), lease: LEASE_TIMEOUT, turn };
        stores[0].create_job(job, Some(start)).await.expect("a new job is made");
    }
    let race = |store: Arc<dyn Store>| async move {
        let mut taken = Vec::new();
        for _ in 0..JOBS {
            let wanted = DueDeliveries { per_host: 2, per_user: 2, ..wanted(3, LEASE_TIMEOUT) };
            taken.extend(store.take_due_deliveries(wanted).await.expect("deliveries are taken"));
            tokio::task::yield_now().await;
        }
        taken
    };
    let (one, other) = tokio::join!(tokio::spawn(race(stores[0].clone())), tokio::spawn(race(stores[1].clone())));
    let mut taken: Vec<String> = one
        .into_iter()
        .chain(other)
        .flatten()
        .filter(|taken| taken.signer.starts_with("racer"))
        .map(|taken| taken.id)
        .collect();
    let count = taken.len();
    taken.sort();
    taken.dedup();
    assert_eq!((taken.len(), count), (JOBS, JOBS), "each is taken, and once");
}
