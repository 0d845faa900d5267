//! Secrets, and what ties them to declarations.

use std::collections::BTreeSet;
use std::sync::Arc;

use apiflow_core::ports::Timestamp;
use tokio::task::JoinSet;

use super::accounts::user_row;
use super::documents::{new_connector, new_document};
use crate::{Declaration, DocumentKind, Precondition, RecordError, SecretGrant, SecretRow, SecretTies, Stores};

type Subject = Arc<Stores>;

super::list_cases![Stores:
    a_secret_is_set_read_and_removed,
    own_secrets_belong_to_their_owner,
    a_generated_secret_goes_with_its_declaration,
    grants_follow_what_a_declaration_uses,
    what_is_refused_changes_no_secret,
    of_declarations_saved_at_once_no_tie_is_lost,
    of_saves_at_once_the_last_has_its_credential,
];

fn secret_row(owner: Option<&str>, name: &str, origins: &[&str], sealed: &[u8]) -> SecretRow {
    SecretRow {
        owner: owner.map(str::to_owned),
        name: name.to_owned(),
        origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        sealed: sealed.to_vec(),
        updated_at: Timestamp(1_000),
        generated_for: None,
    }
}

fn generated_secret(name: &str, id: &str, sealed: &[u8]) -> SecretRow {
    let author = Some("ann".to_owned());
    let generated_for = Some(Declaration { kind: DocumentKind::Connector, id: id.to_owned(), author });
    SecretRow { generated_for, ..secret_row(None, name, &["https://a.example"], sealed) }
}

fn new_grant(owner: Option<&str>, name: &str, origin: &str) -> SecretGrant {
    SecretGrant { owner: owner.map(str::to_owned), name: name.to_owned(), origin: origin.to_owned() }
}

fn new_ties(generated: &[SecretRow], used: &[&str], grants: &[SecretGrant]) -> SecretTies {
    let used: BTreeSet<String> = used.iter().map(|name| (*name).to_owned()).collect();
    SecretTies { generated: generated.to_vec(), used, grants: grants.to_vec() }
}

async fn save_declaration(store: &Subject, id: &str, ties: SecretTies) {
    let saved = store.documents.save_with_secrets(new_connector(id, 1_000), Precondition::None, ties).await;
    assert!(saved.is_ok(), "{saved:?}");
}

async fn list_names(store: &Subject) -> Vec<String> {
    store.secrets.list_secrets().await.expect("secrets are read").into_iter().map(|secret| secret.name).collect()
}

async fn list_grants(store: &Subject, owner: Option<&str>, name: &str) -> Vec<String> {
    let found = store.secrets.secret_grants(Some((owner, name))).await.expect("grants are read");
    found.into_iter().map(|grant| grant.origin).collect()
}

async fn add_user(store: &Subject, id: &str) {
    assert_eq!(store.accounts.add_user(user_row(id, id, false)).await, Ok(()));
}

async fn a_secret_is_set_read_and_removed(store: Subject) {
    let store = &store.secrets;
    let origins = ["https://b.example.com", "a.example.com:8443"];
    let (first, other) = (secret_row(None, "Z", &origins, &[0, 255, 7]), secret_row(None, "A", &[], &[]));
    for secret in [&first, &other] {
        assert_eq!(store.put_secret(secret.clone()).await, Ok(()));
    }
    assert_eq!(store.secret_row(None, "Z").await, Ok(Some(first.clone())));
    let again = SecretRow { updated_at: Timestamp(2_000), ..secret_row(None, "Z", &[], &[1]) };
    assert_eq!(store.put_secret(again.clone()).await, Ok(()));
    assert_eq!(store.list_secrets().await, Ok(vec![other, again]));
    assert_eq!(store.remove_secret(None, "Z").await, Ok(true));
    assert_eq!((store.remove_secret(None, "Z").await, store.secret_row(None, "Z").await), (Ok(false), Ok(None)));
}

