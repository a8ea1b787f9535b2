//! Page tokens: where a list goes on, sealed together with the snapshot, the moment and the query of its first page.
//!
//! The key is drawn when the process starts, so a token is good in that process only, and nobody else can make one: a
//! caller chooses neither the moment nor what its list goes on with.

use std::io;

use blake3::Hash;
use prost::Message;

use crate::model::{Malformed, Timestamp};

const VERSION: u8 = 1;
/// How much of a digest a token carries: 128 bits.
const SHORT: usize = 16;
/// Version, snapshot, seconds, nanoseconds, position, query.
const BODY: usize = 1 + SHORT + 8 + 4 + 4 + SHORT;
const SEALED: usize = BODY + blake3::OUT_LEN;

/// Seals tokens and opens them. One for the whole process: pages of a list may be asked on different connections.
pub(super) struct PageTokens {
    key: [u8; blake3::KEY_LEN],
}

impl std::fmt::Debug for PageTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageTokens").finish_non_exhaustive()
    }
}

/// What is listed, without where it goes on: the same on every page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Query([u8; SHORT]);

/// Where a list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The beginning of the snapshot's digest.
    pub(super) snapshot: [u8; SHORT],
    /// The moment of every page.
    pub(super) time: Timestamp,
    /// The first entity of the page.
    pub(super) position: u32,
}

impl Place {
    /// A place in a list of a snapshot.
    pub(super) fn new(digest: [u8; 32], time: Timestamp, position: u32) -> Self {
        Self { snapshot: short(digest), time, position }
    }

    /// Another place in the same list.
    pub(super) fn at(self, position: u32) -> Self {
        Self { position, ..self }
    }

    /// Whether it is a place in a list of this snapshot.
    pub(super) fn is_of(&self, digest: [u8; 32]) -> bool {
        self.snapshot == short(digest)
    }
}

impl PageTokens {
    /// Draws the key.
    ///
    /// # Errors
    /// The system has no random bytes to give.
    pub(super) fn new() -> io::Result<Self> {
        let mut key = [0; blake3::KEY_LEN];
        getrandom::fill(&mut key).map_err(|error| io::Error::other(format!("no random numbers: {error}")))?;
        Ok(Self { key })
    }

    /// The query of a call: its name, and its message without paging, consistency and request id. The encoding is the
    /// same for the same message, because maps are sorted.
    pub(super) fn query(&self, call: &str, message: &impl Message) -> Query {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(call.as_bytes()).update(&[0]).update(&message.encode_to_vec());
        Query(short(*hasher.finalize().as_bytes()))
    }

    /// The token of a place.
    pub(super) fn seal(&self, place: &Place, query: Query) -> String {
        let Place { snapshot, time, position } = place;
        let mut bytes = Vec::with_capacity(SEALED);
        bytes.push(VERSION);
        bytes.extend_from_slice(snapshot);
        bytes.extend_from_slice(&time.seconds().to_le_bytes());
        bytes.extend_from_slice(&time.nanos().to_le_bytes());
        bytes.extend_from_slice(&position.to_le_bytes());
        bytes.extend_from_slice(&query.0);
        let seal = blake3::keyed_hash(&self.key, &bytes);
        bytes.extend_from_slice(seal.as_bytes());
        bytes.iter().fold(String::with_capacity(2 * SEALED), |text, byte| text + &format!("{byte:02x}"))
    }

    /// The place of a token.
    ///
    /// # Errors
    /// A token that this process did not seal, or that belongs to another query.
    pub(super) fn open(&self, token: &str, query: Query) -> Result<Place, Malformed> {
        let foreign = || {
            Malformed::new(
                "page_token",
                "was not given out by this process, or is damaged: ask for the first page again",
            )
        };
        let sealed = decode(token).ok_or_else(foreign)?;
        let (body, seal) = sealed.split_first_chunk::<BODY>().ok_or_else(foreign)?;
        let seal: [u8; blake3::OUT_LEN] = seal.try_into().map_err(|_| foreign())?;
        // Compared in constant time.
        if blake3::keyed_hash(&self.key, body) != Hash::from_bytes(seal) {
            return Err(foreign());
        }
        let (place, own) = read(body).ok_or_else(foreign)?;
        if own != query {
            return Err(Malformed::new("page_token", "belongs to another query: send the query of the first page"));
        }
        Ok(place)
    }
}

