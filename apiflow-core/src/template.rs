//! Templates in headers, queries, paths and bodies of connectors and nodes.
//!
//! - `$NAME` is a secret reference (letters, digits, `_`, not beginning with a digit); `$$` is a literal `$`; a `$`
//!   that is not followed by a name is literal, too.
//! - `{{ input }}`, `{{ input.prompt }}`, `{{ reply.urls.get }}`, `{{ job.id }}`, `{{ step.id }}` and `{{ step.attempt
//!   }}` are paths, not programs.
//! - A string that consists of one placeholder keeps the value's JSON type; a key whose placeholder has no value is
//!   omitted, and so is a string that contains a placeholder without a value.
//! - Templates are expanded once. Values are never parsed as templates, and secrets are kept apart from the text until
//!   [`resolve_secrets()`] writes them: until then a [`crate::ports::SecretUse`] says which marker stands for which
//!   secret, and the marker is derived from all the request's text and occurs nowhere else in it. The same holds for
//!   files ([`crate::ports::MediaUse`]), which are read while they are sent.

mod compile;
mod display_request;
mod expand;
mod resolve_body;
mod resolve_secrets;
mod secret_markers;
mod secret_references;
mod template_string;
#[cfg(test)]
mod tests;

pub(crate) use self::compile::{Template, TemplateCompiler};
pub(crate) use self::display_request::{display_request, display_url};
pub(crate) use self::expand::{Expanded, Piece, TemplateScope, dot_segment, join_pieces, percent_encode};
pub use self::resolve_body::{BodySegment, MediaEncoding};
pub use self::resolve_secrets::{ResolveError, Resolved, resolve_secrets};
pub(crate) use self::secret_markers::{DraftBody, DraftContent, DraftPart, DraftRequest, derive_word, encode_pair};
pub use self::secret_references::{SecretReference, secret_references};
pub(crate) use self::template_string::{Part, Root, Text};
