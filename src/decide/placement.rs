//! Where the resource stands: taken from the snapshot if it holds it, else placed by the request if that is allowed.

use crate::compile::layout::{
    EntityRecord, MAX_SCOPE_DEPTH, PermissionRecord, TypeRecord, permission_flags, type_flags,
};
use crate::index::{Corrupt, Index, Sought, optional};
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
    /// The nearest scope on which a role counts for it.
    first_scope: Option<u32>,
}

impl<'q> Target<'q> {
    /// Places the resource of a request, which is sought already.
    #[inline]
    pub(super) fn place(
        index: &'q Index,
        request: &Request<'q>,
        sought: Sought<'q>,
        record: &TypeRecord,
        action: &PermissionRecord,
    ) -> Result<Self, Stop> {
        let (kind, id, sent) = (sought.kind(), request.resource.id, request.resource_properties);
        if let Some(entity) = index.found(sought)? {
            return match request.parent {
                Some(parent) if !is_parent(index, entity, parent)? => Err(Reason::ContradictsSnapshot.into()),
                _ => Ok(Self { kind, entity: Some(entity), id, sent, like: None, first_scope: Some(entity) }),
            };
        }
        let may_be_placed =
            action.flags.get() & permission_flags::CREATES != 0 || record.flags.get() & type_flags::OPEN != 0;
        let parent = if may_be_placed { place_under(index, record, request.parent)? } else { None };
        let needs_none = record.flags.get() & type_flags::ROOT != 0 && request.parent.is_none();
        if parent.is_none() && !(may_be_placed && needs_none) {
            return Err(Reason::UnknownResource.into());
        }
        Ok(Self { kind, entity: None, id, sent, like: None, first_scope: parent })
    }

    /// A resource that the snapshot holds, about which the request says nothing.
    pub(super) fn held(index: &'q Index, entity: u32) -> Result<Self, Corrupt> {
        let record: &EntityRecord = index.record(entity)?;
        let id = index.text(record.id.get())?;
        Ok(Self { kind: record.kind.get(), entity: Some(entity), id, sent: &[], like: None, first_scope: Some(entity) })
    }

    /// A new resource under an entity, with the attributes of another.
    pub(super) fn proposed_like(like: &'q Target<'q>, parent: u32) -> Self {
        Self { kind: like.kind, entity: None, id: "", sent: &[], like: Some(like), first_scope: Some(parent) }
    }

    /// The scopes on which a role counts for this resource, nearest first: itself if it is held, then its ancestors.
    pub(super) fn scopes<'i>(&self, index: &'i Index) -> Scopes<'i> {
        Scopes::from(index, self.first_scope)
    }
}

/// A scope and everything above it, nearest first.
pub(super) fn chain(index: &Index, scope: u32) -> Scopes<'_> {
    Scopes::from(index, Some(scope))
}

/// The nearest entity of a type above a scope; the scope itself is none.
pub(super) fn nearest_above(index: &Index, scope: &EntityRecord, kind: u16) -> Result<Option<u32>, Corrupt> {
    let Some(parent) = optional(scope.parent) else { return Ok(None) };
    for node in chain(index, parent) {
        let (node, record) = node?;
        if record.kind.get() == kind {
            return Ok(Some(node));
        }
    }
    Ok(None)
}

/// A walk upwards. It reads one step ahead, so that the next scope is waited for while this one is looked at.
pub(super) struct Scopes<'i> {
    index: &'i Index,
    next: Option<Result<Step<'i>, Corrupt>>,
    left: usize,
}

/// A scope and the one above it.
#[derive(Clone, Copy)]
struct Step<'i> {
    scope: u32,
    record: &'i EntityRecord,
    above: Option<u32>,
}

impl<'i> Scopes<'i> {
    #[inline]
    fn from(index: &'i Index, scope: Option<u32>) -> Self {
        Self { index, next: scope.map(|scope| Step::to(index, scope)), left: MAX_SCOPE_DEPTH }
    }
}

impl<'i> Step<'i> {
    #[inline]
    fn to(index: &'i Index, scope: u32) -> Result<Self, Corrupt> {
        let record: &EntityRecord = index.record(scope)?;
        Ok(Self { scope, record, above: optional(record.parent) })
    }
}

impl<'i> Iterator for Scopes<'i> {
    type Item = Result<(u32, &'i EntityRecord), Corrupt>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let Step { scope, record, above } = match self.next.take()? {
            Ok(step) => step,
            Err(corrupt) => return Some(Err(corrupt)),
        };
        // A chain that does not end within the cap was refused at load: it can only be a damaged snapshot.
        let Some(left) = self.left.checked_sub(1) else { return Some(Err(Corrupt)) };
        self.left = left;
        self.next = above.map(|above| Step::to(self.index, above));
        Some(Ok((scope, record)))
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
