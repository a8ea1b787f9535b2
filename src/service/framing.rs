//! Where one message of a call's body ends and the next begins. It reads lengths, never messages.

/// A message is led by a byte for its encoding and four for its length (gRPC over HTTP/2, "Length-Prefixed-Message").
pub(super) const PREFIX: usize = 5;

/// The prefix of an uncompressed message of so many bytes; no answer is too long for it.
pub(super) fn prefix(length: usize) -> [u8; PREFIX] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

/// What bytes begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// An uncompressed message that is all here: so many bytes with its prefix.
    Whole(usize),
    /// A part of one, or nothing: so many bytes are missing of it, or of its prefix.
    Part(usize),
    /// A compressed message, or one that is larger than it may be.
    Odd,
}

impl Next {
    /// Where a message may have `most` bytes.
    pub(super) fn of(bytes: &[u8], most: usize) -> Self {
        let Some(([flag, length @ ..], message)) = bytes.split_first_chunk::<PREFIX>() else {
            return Self::Part(PREFIX - bytes.len());
        };
        let length = u32::from_be_bytes(*length) as usize;
        if *flag != 0 || length > most {
            Self::Odd
        } else if length > message.len() {
            Self::Part(length - message.len())
        } else {
            Self::Whole(PREFIX + length)
        }
    }
}

/// Follows a body.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// Bytes of the prefix that have come.
    prefix: usize,
    length: u32,
    /// Bytes that have come of a message that is not whole, its prefix among them.
    open: usize,
}

impl Framing {
    /// Takes note of more of the body: how much has come of a message that is not whole, and whether another has become
    /// whole.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> (usize, bool) {
        let mut has_ended = false;
        while let Some((first, rest)) = bytes.split_first() {
            if self.prefix < PREFIX {
                // The first byte is none of the length.
                self.length = if self.prefix == 0 { 0 } else { self.length << 8 | u32::from(*first) };
                self.prefix += 1;
                self.open += 1;
                bytes = rest;
            } else {
                let part = bytes.len().min(self.missing());
                self.open += part;
                bytes = bytes.get(part..).unwrap_or_default();
            }
            if self.prefix == PREFIX && self.missing() == 0 {
                *self = Self::default();
                has_ended = true;
            }
        }
        (self.open, has_ended)
    }

    fn missing(&self) -> usize {
        let whole = usize::try_from(self.length).unwrap_or(usize::MAX).saturating_add(PREFIX);
        whole.saturating_sub(self.open)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Framing;

    fn message(length: u32) -> Vec<u8> {
        [&[0][..], &length.to_be_bytes(), &vec![7; length as usize]].concat()
    }

    #[test]
    fn an_empty_message_ends_with_its_prefix() {
        let mut framing = Framing::default();
        assert_eq!(framing.pass(&message(0)[..4]), (4, false));
        assert_eq!(framing.pass(&[0]), (0, true));
        assert_eq!(framing.pass(&[0, 0xff, 0xff, 0xff, 0xff, 1, 2]), (7, false), "whatever it says is to come");
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_end_where_the_messages_do(
            lengths in prop::collection::vec(0u32..600, 1..20), sizes in prop::collection::vec(1usize..300, 1..50),
        ) {
            let ends: Vec<usize> = lengths.iter().scan(0, |end, length| {
                *end += *length as usize + 5;
                Some(*end)
            }).collect();
            let body: Vec<u8> = lengths.iter().flat_map(|length| message(*length)).collect();
            let (mut framing, mut at, mut sizes) = (Framing::default(), 0, sizes.iter().cycle());
            while at < body.len() {
                let next = (at + sizes.next().unwrap()).min(body.len());
                let (open, has_ended) = framing.pass(&body[at..next]);
                let last = ends.iter().rev().find(|end| **end <= next).copied().unwrap_or_default();
                prop_assert_eq!((open, has_ended), (next - last, last > at));
                at = next;
            }
        }
    }
}
