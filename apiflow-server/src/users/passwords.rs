//! Passwords as argon2id hashes, made and checked off the async threads.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::http::problem::Problem;

/// The fewest characters that an admin's password may have on a server that others can reach.
pub(crate) const MIN_ADMIN_PASSWORD_CHARS: usize = 12;

/// Hashes computed at the same time: each takes 19 MiB and a core.
const MAX_CONCURRENT_HASHES: usize = 4;

/// Hash that a name without a user is checked against, so that the time taken does not tell which names exist.
static DUMMY: LazyLock<String> =
    LazyLock::new(|| compute(&crate::users::tokens::generate()).expect("argon2's own settings are valid"));

/// Makes and checks hashes.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_CONCURRENT_HASHES)) }
    }
}

impl Passwords {
    /// The hash of a password, in PHC form.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Problem> {
        self.run(move || compute(&password)).await?.map_err(Problem::internal)
    }

    /// Whether a password is the one of a hash; without a hash it takes as long and is not.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        self.run(move || {
            let matches = matches(&password, hash.as_deref().unwrap_or(&DUMMY));
            matches && hash.is_some()
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(Problem::internal)?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await
        .map_err(Problem::internal)
    }
}

fn compute(password: &str) -> Result<String, argon2::password_hash::Error> {
    Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string())
}

fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
}
