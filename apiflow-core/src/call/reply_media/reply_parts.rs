//! The parts that are taken out of one reply.

use super::{MARKER_START, Marker};

/// What was taken out of one reply. The bytes of all parts are one sequence, of which each part is a range.
#[derive(Debug)]
pub(crate) struct ReplyParts {
    nonce: String,
    parts: Vec<ReplyPart>,
    /// Bytes that were decoded since [`ReplyParts::take_bytes`].
    fresh: Vec<u8>,
    /// Number of all decoded bytes.
    total: u64,
}

/// One part that was taken out of a reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReplyPart {
    /// Position of its first byte in the sequence.
    pub(crate) start: u64,
    /// Size, in bytes.
    pub(crate) size: u64,
    /// MIME type that the reply states.
    pub(crate) mime: Option<String>,
    /// File name that the reply states.
    pub(crate) name: Option<String>,
    /// Why the part cannot be used, if it cannot.
    pub(crate) fault: Option<String>,
}

impl ReplyParts {
    /// Creates an empty list; `nonce` is a random word of hexadecimal digits that no provider can know.
    pub(crate) fn new(nonce: String) -> Self {
        Self { nonce, parts: Vec::new(), fresh: Vec::new(), total: 0 }
    }

    /// Creates an empty list for the same reply.
    pub(crate) fn restarted(&self) -> Self {
        Self::new(self.nonce.clone())
    }

    /// Returns the number of parts.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Returns the size of all parts together, in bytes.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.total
    }

    /// Begins a part.
    pub(crate) fn begin_part(&mut self, mime: Option<String>, name: Option<String>) {
        self.parts.push(ReplyPart { start: self.total, mime, name, ..ReplyPart::default() });
    }

    /// Appends bytes to the current part.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.fresh.extend_from_slice(bytes);
        self.total += bytes.len() as u64;
    }

    /// Says why the current part cannot be used.
    pub(crate) fn fail_part(&mut self, fault: &str) {
        if let Some(part) = self.parts.last_mut() {
            part.fault.get_or_insert_with(|| fault.to_owned());
        }
    }

    /// Ends the current part, and returns the marker that replaces it.
    pub(crate) fn end_part(&mut self) -> String {
        let index = self.parts.len().saturating_sub(1);
        let size = self.parts.last().map_or(0, |part| self.total - part.start);
        if let Some(part) = self.parts.last_mut() {
            part.size = size;
        }
        format!("{MARKER_START}{index}, {size} bytes, {}>", self.nonce)
    }

    /// Returns the bytes that were decoded since the last time.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.fresh)
    }

    /// Finds the part that a marker replaces; `None` if the marker is not one of this reply.
    pub(crate) fn part_at(&self, marker: &str) -> Option<&ReplyPart> {
        let marker = Marker::parse(marker)?;
        (marker.nonce == self.nonce).then(|| self.parts.get(marker.index)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "0123456789abcdef";

    #[test]
    fn a_marker_leads_to_its_part_and_a_forged_one_to_none() {
        let mut parts = ReplyParts::new(NONCE.to_owned());
        parts.begin_part(Some("image/png".to_owned()), None);
        parts.push_bytes(b"abc");
        let first = parts.end_part();
        parts.begin_part(None, None);
        parts.push_bytes(b"defg");
        let second = parts.end_part();
        assert_eq!((parts.take_bytes(), parts.total_bytes()), (b"abcdefg".to_vec(), 7));
        assert_eq!(parts.part_at(&first).map(|part| (part.start, part.size)), Some((0, 3)));
        assert_eq!(parts.part_at(&second).map(|part| (part.start, part.size)), Some((3, 4)));
        assert_eq!(Marker::parse(&second).map(|marker| marker.size), Some(4));
        for forged in [
            format!("<media 0, 3 bytes, {}>", "f".repeat(16)),
            format!("<media 2, 3 bytes, {NONCE}>"),
            format!("<media 0, 3 bytes, {NONCE}, 1>"),
            "<media 0, 3 bytes, >".to_owned(),
            "<media>".to_owned(),
        ] {
            assert_eq!(parts.part_at(&forged), None, "{forged}");
        }
    }
}
