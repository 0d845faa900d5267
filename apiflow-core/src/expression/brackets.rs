//! The stack of brackets that are open at a position of the source.

/// An opening bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    /// Byte offset of the bracket.
    pub(super) start: usize,
    /// The bracket as it is written.
    pub(super) text: &'static str,
    closer: char,
    template: bool,
    condition: bool,
}

impl Open {
    /// Creates the `${` of a template literal.
    pub(super) fn template_literal(start: usize) -> Self {
        Self { start, text: "${", closer: '}', template: true, condition: false }
    }

    /// Creates a `(`, `[` or `{`; `condition` if it contains the condition of a statement.
    pub(super) fn new_bracket(start: usize, bracket: char, condition: bool) -> Self {
        let (text, closer) = match bracket {
            '(' => ("(", ')'),
            '[' => ("[", ']'),
            _ => ("{", '}'),
        };
        Self { start, text, closer, template: false, condition }
    }
}

/// The stack of open brackets, outermost first.
#[derive(Debug, Default)]
pub(super) struct Brackets {
    open: Vec<Open>,
    closed_condition: bool,
}

impl Brackets {
    pub(super) fn open(&mut self, bracket: Open) {
        self.open.push(bracket);
    }

    /// Closes the innermost bracket; returns whether the character matches it.
    pub(super) fn close(&mut self, character: char) -> bool {
        match self.open.pop() {
            Some(open) => {
                self.closed_condition = open.condition;
                open.closer == character
            }
            None => false,
        }
    }

    pub(super) fn innermost(&self) -> Option<&Open> {
        self.open.last()
    }

    /// Returns whether a `}` here ends a placeholder of a template literal.
    pub(super) fn in_template(&self) -> bool {
        self.open.last().is_some_and(|open| open.template)
    }

    /// Returns whether the bracket closed last contained the condition of a statement.
    pub(super) fn closed_condition(&self) -> bool {
        self.closed_condition
    }
}
