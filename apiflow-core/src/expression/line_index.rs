//! Converts byte offsets to lines and columns.

use crate::diagnostic::Span;

/// The byte offsets at which the lines of a string begin.
pub(super) struct Lines<'s> {
    source: &'s str,
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    pub(super) fn from_source(source: &'s str) -> Self {
        let starts = source.match_indices('\n').map(|(newline, _)| newline + 1);
        Self { source, starts: std::iter::once(0).chain(starts).collect() }
    }

    /// Returns the line and column of a byte; of the last character if the byte is past the end.
    pub(super) fn span_of_byte(&self, byte: usize) -> Span {
        let end = self.source.floor_char_boundary(byte);
        let line = self.starts.partition_point(|start| *start <= end);
        let start = self.starts[line - 1];
        Span { line: line as u32, column: self.source[start..end].chars().count() as u32 + 1 }
    }
}
