//! Provider keys: stored sealed, or read from the environment, each with the origins that it may be sent to.
//!
//! A secret is shared (set by an admin, or listed by the operator), owned by a user, or generated: moved out of a
//! declaration that contained it in plain text. `access` defines who may refer to which.
//!
//! Architecture invariant: the secret book never returns a secret without a list of origins. So a user can't send a key to
//! another origin by declaring a connector: origins come from an admin, the operator, or the user who supplied the key.

pub(crate) mod access;
mod book;
pub(crate) mod directory;
mod fingerprint;
mod literals;
mod names;
mod opened_cache;
mod origins;
mod seal;
mod webhook_addresses;

pub use self::book::SecretBook;
pub use self::fingerprint::FingerprintError;
pub(crate) use self::literals::{SendOrigins, take_literals};
pub use self::seal::{KeyError, Sealer};
pub use self::webhook_addresses::SecretsWithWebhooks;
pub(crate) use self::webhook_addresses::read_webhook_target;