fn short(digest: [u8; 32]) -> [u8; SHORT] {
    digest.first_chunk().copied().unwrap_or_default()
}

fn decode(token: &str) -> Option<[u8; SEALED]> {
    if token.len() != 2 * SEALED {
        return None;
    }
    let mut bytes = [0; SEALED];
    let (pairs, _) = token.as_bytes().as_chunks::<2>();
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(sign: u8) -> Option<u8> {
    match sign {
        b'0'..=b'9' => Some(sign - b'0'),
        b'a'..=b'f' => Some(sign - b'a' + 10),
        _ => None,
    }
}

fn read(body: &[u8; BODY]) -> Option<(Place, Query)> {
    let ([version], rest) = body.split_first_chunk()?;
    let (snapshot, rest) = rest.split_first_chunk()?;
    let (seconds, rest) = rest.split_first_chunk()?;
    let (nanos, rest) = rest.split_first_chunk()?;
    let (position, rest) = rest.split_first_chunk()?;
    let (query, _) = rest.split_first_chunk()?;
    let time = Timestamp::new(i64::from_le_bytes(*seconds), u32::from_le_bytes(*nanos))?;
    let place = Place { snapshot: *snapshot, time, position: u32::from_le_bytes(*position) };
    (*version == VERSION).then_some((place, Query(*query)))
}

#[cfg(test)]
mod tests {
    use super::{PageTokens, Place, Query};
    use crate::model::Timestamp;
    use crate::service::proto::v1;

    const PLACE: Place = Place { snapshot: [7; 16], time: Timestamp::EPOCH, position: 41 };
    const QUERY: Query = Query([9; 16]);

    #[test]
    fn opens_what_it_sealed() {
        let tokens = PageTokens::new().unwrap();
        for time in [Timestamp::EPOCH, Timestamp::MIN, Timestamp::MAX] {
            for position in [0, 1, u32::MAX] {
                let place = Place { time, position, ..PLACE };
                assert_eq!(tokens.open(&tokens.seal(&place, QUERY), QUERY), Ok(place));
            }
        }
    }

    #[test]
    fn opens_nothing_else() {
        let tokens = PageTokens::new().unwrap();
        let token = tokens.seal(&PLACE, QUERY);
        for at in 0..token.len() {
            for sign in ["0", "f", "F", "~", " "] {
                let mut tampered = token.clone();
                tampered.replace_range(at..=at, sign);
                assert!(tampered == token || tokens.open(&tampered, QUERY).is_err(), "{at} {sign}");
            }
            assert!(tokens.open(token.split_at(at).0, QUERY).is_err());
        }
        for foreign in [format!("{token}00"), token.to_uppercase(), "\u{e9}".repeat(81), "0".repeat(162), "x".into()] {
            assert_eq!(tokens.open(&foreign, QUERY).unwrap_err().field, "page_token");
        }
        assert!(PageTokens::new().unwrap().open(&token, QUERY).is_err(), "a token of another process");
        let other = tokens.open(&token, Query([8; 16])).unwrap_err();
        assert!(other.problem.contains("another query"), "{other}");
    }

    #[test]
    fn a_query_is_its_call_and_all_that_it_says() {
        let tokens = PageTokens::new().unwrap();
        let plain = v1::ListResourcesRequest { resource_type: "bot".into(), ..Default::default() };
        let query = tokens.query("ListResources", &plain);
        assert_eq!(query, tokens.query("ListResources", &plain));
        assert_ne!(query, tokens.query("ListSubjects", &plain));
        let other = v1::ListResourcesRequest { resource_type: "bots".into(), ..plain.clone() };
        assert_ne!(query, tokens.query("ListResources", &other));
        let mut mfa = plain;
        mfa.context.insert("mfa".into(), v1::Value::default());
        assert_ne!(query, tokens.query("ListResources", &mfa));
    }
}
