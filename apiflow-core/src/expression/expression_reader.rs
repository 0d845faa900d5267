//! Reads expressions, each with one pass over its text and at most one parse.

use oxc_allocator::Allocator;

use super::SyntaxFault;
use super::nesting_limits::scan_tokens;
use super::plain_path::{PlainPath, path_of};
use super::references::{References, of_path, of_program};
use super::syntax::{parse_program, without_modules};

/// Reads one expression after the other in the same memory.
#[derive(Default)]
pub struct Reader {
    allocator: Allocator,
}

/// What an expression that parses is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// What it refers to.
    pub references: References,
    /// The plain path that it is, if it is one.
    pub path: Option<PlainPath>,
}

impl Reader {
    /// Reads an expression, or says why it is none, as [`super::check_syntax`] does.
    pub fn read(&mut self, source: &str, predicate: bool) -> Result<Reading, SyntaxFault> {
        let tokens = scan_tokens(source)?;
        if let Some(placed) = path_of(&tokens) {
            return Ok(Reading { references: of_path(source, &placed), path: Some(placed.path) });
        }
        without_modules(source, &tokens)?;
        let found = parse_program(&self.allocator, source, &tokens, predicate)
            .map(|(program, start)| Reading { references: of_program(source, start, &program), path: None });
        self.allocator.reset();
        found
    }
}
