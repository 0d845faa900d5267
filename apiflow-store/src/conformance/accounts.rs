//! Users.

use std::sync::Arc;

use apiflow_core::ports::Timestamp;

use crate::{Accounts, RecordError, UserChange, UserRow};

type Subject = Arc<dyn Accounts>;

super::list_cases![dyn Accounts:
    a_user_reads_back_as_added,
    a_username_is_unique_without_regard_to_case,
    a_change_leaves_the_rest_as_it_is,
    a_missing_user_is_named,
    users_are_paged_newest_first,
    of_users_added_at_once_under_one_name_one_is,
    each_rotation_of_a_users_webhook_secret_is_the_next_generation,
];

pub(super) fn user_row(id: &str, username: &str, is_admin: bool) -> UserRow {
    UserRow {
        id: id.to_owned(),
        username: username.to_owned(),
        email: Some(format!("{id}@example.com")),
        is_admin,
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned(),
        created_at: Timestamp(1_000),
    }
}

pub(super) async fn add_user(store: &Subject, id: &str, is_admin: bool) -> UserRow {
    let user = user_row(id, &format!("name of {id}"), is_admin);
    assert_eq!(store.add_user(user.clone()).await, Ok(()));
    user
}

fn exists_error(username: &str) -> RecordError {
    RecordError::Exists { kind: "user", id: username.to_owned() }
}

async fn a_user_reads_back_as_added(store: Subject) {
    let ada = user_row("u1", "Ada", true);
    let bob = UserRow { email: None, ..user_row("u2", "bob", false) };
    for user in [&ada, &bob] {
        assert_eq!(store.add_user(user.clone()).await, Ok(()));
        assert_eq!(store.read_user(&user.id).await, Ok(Some(user.clone())));
        assert_eq!(store.find_user_by_name(&user.username).await, Ok(Some(user.clone())));
    }
    assert_eq!(store.find_user_by_name("aDA").await, Ok(Some(ada)));
    assert_eq!((store.read_user("u3").await, store.find_user_by_name("eve").await), (Ok(None), Ok(None)));
}

async fn a_username_is_unique_without_regard_to_case(store: Subject) {
    assert_eq!(store.add_user(user_row("u1", "Jürgen", true)).await, Ok(()));
    assert_eq!(store.add_user(user_row("u2", "JÜRGEN", true)).await, Err(exists_error("JÜRGEN")));
    assert_eq!(store.add_user(user_row("u3", "eve", true)).await, Ok(()));
    let rename = |name: &str| UserChange { username: Some(name.to_owned()), ..UserChange::default() };
    assert_eq!(store.change_user("u3", rename("jürgen")).await, Err(exists_error("jürgen")));
    assert_eq!(store.read_user("u3").await.map(|found| found.map(|user| user.username)), Ok(Some("eve".to_owned())));
    assert!(store.change_user("u1", rename("JÜRGEN")).await.is_ok(), "a user may change the case of the own name");
}

async fn a_change_leaves_the_rest_as_it_is(store: Subject) {
    let before = add_user(&store, "u1", true).await;
    assert_eq!(store.change_user("u1", UserChange::default()).await, Ok(before.clone()));
    let email = UserChange { email: Some(None), ..UserChange::default() };
    let after = UserRow { email: None, ..before };
    assert_eq!(store.change_user("u1", email).await, Ok(after.clone()));
    let all = UserChange {
        username: Some("Eve".to_owned()),
        email: Some(Some("eve@example.com".to_owned())),
        is_admin: Some(true),
        password_hash: Some("$argon2id$other".to_owned()),
    };
    let after = UserRow {
        username: "Eve".to_owned(),
        email: Some("eve@example.com".to_owned()),
        password_hash: "$argon2id$other".to_owned(),
        ..after
    };
    assert_eq!(store.change_user("u1", all).await, Ok(after.clone()));
    assert_eq!(store.find_user_by_name("eve").await, Ok(Some(after)));
}

async fn a_missing_user_is_named(store: Subject) {
    let missing = RecordError::NotFound { kind: "user", id: "u1".to_owned() };
    assert_eq!(store.change_user("u1", UserChange::default()).await, Err(missing.clone()));
    assert_eq!(store.delete_user("u1").await, Err(missing.clone()));
    assert_eq!(store.list_users(Some("u1"), 10).await, Err(missing));
}

async fn users_are_paged_newest_first(store: Subject) {
    for (id, at) in [("u1", 2_000), ("u2", 1_000), ("u3", 2_000), ("u4", 3_000)] {
        let user = UserRow { created_at: Timestamp(at), ..user_row(id, id, false) };
        assert_eq!(store.add_user(user).await, Ok(()));
    }
    let ids = async |after, limit| -> Vec<String> {
        let page = store.list_users(after, limit).await.expect("a page is read");
        page.into_iter().map(|user| user.id).collect()
    };
    assert_eq!(ids(None, 10).await, ["u4", "u3", "u1", "u2"]);
    assert_eq!(ids(None, 2).await, ["u4", "u3"]);
    assert_eq!(ids(Some("u3"), 2).await, ["u1", "u2"]);
    assert_eq!(ids(Some("u2"), 2).await, [""; 0]);
}

async fn each_rotation_of_a_users_webhook_secret_is_the_next_generation(store: Subject) {
    add_user(&store, "u0", true).await;
    add_user(&store, "u1", false).await;
    assert_eq!(store.read_webhook_generation("u1").await, Ok(None));
    for (generation, at) in [(2, Timestamp(5)), (3, Timestamp(7))] {
        assert_eq!(store.rotate_webhook_secret("u1", at).await, Ok((generation, at)));
        assert_eq!(store.read_webhook_generation("u1").await, Ok(Some((generation, at))));
    }
    assert_eq!(store.read_webhook_generation("u0").await, Ok(None), "others keep theirs");
    let missing = RecordError::NotFound { kind: "user", id: "u2".to_owned() };
    assert_eq!(store.rotate_webhook_secret("u2", Timestamp(8)).await, Err(missing));
    assert_eq!(store.delete_user("u1").await, Ok(()));
    assert_eq!(store.read_webhook_generation("u1").await, Ok(None));
}

async fn of_users_added_at_once_under_one_name_one_is(store: Subject) {
    let mut adding = tokio::task::JoinSet::new();
    for index in 0..8 {
        let (store, user) = (store.clone(), user_row(&format!("u{index}"), "Ada", true));
        adding.spawn(async move { store.add_user(user).await });
    }
    let done = adding.join_all().await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    assert_eq!(done.iter().filter(|done| **done == Err(exists_error("Ada"))).count(), 7, "{done:?}");
}
