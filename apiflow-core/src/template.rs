//! Templates in headers, queries, paths and bodies of connectors and nodes.
//!
//! - `$NAME` is a secret reference (letters, digits, `_`, not beginning with a digit); `$$` is a `$`; a `$` that no
//!   name follows is itself.
//! - `{{ input }}`, `{{ input.prompt }}`, `{{ reply.urls.get }}`, `{{ job.id }}`, `{{ step.id }}` and
//!   `{{ step.attempt }}` are paths, not programs.
//! - A string that is exactly one placeholder keeps the value's JSON type; a key whose placeholder has no value is
//!   left out, and so is text around one without a value.
//! - Templates are expanded once. Values are never read as templates, and secrets stay apart from the text until
//!   [`resolve`] writes them: in between a [`crate::ports::SecretUse`] says which marker stands for which secret, and
//!   the marker is derived from all the request's text and occurs nowhere else in it.

mod compile;
mod display;
mod draft;
mod expand;
mod path;
mod references;
mod resolve;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use self::compile::{Compiler, Template};
pub use self::display::{display, display_url};
pub(crate) use self::draft::{Draft, DraftBody, encode_pair};
pub(crate) use self::expand::{Expanded, Piece, Scope, dot_segment, join};
pub(crate) use self::path::{Found, Path, scalar_text};
pub use self::references::{SecretReference, secret_references};
pub use self::resolve::{ResolveError, Resolved, resolve};
pub(crate) use self::text::{Part, Root, Text};
