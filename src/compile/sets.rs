//! Sets of permissions as bitmaps, each stored once.

use super::intern::{Runs, number};

/// The sets of a snapshot.
#[derive(Debug)]
pub(super) struct PermissionSets {
    width: usize,
    bitmaps: Runs<u8>,
}

impl PermissionSets {
    /// No sets yet, over so many permissions.
    pub(super) fn new(permissions: usize) -> Self {
        Self { width: permissions.div_ceil(8).max(1), bitmaps: Runs::default() }
    }

    /// The number of a set.
    pub(super) fn intern(&mut self, permissions: &[u32]) -> u32 {
        let mut bitmap = vec![0_u8; self.width];
        for permission in permissions {
            if let Some(byte) = usize::try_from(permission / 8).ok().and_then(|at| bitmap.get_mut(at)) {
                *byte |= 1 << (permission % 8);
            }
        }
        self.bitmaps.intern(bitmap).0 / number(self.width)
    }

    /// The table.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bitmaps.items
    }
}
