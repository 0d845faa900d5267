//! Pauses that a provider's rate limit asks for.

use std::time::Duration;

use super::fixtures::Subject;

super::list_cases![a_pause_holds_for_one_limit_until_it_is_over, the_longer_of_two_pauses_holds,];

const MINUTE: Duration = Duration::from_mins(1);

async fn paused(store: &Subject, limit: &str) -> Option<Duration> {
    store.read_submit_pause(limit).await.expect("a pause is read")
}

async fn a_pause_holds_for_one_limit_until_it_is_over(store: Subject) {
    assert_eq!(paused(&store, "https://one $KEY").await, None);
    store.pause_submits("https://one $KEY", MINUTE).await.expect("a pause is noted");
    let left = paused(&store, "https://one $KEY").await.expect("it is paused");
    assert!(left > Duration::ZERO && left <= MINUTE, "{left:?}");
    for other in ["https://one", "https://one $OTHER", "http://one $KEY"] {
        assert_eq!(paused(&store, other).await, None, "{other}");
    }
    store.pause_submits("https://two", Duration::ZERO).await.expect("a pause is noted");
    assert_eq!(paused(&store, "https://two").await, None, "a pause of no length is over");
    assert!(paused(&store, "https://one $KEY").await.is_some(), "other pauses leave it");
}

async fn the_longer_of_two_pauses_holds(store: Subject) {
    for pause in [MINUTE, 10 * MINUTE, Duration::ZERO, MINUTE] {
        store.pause_submits("limit", pause).await.expect("a pause is noted");
    }
    let left = paused(&store, "limit").await.expect("it is paused");
    assert!(left > 5 * MINUTE && left <= 10 * MINUTE, "{left:?}");
}
