use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::http::fair_places::*;

fn places(places: usize) -> FairPlaces {
    let max_wait = Duration::from_hours(1);
    FairPlaces::new(PlaceLimits { places, waiting_per_user: 3, waiting: 5, max_wait })
}

type Entering<'a> = Pin<Box<dyn Future<Output = Result<Place, Problem>> + Send + 'a>>;

/// Starts to wait for a place; polled once, so that the wait has begun.
fn wants<'a>(places: &'a FairPlaces, user: &'a str) -> Entering<'a> {
    let mut entering: Entering<'a> = Box::pin(places.wait_for_place(user));
    assert!(has(&mut entering).is_none(), "`{user}` has to wait");
    entering
}

fn has(entering: &mut Entering<'_>) -> Option<Result<Place, Problem>> {
    match entering.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(place) => Some(place),
        Poll::Pending => None,
    }
}

async fn enter(places: &FairPlaces, user: &str) -> Place {
    places.wait_for_place(user).await.expect("there is a place")
}

#[tokio::test]
async fn one_user_never_has_all_places() {
    let places = places(2);
    let _heavy = enter(&places, "ann").await;
    let _waits = wants(&places, "ann");
    let _light = enter(&places, "ben").await;
}

#[tokio::test]
async fn users_take_turns_whatever_each_has_waiting() {
    let places = places(3);
    let (first, second, third) =
        (enter(&places, "ann").await, enter(&places, "ann").await, enter(&places, "ben").await);
    let mut ann: Vec<_> = (0..3).map(|_| wants(&places, "ann")).collect();
    let mut cy = wants(&places, "cy");
    drop(first);
    let ann_next = has(&mut ann[0]).expect("ann came first").expect("a place");
    drop(second);
    let _cy = has(&mut cy).expect("then it is cy's turn").expect("a place");
    drop(third);
    assert!(has(&mut ann[1]).is_some(), "and ann's again");
    drop(ann_next);
}

#[tokio::test]
async fn too_many_who_wait_are_refused_with_the_time_to_come_back() {
    let places = places(2);
    let _places = (enter(&places, "ann").await, enter(&places, "ben").await);
    let _ann: Vec<_> = (0..3).map(|_| wants(&places, "ann")).collect();
    let refused = places.wait_for_place("ann").await.expect_err("ann has three waiting");
    assert_eq!(refused.status(), axum::http::StatusCode::TOO_MANY_REQUESTS);
    let _others = (wants(&places, "ben"), wants(&places, "cy"));
    assert!(places.wait_for_place("cy").await.is_err(), "five wait in all");
}

#[tokio::test]
async fn who_waits_too_long_or_goes_away_gives_the_turn_up() {
    let places = FairPlaces::new(PlaceLimits { max_wait: Duration::ZERO, ..places(2).0.limits });
    let (first, second) = (enter(&places, "ann").await, enter(&places, "ben").await);
    let refused = places.wait_for_place("cy").await.expect_err("nobody gives a place back");
    assert_eq!(refused.status(), axum::http::StatusCode::TOO_MANY_REQUESTS);
    assert!(places.wait_for_place("ann").await.is_err());
    drop((first, second));
    let state = places.0.lock_state();
    assert!(state.taken.is_empty() && state.waiting.is_empty() && state.turns.is_empty(), "{state:?}");
}

#[tokio::test]
async fn a_place_whose_taker_has_gone_goes_to_the_next() {
    let places = places(2);
    let (first, _second) = (enter(&places, "ann").await, enter(&places, "ben").await);
    let gone = wants(&places, "ann");
    let mut next = wants(&places, "cy");
    drop(first);
    // The place was handed over; its taker goes away without having looked.
    drop(gone);
    assert!(has(&mut next).is_some(), "cy has it");
}

#[tokio::test]
async fn work_that_panics_gives_its_place_back() {
    let places = places(2);
    let failed = places.run("ann", || panic!("on purpose")).await;
    assert_eq!(failed.map(|(): ()| ()).map_err(|problem| problem.status().as_u16()), Err(500));
    assert!(places.0.lock_state().taken.is_empty());
}
