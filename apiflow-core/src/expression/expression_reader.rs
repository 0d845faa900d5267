//! Reads expressions with one scan of the source and at most one parse.

use oxc_allocator::Allocator;

use super::SyntaxFault;
use super::nesting_limits::scan_tokens;
use super::plain_path::{PlainPath, path_of};
use super::references::{References, of_path, of_program};
use super::syntax::{parse_program, without_modules};

/// Reads expressions one after the other, reusing memory.
#[derive(Default)]
pub struct Reader {
    allocator: Allocator,
}

/// What is known about a valid expression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The steps, inputs and names that it refers to.
    pub references: References,
    /// The plain path, if the expression is one.
    pub path: Option<PlainPath>,
}

impl Reader {
    /// Reads an expression.
    ///
    /// # Errors
    /// The syntax fault, as of [`super::check_syntax`].
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
