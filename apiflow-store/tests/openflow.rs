//! OpenFlow's cases on the real databases, in real time: all at once, by one worker.

#[path = "../../apiflow-core/tests/openflow/harness.rs"]
mod harness;
#[path = "common/schemas.rs"]
mod schemas;

use std::sync::Arc;
use std::time::Duration;

use apiflow_core::ports::Store;
use apiflow_core::runtime::boa_evaluator::BoaEvaluator;
use apiflow_core::runtime::clock::SystemClock;
use apiflow_store::SqliteStore;
use harness::cases::{assert_all_passed, read_cases};
use schemas::Schemas;

/// Cases at work at the same time.
const AT_ONCE: usize = 16;

async fn check(store: Arc<dyn Store>) {
    let engine = Arc::new(harness::Engine::start(store, Arc::new(SystemClock), Arc::new(BoaEvaluator::new())));
    let seats = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let mut running = tokio::task::JoinSet::new();
    for (number, case) in read_cases().into_iter().enumerate() {
        let (engine, seats) = (engine.clone(), seats.clone());
        running.spawn(async move {
            let _seat = seats.acquire().await.expect("the semaphore is never closed");
            let pass = async || tokio::time::sleep(Duration::from_millis(10)).await;
            let outcome = engine.run(&case, &format!("job-{number:03}"), pass).await;
            let found = outcome.list_differences(&case);
            (!found.is_empty()).then(|| format!("{}: {}", case.name, found.join("; ")))
        });
    }
    let failed: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    Arc::into_inner(engine).expect("all cases have ended").end().await;
    assert_all_passed(&failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cases_come_out_as_openflow_has_them_on_sqlite() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let store = SqliteStore::open(folder.path().join("cases.db")).await.expect("a file is opened");
    check(Arc::new(store)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cases_come_out_as_openflow_has_them_on_postgres() {
    let Some(schemas) = Schemas::new("openflow") else { return };
    check(schemas.empty().await).await;
}
