//! Provider keys: kept sealed, or taken from the environment, each with the origins that it may be sent to.
//!
//! A secret is shared (set by an admin, or listed by the operator), a user's own, or generated: taken out of the
//! declaration in which somebody wrote it in clear. `access` says who may refer to which.
//!
//! Architecture invariant: the secret book never returns a secret without a list of origins. Who declares a connector
//! cannot thereby point a key at an origin of their own: origins come from an admin, from the operator, or from whoever
//! brought the key itself.

pub(crate) mod access;
mod book;
pub(crate) mod directory;
mod fingerprint;
mod literals;
mod names;
mod opened_cache;
mod origins;
mod seal;

pub use self::book::SecretBook;
pub use self::fingerprint::FingerprintError;
pub(crate) use self::literals::take_literals;
pub use self::seal::{KeyError, Sealer};
