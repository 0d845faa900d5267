//! Pauses that a provider's rate limit requires.

use std::time::Duration;

use super::fixtures::Subject;

super::list_cases![a_pause_holds_for_one_limit_until_it_is_over, the_longer_of_two_pauses_holds,];

const MINUTE_INTERVAL: Duration = Duration::from_mins(1);

async fn remaining_pause(store: &Subject, limit: &str) -> Option<Duration> {
    store.read_submit_pause(limit).await.expect("a pause is read")
}

async fn a_pause_holds_for_one_limit_until_it_is_over(store: Subject) {
    assert_eq!(remaining_pause(&store, "https://one $KEY").await, None);
    store.pause_submits("https://one $KEY", MINUTE_INTERVAL).await.expect("a pause is noted");
    let left = remaining_pause(&store, "https://one $KEY").await.expect("it is paused");
    assert!(left > Duration::ZERO && left <= MINUTE_INTERVAL, "{left:?}");
    for other in ["https://one", "https://one $OTHER", "http://one $KEY"] {
        assert_eq!(remaining_pause(&store, other).await, None, "{other}");
    }
    store.pause_submits("https://two", Duration::ZERO).await.expect("a pause is noted");
    assert_eq!(remaining_pause(&store, "https://two").await, None, "a pause of no length is over");
    assert!(remaining_pause(&store, "https://one $KEY").await.is_some(), "other pauses leave it");
}

async fn the_longer_of_two_pauses_holds(store: Subject) {
    for pause in [MINUTE_INTERVAL, 10 * MINUTE_INTERVAL, Duration::ZERO, MINUTE_INTERVAL] {
        store.pause_submits("limit", pause).await.expect("a pause is noted");
    }
    let left = remaining_pause(&store, "limit").await.expect("it is paused");
    assert!(left > 5 * MINUTE_INTERVAL && left <= 10 * MINUTE_INTERVAL, "{left:?}");
}
