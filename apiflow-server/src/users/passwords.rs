//! Passwords as argon2id hashes, computed and checked off the async threads.

use std::sync::{Arc, LazyLock};

use argon2::password_hash;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;

use crate::http::problem::Problem;

/// Minimum length of an admin's password on a server that others can reach, in characters.
pub(crate) const MIN_ADMIN_PASSWORD_CHARS: usize = 12;

/// Hashes computed at the same time: each takes 19 MiB and a core.
const MAX_CONCURRENT_HASHES: usize = 4;

/// Bytes of a salt. Source: the argon2 crate's own default.
const SALT_BYTES: usize = 16;

/// Minimum number of 1 KiB blocks to allocate for a hash: with more than 32 MiB glibc returns the memory to the
/// system, and does not keep allocations of other sizes for later either. What a hash does not fill takes no memory.
/// Source: mallopt(3), `M_MMAP_THRESHOLD`.
const MIN_ALLOCATED_BLOCKS: usize = 33 * 1024;

/// Hash that the password of an unknown user is checked against, so that the time taken does not reveal which names
/// exist.
static DUMMY_HASH: LazyLock<String> =
    LazyLock::new(|| compute_hash(&crate::users::tokens::generate_token()).expect("argon2's own settings are valid"));

/// Computes and checks hashes.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_CONCURRENT_HASHES)) }
    }
}

impl Passwords {
    /// Returns the hash of a password, in PHC form.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Problem> {
        self.run(move || compute_hash(&password)).await?.map_err(Problem::internal)
    }

    /// Returns whether a password matches a hash; without a hash it takes as long and returns false.
    pub(crate) async fn verify_password(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        self.run(move || {
            let matches = verify_hash(&password, hash.as_deref().unwrap_or(&DUMMY_HASH)).unwrap_or(false);
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

/// Returns the hash of a password with a new salt.
fn compute_hash(password: &str) -> Result<String, password_hash::Error> {
    let argon2 = Argon2::default();
    let salt: [u8; SALT_BYTES] = rand::random();
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params())?,
        salt: Some(Salt::new(&salt)?),
        hash: Some(compute_output(&argon2, password, &salt)?),
    };
    Ok(hash.to_string())
}

/// Returns whether a password matches a hash.
fn verify_hash(password: &str, hash: &str) -> Result<bool, password_hash::Error> {
    let hash = PasswordHash::new(hash)?;
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Ok(false) };
    let version = hash.version.map(Version::try_from).transpose()?.unwrap_or_default();
    let argon2 = Argon2::new(Algorithm::try_from(hash.algorithm.as_str())?, version, Params::try_from(&hash)?);
    // This comparison takes the same time wherever the two differ.
    Ok(*expected == compute_output(&argon2, password, salt)?)
}

/// Does what the library does, in memory that the allocator returns to the system afterwards.
fn compute_output(argon2: &Argon2<'_>, password: &str, salt: &[u8]) -> Result<Output, password_hash::Error> {
    let params = argon2.params();
    let mut blocks = Vec::with_capacity(params.block_count().max(MIN_ALLOCATED_BLOCKS));
    blocks.resize(params.block_count(), Block::default());
    let mut buffer = [0; Output::MAX_LENGTH];
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let output = buffer.get_mut(..length).ok_or(password_hash::Error::OutputSize)?;
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, &mut blocks)?;
    Ok(Output::new(output)?)
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    #[test]
    fn hashes_are_those_of_the_library() {
        let own = compute_hash("horse").expect("it can be hashed");
        let library = Argon2::default().hash_password(b"horse").expect("it can be hashed").to_string();
        for hash in [&own, &library] {
            assert_eq!(verify_hash("horse", hash), Ok(true), "{hash}");
            assert_eq!(verify_hash("house", hash), Ok(false), "{hash}");
        }
        let parsed = PasswordHash::new(&own).expect("it is in PHC form");
        assert!(Argon2::default().verify_password(b"horse", &parsed).is_ok(), "{own}");
        assert_ne!(own, compute_hash("horse").expect("it can be hashed"), "each has its own salt");
    }
}