async fn own_secrets_belong_to_their_owner(store: Subject) {
    add_user(&store, "ann").await;
    add_user(&store, "bob").await;
    let [shared, anns, bobs] = [None, Some("ann"), Some("bob")].map(|owner| secret_row(owner, "KEY", &[], b"x"));
    for secret in [&bobs, &shared, &anns] {
        assert_eq!(store.secrets.put_secret(secret.clone()).await, Ok(()));
    }
    assert_eq!(store.secrets.list_secrets().await, Ok(vec![shared, anns.clone(), bobs.clone()]));
    let again = SecretRow { sealed: b"y".to_vec(), ..anns };
    assert_eq!(store.secrets.put_secret(again.clone()).await, Ok(()));
    assert_eq!(store.secrets.secret_row(Some("ann"), "KEY").await, Ok(Some(again)));
    assert_eq!(store.secrets.secret_row(Some("bob"), "KEY").await, Ok(Some(bobs)));
    assert_eq!(store.secrets.secret_row(Some("eve"), "KEY").await, Ok(None));
    assert_eq!(store.secrets.remove_secret(Some("eve"), "KEY").await, Ok(false));
    assert_eq!(store.secrets.remove_secret(None, "KEY").await, Ok(true));
    save_declaration(&store, "c", new_ties(&[], &["KEY"], &[new_grant(Some("bob"), "KEY", "https://a.example")])).await;
    assert_eq!(store.accounts.delete_user("bob").await, Ok(()));
    assert_eq!(store.secrets.secret_row(Some("bob"), "KEY").await, Ok(None), "own secrets go with their owner");
    assert_eq!(list_grants(&store, Some("bob"), "KEY").await, [""; 0]);
    assert_eq!(list_names(&store).await, ["KEY"]);
    let missing = RecordError::NotFound { kind: "user", id: "bob".to_owned() };
    assert_eq!(store.secrets.put_secret(secret_row(Some("bob"), "KEY", &[], b"x")).await, Err(missing));
}

async fn a_generated_secret_goes_with_its_declaration(store: Subject) {
    let [one, two] = ["ONE", "TWO"].map(|name| generated_secret(name, "c", b"x"));
    assert_eq!(store.secrets.put_secret(secret_row(None, "SHARED", &[], b"x")).await, Ok(()));
    save_declaration(&store, "c", new_ties(&[one.clone(), two.clone()], &["ONE", "TWO", "SHARED"], &[])).await;
    assert_eq!(store.secrets.secret_row(None, "ONE").await, Ok(Some(one)));
    save_declaration(&store, "d", new_ties(&[], &[], &[])).await;
    save_declaration(&store, "c", new_ties(&[], &["TWO", "SHARED"], &[])).await;
    assert_eq!(list_names(&store).await, ["SHARED", "TWO"], "what is not referred to any more goes");
    assert_eq!(store.documents.remove(DocumentKind::Connector, "d", Precondition::None).await, Ok(()));
    assert_eq!(store.secrets.secret_row(None, "TWO").await, Ok(Some(two)));
    assert_eq!(store.documents.remove(DocumentKind::Connector, "c", Precondition::None).await, Ok(()));
    assert_eq!(list_names(&store).await, ["SHARED"]);
}

