//! Tokens of users.

use std::sync::Arc;

use apiflow_core::ports::Timestamp;

use super::accounts::add_user;
use crate::{Accounts, NewToken, RecordError, TokenRow};

type Subject = Arc<dyn Accounts>;

super::list_cases![dyn Accounts:
    a_token_finds_its_user_until_it_expires,
    a_token_needs_its_user,
    named_tokens_are_listed_newest_first,
    one_token_is_removed_by_its_owner_alone,
    all_tokens_or_only_those_of_logins_are_removed,
    a_removed_users_tokens_are_gone,
];

const NOW: Timestamp = Timestamp(5_000);

pub(super) fn new_token(id: &str, user_id: &str, is_session: bool, created_at: i64) -> NewToken {
    let row = TokenRow {
        id: id.to_owned(),
        user_id: user_id.to_owned(),
        name: if is_session { String::new() } else { format!("name of {id}") },
        is_session,
        created_at: Timestamp(created_at),
        expires_at: None,
        scopes: None,
    };
    NewToken { row, hash: format!("hash of {id}") }
}

async fn keep_token(store: &Subject, token: NewToken) -> TokenRow {
    assert_eq!(store.add_token(token.clone()).await, Ok(()));
    token.row
}

async fn is_valid(store: &Subject, id: &str) -> bool {
    store.find_token(&format!("hash of {id}"), NOW).await.expect("a token is read").is_some()
}

async fn a_token_finds_its_user_until_it_expires(store: Subject) {
    let ada = add_user(&store, "ada", true).await;
    add_user(&store, "bob", false).await;
    let endless = keep_token(&store, new_token("t1", "ada", true, 1_000)).await;
    let mut expiring = new_token("t2", "ada", false, 1_000);
    expiring.row.expires_at = Some(NOW);
    expiring.row.scopes = Some("[]".to_owned());
    let expiring = keep_token(&store, expiring).await;
    assert_eq!(store.find_token("hash of t1", NOW).await, Ok(Some((ada.clone(), endless))));
    assert_eq!(store.find_token("hash of t2", Timestamp(NOW.0 - 1)).await, Ok(Some((ada, expiring))));
    assert_eq!(store.find_token("hash of t2", NOW).await, Ok(None));
    assert_eq!(store.find_token("hash of t3", NOW).await, Ok(None));
}

async fn a_token_needs_its_user(store: Subject) {
    let missing = RecordError::NotFound { kind: "user", id: "eve".to_owned() };
    assert_eq!(store.add_token(new_token("t1", "eve", true, 1_000)).await, Err(missing));
}

async fn named_tokens_are_listed_newest_first(store: Subject) {
    add_user(&store, "ada", true).await;
    add_user(&store, "bob", false).await;
    let first = keep_token(&store, new_token("t1", "ada", false, 1_000)).await;
    let second = keep_token(&store, new_token("t2", "ada", false, 2_000)).await;
    keep_token(&store, new_token("t3", "ada", true, 3_000)).await;
    keep_token(&store, new_token("t4", "bob", false, 3_000)).await;
    assert_eq!(store.list_tokens("ada").await, Ok(vec![second, first]));
}

async fn one_token_is_removed_by_its_owner_alone(store: Subject) {
    add_user(&store, "ada", true).await;
    add_user(&store, "bob", false).await;
    for id in ["t1", "t2"] {
        keep_token(&store, new_token(id, "ada", false, 1_000)).await;
    }
    assert_eq!(store.delete_token("bob", "t1").await, Ok(false));
    assert_eq!(store.delete_token("ada", "t1").await, Ok(true));
    assert_eq!(store.delete_token("ada", "t1").await, Ok(false));
    assert_eq!((is_valid(&store, "t1").await, is_valid(&store, "t2").await), (false, true));
}

async fn all_tokens_or_only_those_of_logins_are_removed(store: Subject) {
    add_user(&store, "ada", true).await;
    add_user(&store, "bob", false).await;
    for (id, user, is_session) in [("t1", "ada", true), ("t2", "ada", false), ("t3", "bob", true)] {
        keep_token(&store, new_token(id, user, is_session, 1_000)).await;
    }
    assert_eq!(store.delete_tokens("ada", true).await, Ok(()));
    let valid = [is_valid(&store, "t1").await, is_valid(&store, "t2").await, is_valid(&store, "t3").await];
    assert_eq!(valid, [false, true, true]);
    assert_eq!(store.delete_tokens("ada", false).await, Ok(()));
    assert_eq!((is_valid(&store, "t2").await, is_valid(&store, "t3").await), (false, true));
}

async fn a_removed_users_tokens_are_gone(store: Subject) {
    add_user(&store, "ada", true).await;
    add_user(&store, "bob", false).await;
    keep_token(&store, new_token("t1", "bob", true, 1_000)).await;
    assert_eq!(store.delete_user("bob").await, Ok(()));
    assert!(!is_valid(&store, "t1").await);
    assert_eq!(store.list_tokens("bob").await, Ok(Vec::new()));
}
