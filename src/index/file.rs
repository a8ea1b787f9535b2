//! A compiled file: a header that the publisher writes, then an index's own bytes. Bytes only, no path and no clock.
//!
//! The header stands outside the digest: the same policy and facts are called the same whoever publishes them, and
//! when. Its checksum covers both, so that a file that was cut, changed or sent as text is refused as a whole.

use std::time::Duration;

use zerocopy::little_endian::{I64, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Index, OpenError};
use crate::model::Timestamp;

/// The first bytes: not text, and not the same after a transfer that changes line ends.
const MAGIC: [u8; 8] = *b"\x89SGATE\r\n";
/// The version of this header.
const VERSION: u32 = 1;

/// What a publisher says about a compiled snapshot. Nothing here is read from a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// Orders the publications of one source; 0 for none.
    pub sequence: u64,
    /// When it was issued.
    pub issued_at: Option<Timestamp>,
    /// How long after that it may be relied on, in whole seconds.
    pub max_age: Option<Duration>,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct FileHeader {
    said: Said,
    /// BLAKE3 of what was said and of the body's digest.
    checksum: [u8; 32],
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Said {
    magic: [u8; 8],
    version: U32,
    /// [`flags`].
    flags: U32,
    sequence: U64,
    issued_at_seconds: I64,
    issued_at_nanos: U32,
    reserved: U32,
    max_age_seconds: U64,
    body_length: U64,
}

mod flags {
    pub(super) const ISSUED_AT: u32 = 1;
    pub(super) const MAX_AGE: u32 = 2;
}

/// Whether bytes begin as a compiled file does.
pub fn is_compiled(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The header of a compiled file whose body is this index.
pub fn header(publication: &Publication, index: &Index) -> Vec<u8> {
    let issued_at = publication.issued_at;
    let set = |flag: u32, is_set: bool| if is_set { flag } else { 0 };
    let said = Said {
        magic: MAGIC,
        version: VERSION.into(),
        flags: (set(flags::ISSUED_AT, issued_at.is_some()) | set(flags::MAX_AGE, publication.max_age.is_some())).into(),
        sequence: publication.sequence.into(),
        issued_at_seconds: issued_at.map_or(0, Timestamp::seconds).into(),
        issued_at_nanos: issued_at.map_or(0, Timestamp::nanos).into(),
        reserved: 0.into(),
        max_age_seconds: publication.max_age.map_or(0, |age| age.as_secs()).into(),
        body_length: u64::try_from(index.bytes().len()).unwrap_or(u64::MAX).into(),
    };
    let checksum = checksum(&said, &index.digest());
    FileHeader { said, checksum }.as_bytes().to_vec()
}

/// Opens a compiled file: one checksum, one sequential validation, no build.
///
/// # Errors
/// Bytes that are foreign, of another version, cut, longer than they say, or changed in any bit.
pub fn open(bytes: Vec<u8>) -> Result<(Publication, Index), OpenError> {
    let (FileHeader { said, checksum: stated }, body) =
        FileHeader::read_from_prefix(&bytes).map_err(|_| OpenError::Foreign)?;
    if said.magic != MAGIC {
        return Err(OpenError::Foreign);
    }
    if said.version.get() != VERSION {
        return Err(OpenError::Version { found: said.version.get() });
    }
    if u64::try_from(body.len()).ok() != Some(said.body_length.get()) {
        return Err(OpenError::Damaged { what: "its length" });
    }
    let publication = said.publication()?;
    let index = Index::open_behind(bytes, size_of::<FileHeader>())?;
    if checksum(&said, &index.digest()) == stated {
        Ok((publication, index))
    } else {
        Err(OpenError::Damaged { what: "its checksum" })
    }
}

fn checksum(said: &Said, digest: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(said.as_bytes());
    hasher.update(digest);
    *hasher.finalize().as_bytes()
}

impl Said {
    fn publication(&self) -> Result<Publication, OpenError> {
        let is_set = |flag: u32| self.flags.get() & flag != 0;
        let issued_at = if is_set(flags::ISSUED_AT) {
            let moment = Timestamp::new(self.issued_at_seconds.get(), self.issued_at_nanos.get());
            Some(moment.ok_or(OpenError::Damaged { what: "its moment of issue" })?)
        } else {
            None
        };
        let max_age = is_set(flags::MAX_AGE).then(|| Duration::from_secs(self.max_age_seconds.get()));
        Ok(Publication { sequence: self.sequence.get(), issued_at, max_age })
    }
}