async fn grants_follow_what_a_declaration_uses(store: Subject) {
    add_user(&store, "ann").await;
    let here = [new_grant(None, "KEY", "https://c.example"), new_grant(Some("ann"), "KEY", "https://ann.example")];
    save_declaration(&store, "c", new_ties(&[], &["KEY"], &here)).await;
    save_declaration(&store, "d", new_ties(&[], &["KEY"], &[new_grant(None, "KEY", "https://d.example")])).await;
    assert_eq!(list_grants(&store, None, "KEY").await, ["https://c.example", "https://d.example"]);
    assert_eq!(list_grants(&store, Some("ann"), "KEY").await, ["https://ann.example"]);
    save_declaration(&store, "c", new_ties(&[], &["KEY"], &[])).await;
    assert_eq!(
        list_grants(&store, None, "KEY").await,
        ["https://c.example", "https://d.example"],
        "no word changes none"
    );
    save_declaration(&store, "c", new_ties(&[], &["KEY"], &[new_grant(None, "KEY", "https://moved.example")])).await;
    assert_eq!(list_grants(&store, None, "KEY").await, ["https://d.example", "https://moved.example"]);
    assert_eq!(list_grants(&store, Some("ann"), "KEY").await, ["https://ann.example"]);
    save_declaration(&store, "c", new_ties(&[], &["OTHER"], &[])).await;
    assert_eq!(list_grants(&store, None, "KEY").await, ["https://d.example"]);
    assert_eq!(store.documents.remove(DocumentKind::Connector, "d", Precondition::None).await, Ok(()));
    assert_eq!(store.secrets.secret_grants(None).await, Ok(Vec::new()));
}

async fn what_is_refused_changes_no_secret(store: Subject) {
    save_declaration(
        &store,
        "c",
        new_ties(&[generated_secret("ONE", "c", b"x")], &["ONE"], &[new_grant(None, "KEY", "https://a.example")]),
    )
    .await;
    let before = (store.secrets.list_secrets().await, store.secrets.secret_grants(None).await);
    let other = new_ties(&[generated_secret("ONE", "c", b"y")], &[], &[new_grant(None, "KEY", "https://evil.example")]);
    for must in [Precondition::Absent, Precondition::Version(7)] {
        let refused = store.documents.save_with_secrets(new_connector("c", 2_000), must, other.clone()).await;
        assert!(refused.is_err(), "{refused:?}");
    }
    let node = new_document(DocumentKind::Node, "n", 1_000, &[(DocumentKind::Connector, "c")]);
    assert!(store.documents.save_document(node, Precondition::None).await.is_ok());
    assert!(store.documents.remove(DocumentKind::Connector, "c", Precondition::None).await.is_err());
    assert_eq!((store.secrets.list_secrets().await, store.secrets.secret_grants(None).await), before);
}

async fn of_declarations_saved_at_once_no_tie_is_lost(store: Subject) {
    let mut saves = JoinSet::new();
    for index in 0..8 {
        let store = store.clone();
        saves.spawn(async move {
            let (id, name) = (format!("c{index}"), format!("GENERATED_{index}"));
            let grants = [new_grant(None, "KEY", &format!("https://{id}.example"))];
            save_declaration(&store, &id, new_ties(&[generated_secret(&name, &id, b"x")], &["KEY", &name], &grants))
                .await;
        });
    }
    saves.join_all().await;
    assert_eq!(list_grants(&store, None, "KEY").await.len(), 8);
    assert_eq!(list_names(&store).await.len(), 8);
}

/// The text of a declaration and the credential that was taken out of it come from the same save.
async fn of_saves_at_once_the_last_has_its_credential(store: Subject) {
    for round in 0..5 {
        let id = format!("c{round}");
        let mut saves = JoinSet::new();
        for index in 0..8_u8 {
            let (store, id) = (store.clone(), id.clone());
            saves.spawn(async move {
                let name = format!("OF_{id}");
                let declared = crate::Document { author: Some(index.to_string()), ..new_connector(&id, 1_000) };
                let ties = new_ties(&[generated_secret(&name, &id, &[index])], &[&name], &[]);
                store.documents.save_with_secrets(declared, Precondition::None, ties).await
            });
        }
        assert!(saves.join_all().await.iter().all(Result::is_ok));
        let saved =
            store.documents.read_document(DocumentKind::Connector, &id).await.expect("read").expect("it is there");
        let secret = store.secrets.secret_row(None, &format!("OF_{id}")).await.expect("read").expect("it is there");
        assert_eq!(saved.author, Some(secret.sealed[0].to_string()));
    }
}
