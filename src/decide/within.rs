//! Whether a resource stands in a part of the scope tree. Says nothing of who may do what there.

use crate::compile::layout::TypeRecord;
use crate::index::{Corrupt, Index};
use crate::model::Entity;

use super::placement::chain;
use super::scope_named;

/// Whether a resource is a node that counts as a root, or stands below one, by where the snapshot places it. One that
/// the snapshot does not hold stands where its parent does, if that is held.
///
/// # Errors
/// The snapshot is inconsistent in itself.
pub fn stands_within(
    index: &Index,
    resource: Entity<'_>,
    parent: Option<Entity<'_>>,
    is_root: impl Fn(Entity<'_>) -> bool,
) -> Result<bool, Corrupt> {
    let held = match (scope_named(index, resource)?, parent) {
        (None, Some(parent)) => scope_named(index, parent)?,
        (held, _) => held,
    };
    let Some(held) = held else { return Ok(false) };
    for node in chain(index, held) {
        let (_, record) = node?;
        if is_root(Entity { kind: index.type_name(record.kind.get())?, id: index.text(record.id.get())? }) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a name is that of a type that can be asked about.
///
/// # Errors
/// The snapshot is inconsistent in itself.
pub fn is_type_of_resources(index: &Index, name: &str) -> Result<bool, Corrupt> {
    Ok(index.type_named(name)?.is_some_and(|(_, record): (u16, &TypeRecord)| super::is_resource_type(record)))
}
