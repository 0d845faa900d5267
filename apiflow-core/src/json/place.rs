//! Positions in a document, converted to JSON Pointers only if a finding is reported there.

use crate::json::pointer_push;

/// A position in a document, as a chain of references to its parents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    token: PlaceToken<'a>,
}

#[derive(Debug, Clone, Copy)]
enum PlaceToken<'a> {
    Root,
    Pointer(&'a str),
    Key(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// The whole document.
    pub(crate) const ROOT: Place<'static> = Place { parent: None, token: PlaceToken::Root };

    /// Returns the place that a JSON Pointer names.
    pub(crate) fn at_pointer(pointer: &'a str) -> Self {
        Self { parent: None, token: PlaceToken::Pointer(pointer) }
    }

    /// Returns the position of a field.
    pub(crate) fn key(&'a self, name: &'a str) -> Place<'a> {
        Place { parent: Some(self), token: PlaceToken::Key(name) }
    }

    /// Returns the position of an array element.
    pub(crate) fn index(&'a self, index: usize) -> Place<'a> {
        Place { parent: Some(self), token: PlaceToken::Index(index) }
    }

    /// Builds the JSON Pointer of the position.
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::with_capacity(64);
        self.write(&mut pointer);
        pointer
    }

    fn write(&self, pointer: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(pointer);
        }
        match self.token {
            PlaceToken::Root => {}
            PlaceToken::Pointer(whole) => pointer.push_str(whole),
            PlaceToken::Key(name) if name.contains(['~', '/']) => *pointer = pointer_push(pointer, name),
            PlaceToken::Key(name) => {
                pointer.push('/');
                pointer.push_str(name);
            }
            PlaceToken::Index(index) => {
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_pointer_escapes_its_tokens() {
        let root = Place::ROOT;
        let list = root.key("a/b~c");
        assert_eq!(root.pointer(), "");
        assert_eq!(list.index(12).pointer(), "/a~1b~0c/12");
        assert_eq!(Place::at_pointer("/a~1b~0c").index(12).pointer(), "/a~1b~0c/12");
    }
}
