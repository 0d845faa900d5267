//! The last admin can't be removed or demoted.

use std::sync::Arc;

use super::accounts::add_user;
use crate::{Accounts, RecordError, UserChange};

type Subject = Arc<dyn Accounts>;

super::list_cases![dyn Accounts:
    the_last_admin_is_neither_demoted_nor_removed,
    one_of_two_admins_may_go,
    of_all_admins_demoted_and_removed_at_once_one_stays,
];

fn demote_change() -> UserChange {
    UserChange { is_admin: Some(false), ..UserChange::default() }
}

async fn the_last_admin_is_neither_demoted_nor_removed(store: Subject) {
    let ada = add_user(&store, "ada", true).await;
    add_user(&store, "bob", false).await;
    let last = RecordError::LastAdmin { id: "ada".to_owned() };
    assert_eq!(store.change_user("ada", demote_change()).await, Err(last.clone()));
    assert_eq!(store.delete_user("ada").await, Err(last));
    assert_eq!(store.read_user("ada").await, Ok(Some(ada)));
    assert!(store.change_user("bob", demote_change()).await.is_ok());
    assert_eq!(store.delete_user("bob").await, Ok(()));
}

async fn one_of_two_admins_may_go(store: Subject) {
    for id in ["ada", "bob", "eve"] {
        add_user(&store, id, true).await;
    }
    assert_eq!(store.change_user("ada", demote_change()).await.map(|user| user.is_admin), Ok(false));
    assert_eq!(store.delete_user("bob").await, Ok(()));
    assert_eq!(store.delete_user("eve").await, Err(RecordError::LastAdmin { id: "eve".to_owned() }));
    let promotion = UserChange { is_admin: Some(true), ..UserChange::default() };
    assert_eq!(store.change_user("ada", promotion).await.map(|user| user.is_admin), Ok(true));
    assert_eq!(store.delete_user("eve").await, Ok(()));
}

async fn of_all_admins_demoted_and_removed_at_once_one_stays(store: Subject) {
    for index in 0..8 {
        add_user(&store, &format!("u{index}"), true).await;
    }
    let mut going = tokio::task::JoinSet::new();
    for index in 0..8 {
        let (store, id) = (store.clone(), format!("u{index}"));
        going.spawn(async move {
            if index % 2 == 0 {
                store.change_user(&id, demote_change()).await.map(drop)
            } else {
                store.delete_user(&id).await
            }
        });
    }
    let done = going.join_all().await;
    let refused = done.iter().filter(|done| matches!(done, Err(RecordError::LastAdmin { .. }))).count();
    assert_eq!((refused, done.iter().filter(|done| done.is_ok()).count()), (1, 7), "{done:?}");
    let users = store.list_users(None, 10).await.expect("a page is read");
    assert_eq!(users.iter().filter(|user| user.is_admin).count(), 1);
}
