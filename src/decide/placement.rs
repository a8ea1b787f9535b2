//! Where the resource stands: taken from the snapshot if it holds it, else placed by the request if that is allowed.

use crate::compile::layout::{
    EntityRecord, MAX_SCOPE_DEPTH, PermissionRecord, TypeRecord, permission_flags, type_flags,
};
use crate::index::{Corrupt, Index, optional};
use crate::model::{Entity, Properties, Reason, Request};

use super::question::Stop;

/// What the action would be done to.
#[derive(Clone, Copy)]
pub(super) struct Target<'q> {
    /// Its type.
    pub(super) kind: u16,
    /// Its number, if the snapshot holds it.
    pub(super) entity: Option<u32>,
    /// Its id, as the request or the snapshot has it; empty for a resource that does not exist yet and has none.
    pub(super) id: &'q str,
    /// What the request says about it.
    pub(super) sent: Properties<'q>,
    /// A resource whose attributes it shares: what a copy would be.
    pub(super) like: Option<&'q Target<'q>>,
    chain: [u32; MAX_SCOPE_DEPTH],
    length: usize,
}

impl<'q> Target<'q> {
    /// Places the resource of a request.
    pub(super) fn place(
        index: &'q Index,
        request: &Request<'q>,
        (kind, record): (u16, &TypeRecord),
        action: &PermissionRecord,
    ) -> Result<Self, Stop> {
        if let Some(entity) = index.entity_named(kind, request.resource.id)? {
            let target = Self::held(index, entity, request.resource_properties)?;
            return match request.parent {
                Some(parent) if !is_parent(index, entity, parent)? => Err(Reason::ContradictsSnapshot.into()),
                _ => Ok(target),
            };
        }
        let may_be_placed =
            action.flags.get() & permission_flags::CREATES != 0 || record.flags.get() & type_flags::OPEN != 0;
        let parent = if may_be_placed { place_under(index, record, request.parent)? } else { None };
        match (parent, record.flags.get() & type_flags::ROOT != 0 && may_be_placed && request.parent.is_none()) {
            (None, false) => Err(Reason::UnknownResource.into()),
            (parent, _) => Ok(Self {
                kind,
                entity: None,
                id: request.resource.id,
                sent: request.resource_properties,
                like: None,
                ..Self::under(index, kind, parent)?
            }),
        }
    }

    /// A resource that the snapshot holds.
    pub(super) fn held(index: &'q Index, entity: u32, sent: Properties<'q>) -> Result<Self, Corrupt> {
        let record: &EntityRecord = index.record(entity)?;
        let kind = record.kind.get();
        let id = index.text(record.id.get())?;
        Ok(Self { entity: Some(entity), id, sent, ..Self::under(index, kind, Some(entity))? })
    }

    /// A new resource under an entity, with the attributes of another.
    pub(super) fn proposed_like(index: &'q Index, like: &'q Target<'q>, parent: u32) -> Result<Self, Corrupt> {
        Ok(Self { like: Some(like), ..Self::under(index, like.kind, Some(parent))? })
    }

    /// The scopes on which a role counts for this resource, nearest first: itself if it is held, then its ancestors.
    pub(super) fn chain(&self) -> &[u32] {
        self.chain.get(..self.length).unwrap_or_default()
    }

    fn under(index: &'q Index, kind: u16, first: Option<u32>) -> Result<Self, Corrupt> {
        let mut chain = [0; MAX_SCOPE_DEPTH];
        let mut length = 0;
        let mut next = first;
        while let Some(entity) = next {
            // A chain that does not end within the cap was refused at load: it can only be a damaged snapshot.
            *chain.get_mut(length).ok_or(Corrupt)? = entity;
            length += 1;
            let record: &EntityRecord = index.record(entity)?;
            next = optional(record.parent);
        }
        Ok(Self { kind, entity: None, id: "", sent: &[], like: None, chain, length })
    }
}

/// Whether a held resource stands where the request says.
fn is_parent(index: &Index, entity: u32, said: Entity<'_>) -> Result<bool, Corrupt> {
    let record: &EntityRecord = index.record(entity)?;
    let Some(parent) = optional(record.parent) else { return Ok(false) };
    let parent: &EntityRecord = index.record(parent)?;
    let same_id = index.text_bytes(parent.id.get())? == said.id.as_bytes();
    Ok(same_id && index.type_name(parent.kind.get())? == said.kind)
}

/// The parent that a request gives a resource that is not held, if it is held itself and of a fitting type.
fn place_under(index: &Index, kind: &TypeRecord, parent: Option<Entity<'_>>) -> Result<Option<u32>, Corrupt> {
    let Some(parent) = parent else { return Ok(None) };
    let Some((above, _)) = index.type_named(parent.kind)? else { return Ok(None) };
    if !index.fits_under(kind, above)? {
        return Ok(None);
    }
    index.entity_named(above, parent.id)
}
