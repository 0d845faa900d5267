//! Decodes base64 that arrives in pieces of any size.

/// Value of the bytes that are no character of base64.
const INVALID: u8 = 0xff;
/// Value of white space.
const SPACE: u8 = 0xfe;
/// Value of the padding.
const PADDING: u8 = 0xfd;

/// The value of each byte: both alphabets of RFC 4648, §4 and §5.
const VALUES: [u8; 256] = make_values();

const fn make_values() -> [u8; 256] {
    let mut values = [INVALID; 256];
    let mut at = 0;
    while at < 26 {
        values[b'A' as usize + at] = at as u8;
        values[b'a' as usize + at] = at as u8 + 26;
        at += 1;
    }
    let mut digit = 0;
    while digit < 10 {
        values[b'0' as usize + digit] = digit as u8 + 52;
        digit += 1;
    }
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    values[b'=' as usize] = PADDING;
    values[b'\n' as usize] = SPACE;
    values[b'\r' as usize] = SPACE;
    values[b'\t' as usize] = SPACE;
    values[b' ' as usize] = SPACE;
    values
}

/// The state between two pieces.
#[derive(Debug, Default)]
pub(super) struct Base64Decoder {
    /// The bits of the characters that do not make up three bytes yet.
    bits: u32,
    /// Number of those characters, from 0 to 3.
    count: u8,
    is_padded: bool,
}

impl Base64Decoder {
    /// Returns whether a byte may occur in base64. White space other than line breaks is not expected there.
    #[cfg(feature = "runtime")]
    pub(super) fn is_expected(byte: u8) -> bool {
        VALUES[usize::from(byte)] < SPACE || matches!(byte, b'\n' | b'\r')
    }

    /// Decodes the next characters.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn decode_into(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        let mut rest = text;
        while !rest.is_empty() {
            if self.count == 0 && !self.is_padded {
                rest = decode_quads(rest, out);
            }
            let Some((first, after)) = rest.split_first() else { break };
            self.decode_one(*first, out)?;
            rest = after;
        }
        Ok(())
    }

    fn decode_one(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), &'static str> {
        match VALUES[usize::from(byte)] {
            SPACE => {}
            PADDING => self.is_padded = true,
            INVALID => return Err("it contains a character that is not base64"),
            _ if self.is_padded => return Err("its base64 continues after the padding"),
            value => {
                self.bits = self.bits << 6 | u32::from(value);
                self.count += 1;
                if self.count == 4 {
                    out.extend_from_slice(&self.bits.to_be_bytes()[1..]);
                    (self.bits, self.count) = (0, 0);
                }
            }
        }
        Ok(())
    }

    /// Decodes the last bytes.
    ///
    /// # Errors
    /// The text is incomplete.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str> {
        match self.count {
            0 => {}
            1 => return Err("the base64 is cut off"),
            2 => out.push((self.bits >> 4) as u8),
            _ => out.extend_from_slice(&((self.bits >> 2) as u16).to_be_bytes()),
        }
        *self = Self::default();
        Ok(())
    }
}

/// Decodes groups of four characters, and returns the text from the first group on that contains anything else.
fn decode_quads<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let (quads, tail) = text.as_chunks::<4>();
    for (index, quad) in quads.iter().enumerate() {
        let values = quad.map(|byte| VALUES[usize::from(byte)]);
        if values.iter().any(|value| *value > 63) {
            return &text[index * 4..];
        }
        let bits = values.iter().fold(0_u32, |bits, value| bits << 6 | u32::from(*value));
        out.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    tail
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<u8>, &'static str> {
        let mut decoder = Base64Decoder::default();
        let mut out = Vec::new();
        for piece in pieces {
            decoder.decode_into(piece, &mut out)?;
        }
        decoder.finish(&mut out)?;
        Ok(out)
    }

    proptest! {
        #[test]
        fn every_split_gives_the_same_bytes(bytes: Vec<u8>, at: prop::sample::Index, form in 0..4) {
            let text = match form {
                0 => STANDARD.encode(&bytes),
                1 => STANDARD_NO_PAD.encode(&bytes),
                2 => URL_SAFE.encode(&bytes),
                _ => STANDARD.encode(&bytes).chars().flat_map(|c| [c, '\n']).collect(),
            };
            let (first, second) = text.as_bytes().split_at(at.index(text.len() + 1));
            prop_assert_eq!(decode(&[first, second]), Ok(bytes));
        }
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(decode(&[b"aGk*"]), Err("it contains a character that is not base64"));
        assert_eq!(decode(&[b"aGk=a"]), Err("its base64 continues after the padding"));
        assert_eq!(decode(&[b"aGkhI"]), Err("the base64 is cut off"));
        assert_eq!(decode(&[b""]), Ok(Vec::new()));
    }
}
