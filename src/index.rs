//! The tables of a compiled snapshot, read in place: opening and looking up, never a rule about who wins.
//!
//! Opening checks the head, the places of the tables and every reference once, in sequence. Reading checks every
//! reference again, because a mistake here must end as a denial: an impossible reference is [`Corrupt`], never a panic
//! and never an allow.

mod entities;
pub mod file;
mod held;
mod look_up;
mod names;
mod open;
mod range;
mod read;
mod search;
mod sizes;

use bytes::Bytes;

use crate::compile::layout::{SECTIONS, header_flags};

pub(crate) use entities::Sought;
pub use held::Held;
pub use open::OpenError;
pub(crate) use open::STEP_BYTES;
pub use read::Corrupt;
pub(crate) use read::optional;
pub use sizes::{Heaviest, Table};

/// What is larger does not stay in a core's own cache beside all that else happens to a call: reading it is waiting for it.
const NEAR: usize = 512 << 10;

/// A compiled snapshot, opened. Immutable; it never changes an answer and holds no cache.
pub struct Index {
    /// Its own bytes: what stands behind the header of a compiled file.
    bytes: Bytes,
    /// Windows on the same bytes, one for each table: a record is one check and one load away.
    sections: [Bytes; SECTIONS],
    flags: u32,
    name_seed: u64,
    entity_seed: u64,
    name_probes: u32,
    entity_probes: u32,
    digest: [u8; 32],
}

/// How much an index holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Types of resources.
    pub types: usize,
    /// Roles, built in and defined.
    pub roles: usize,
    /// Subjects.
    pub subjects: usize,
    /// Resources.
    pub resources: usize,
    /// Bindings.
    pub bindings: usize,
    /// Forbids and blocks.
    pub forbids: usize,
}

impl Index {
    /// The bytes that it reads.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// BLAKE3 of the bytes: what a snapshot is called.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Whether it is so large that even one decision gains by reading ahead.
    #[inline]
    pub(crate) fn is_far(&self) -> bool {
        self.bytes.len() > NEAR
    }

    /// Whether a client that is denied over HTTP may read why.
    pub(crate) fn http_reasons(&self) -> bool {
        self.flags & header_flags::HTTP_REASONS != 0
    }

    /// Whether an undeclared property makes a request malformed.
    pub fn strict_properties(&self) -> bool {
        self.flags & header_flags::STRICT_PROPERTIES != 0
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("bytes", &self.bytes().len()).finish_non_exhaustive()
    }
}
