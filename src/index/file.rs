//! A compiled file: a header that the publisher writes, then an index's own bytes. Bytes only, no path and no clock.
//!
//! The header stands outside the digest: the same policy and facts are called the same whoever publishes them, and
//! when. Its checksum covers both, so that a file that was cut, changed or sent as text is refused as a whole.
//!
//! Room for deltas. What fleets may ship one day is a small file that changes a large one already there. Nothing of it is
//! built, and nothing here stands in its way:
//!
//! - A base is named by its digest, which no publication changes: a delta says which base it needs, and one for another
//!   base is refused as a foreign file is.
//! - A delta takes a header of this form with a flag of its own; a program that does not know the flag refuses the file
//!   (`flags`), and never takes a delta for a snapshot.
//! - Its `sequence` is that of what comes out, in one order with whole files, so that whoever missed one takes the next
//!   whole one.
//! - Applying one is a merge of tables in which records stand in order (entities by type and id, bindings by holder), by
//!   whoever loads: what comes out is again one body that is validated as any other, with the digest that the delta
//!   states. A decision never looks at a base and a delta; so reading stays as fast, and a wrong merge is found before it
//!   serves.

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

/// What a header says. One that this program does not know may change what the rest means: such a file is refused.
mod flags {
    pub(super) const ISSUED_AT: u32 = 1;
    pub(super) const MAX_AGE: u32 = 2;
    pub(super) const KNOWN: u32 = ISSUED_AT | MAX_AGE;
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
    open_in_steps(bytes, &mut || {})
}

/// As [`open`]; calls `pause` every few microseconds, for a thread that must give way to others.
///
/// # Errors
/// As [`open`].
pub fn open_in_steps(bytes: Vec<u8>, pause: &mut dyn FnMut()) -> Result<(Publication, Index), OpenError> {
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
    let index = Index::open_behind(bytes, size_of::<FileHeader>(), pause)?;
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
        // What is not said is zero: so there is one way to write what is said.
        let is_plain = self.flags.get() & !flags::KNOWN == 0
            && self.reserved.get() == 0
            && (is_set(flags::ISSUED_AT) || (self.issued_at_seconds.get(), self.issued_at_nanos.get()) == (0, 0))
            && (is_set(flags::MAX_AGE) || self.max_age_seconds.get() == 0);
        if !is_plain {
            return Err(OpenError::Damaged { what: "its header" });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A compiled file of a policy with hardly anything in it.
    fn file(publication: &Publication) -> Vec<u8> {
        let policy = crate::model::Policy::default();
        let compiled = crate::compile::compile(&policy, &crate::model::Facts::default()).unwrap();
        let index = Index::open(compiled.bytes).unwrap();
        [header(publication, &index).as_slice(), index.bytes()].concat()
    }

    /// The file with other words in its header, and a checksum that fits them.
    fn resaid(bytes: &[u8], change: impl FnOnce(&mut Said)) -> Vec<u8> {
        let (mut head, body) = FileHeader::read_from_prefix(bytes).unwrap();
        change(&mut head.said);
        head.checksum = checksum(&head.said, blake3::hash(body).as_bytes());
        [head.as_bytes(), body].concat()
    }

    #[test]
    fn says_what_was_said() {
        let issued_at = Timestamp::new(1_700_000_000, 5);
        let max_age = Some(Duration::from_secs(90));
        for said in [
            Publication::default(),
            Publication { sequence: u64::MAX, issued_at, max_age },
            Publication { sequence: 1, issued_at, max_age: None },
            Publication { sequence: 1, issued_at: Some(Timestamp::EPOCH), max_age: None },
        ] {
            assert_eq!(open(file(&said)).unwrap().0, said);
        }
        let unchanged = file(&Publication::default());
        assert_eq!(resaid(&unchanged, |_| {}), unchanged);
    }

    #[test]
    fn a_header_that_cannot_be_meant_is_refused_even_with_its_checksum() {
        let plain = file(&Publication::default());
        let dated = file(&Publication { issued_at: Some(Timestamp::EPOCH), ..Publication::default() });
        let refused = |bytes: Vec<u8>| open(bytes).err().unwrap();
        let damaged = |what| OpenError::Damaged { what };
        assert_eq!(refused(resaid(&plain, |said| said.magic = *b"\x89SGATE\n\n")), OpenError::Foreign);
        assert_eq!(refused(resaid(&plain, |said| said.version = 2.into())), OpenError::Version { found: 2 });
        for bit in 2..32 {
            assert_eq!(refused(resaid(&plain, |said| said.flags = (1 << bit).into())), damaged("its header"), "{bit}");
        }
        assert_eq!(refused(resaid(&plain, |said| said.reserved = 1.into())), damaged("its header"));
        assert_eq!(refused(resaid(&plain, |said| said.issued_at_seconds = 1.into())), damaged("its header"));
        assert_eq!(refused(resaid(&plain, |said| said.issued_at_nanos = 1.into())), damaged("its header"));
        assert_eq!(refused(resaid(&plain, |said| said.max_age_seconds = 1.into())), damaged("its header"));
        let nanos = resaid(&dated, |said| said.issued_at_nanos = 1_000_000_000.into());
        assert_eq!(refused(nanos), damaged("its moment of issue"));
        let seconds = resaid(&dated, |said| said.issued_at_seconds = i64::MAX.into());
        assert_eq!(refused(seconds), damaged("its moment of issue"));
        for length in [0, 1, u64::MAX] {
            assert_eq!(refused(resaid(&plain, |said| said.body_length = length.into())), damaged("its length"));
        }
        assert!(open(resaid(&plain, |said| said.sequence = 7.into())).is_ok_and(|(said, _)| said.sequence == 7));
    }

    #[test]
    fn every_cut_and_every_changed_bit_is_refused() {
        let whole = file(&Publication { sequence: 3, ..Publication::default() });
        assert!((0..whole.len()).all(|length| open(whole[..length].to_vec()).is_err()));
        for (place, bit) in (0..whole.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
            let mut changed = whole.clone();
            changed[place] ^= 1 << bit;
            assert!(open(changed).is_err(), "bit {bit} of byte {place}");
        }
    }

    #[test]
    fn what_is_foreign_is_refused() {
        let index = Index::open(file(&Publication::default())[size_of::<FileHeader>()..].to_vec()).unwrap();
        for foreign in [&b""[..], b"sidegate: 1\n", b"\x7fELF", b"\x89SGATE\r\n", &[0; 4096], index.bytes()] {
            assert!(open(foreign.to_vec()).is_err());
        }
        // As a transfer that takes it for text would change it.
        let text = file(&Publication::default()).into_iter().filter(|byte| *byte != b'\r').collect();
        assert_eq!(open(text).err(), Some(OpenError::Foreign));
    }
}
