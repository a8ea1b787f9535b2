//! Lists of entities, a page at a time: each entity of a type is asked about, and the answer is the one that
//! [`super::authorize`] gives. Nothing is looked up backwards, so that a list cannot disagree with a check.

use std::ops::Range;

use crate::compile::layout::{NONE, type_flags};
use crate::index::{Corrupt, Index};
use crate::model::{Entity, Malformed, Request, Timestamp, Verdict, name_problem};

use super::trace::Silent;
use super::{decide, is_resource_type};

/// Stands for the name that a list puts in; never looked at.
const ANY: &str = "any";

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The question cannot be asked.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The snapshot is broken: a list that leaves out what cannot be read would look like a whole one.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// Where a page ends at the latest; at least one of each is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageBounds {
    /// After so many allowed entities.
    pub allowed: usize,
    /// After so many entities looked at.
    pub looked_at: u32,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page<'i> {
    /// The entities that are allowed, by type and then id.
    pub allowed: Vec<Entity<'i>>,
    /// How many are denied because a value is missing.
    pub undetermined: u32,
    /// Where the next page begins; `None` where the list ends.
    pub next: Option<u32>,
}

/// A list that can be read page by page: of the same index and at the same moment, its pages are disjoint and whole.
#[derive(Debug)]
pub struct Listing<'i, 'q> {
    index: &'i Index,
    request: Request<'q>,
    time: Timestamp,
    vary: Vary,
    types: Vec<u16>,
    /// The scope that resources must be in; [`NONE`] for everywhere.
    within: u32,
}

#[derive(Debug, Clone, Copy)]
enum Vary {
    Resource,
    Subject,
}

impl<'i, 'q> Listing<'i, 'q> {
    /// The resources of the request's resource type that its subject may do its action on: those of which
    /// [`super::authorize`] allows the same request with their id in place of the request's own. Only those at or below
    /// `within`, where that is given. Of a type, action, subject or scope that the snapshot does not know there are none.
    ///
    /// # Errors
    /// A malformed request.
    pub fn of_resources(
        index: &'i Index,
        request: &Request<'q>,
        within: Option<Entity<'_>>,
        time: Timestamp,
    ) -> Result<Self, ListError> {
        let kind = request.resource.kind;
        check_name("resource_type", kind)?;
        let request = Request { resource: Entity { kind, id: ANY }, ..*request };
        request.check()?;
        let mut listing = Self { index, request, time, vary: Vary::Resource, types: Vec::new(), within: NONE };
        if let Some(scope) = within {
            check_name("within.type", scope.kind)?;
            check_name("within.id", scope.id)?;
            let Some(scope) = held(index, scope)? else { return Ok(listing) };
            listing.within = scope;
        }
        if let Some(kind) = asked_type(index, &request)?
            && held(index, request.subject)?.is_some()
        {
            listing.types.push(kind);
        }
        Ok(listing)
    }

    /// The subjects of the request's subject type, or of every subject type where that is empty, who may do its action
    /// on its resource: those of whom [`super::authorize`] allows the same request with their name in place of the
    /// request's own. Credentials are listed only where their type is named. Of a type or action that the policy does
    /// not know there are none.
    ///
    /// # Errors
    /// A malformed request.
    pub fn of_subjects(index: &'i Index, request: &Request<'q>, time: Timestamp) -> Result<Self, ListError> {
        let kind = request.subject.kind;
        if !kind.is_empty() {
            check_name("subject_type", kind)?;
        }
        let request = Request { subject: Entity { kind: ANY, id: ANY }, ..*request };
        request.check()?;
        let types = match asked_type(index, &request)? {
            None => Vec::new(),
            Some(_) if kind.is_empty() => index.subject_types()?,
            Some(_) => match index.type_named(kind)? {
                Some((number, record)) if record.flags.get() & (type_flags::SUBJECT | type_flags::CREDENTIAL) != 0 => {
                    vec![number]
                }
                _ => Vec::new(),
            },
        };
        Ok(Self { index, request, time, vary: Vary::Subject, types, within: NONE })
    }

    /// The page that begins at a position: 0, or [`Page::next`] of the page before. It may hold less than it could, even
    /// nothing, and still have a next one.
    ///
    /// # Errors
    /// As [`super::authorize`].
    pub fn page(&self, from: u32, bounds: PageBounds) -> Result<Page<'i>, ListError> {
        let mut page = Page::default();
        let mut left = bounds.looked_at.max(1);
        for kind in &self.types {
            let Range { start, end } = self.index.entities_of(*kind)?;
            for entity in start.max(from)..end {
                if left == 0 || page.allowed.len() >= bounds.allowed.max(1) {
                    page.next = Some(entity);
                    return Ok(page);
                }
                left -= 1;
                self.look_at(entity, &mut page)?;
            }
        }
        Ok(page)
    }

    fn look_at(&self, entity: u32, page: &mut Page<'i>) -> Result<(), ListError> {
        if self.within != NONE && !self.index.is_within(entity, self.within)? {
            return Ok(());
        }
        let name = self.index.entity(entity)?;
        let verdict = self.ask(name)?;
        if verdict.is_allow() {
            page.allowed.push(name);
        } else if verdict.undetermined {
            page.undetermined = page.undetermined.saturating_add(1);
        }
        Ok(())
    }

    fn ask(&self, name: Entity<'_>) -> Result<Verdict, Malformed> {
        let request = match self.vary {
            Vary::Resource => Request { resource: name, ..self.request },
            Vary::Subject => Request { subject: name, ..self.request },
        };
        decide(self.index, &request, self.time, &mut Silent)
    }
}

/// The request's resource type, if it is asked about and has the request's action.
fn asked_type(index: &Index, request: &Request<'_>) -> Result<Option<u16>, Corrupt> {
    let kind = match index.type_named(request.resource.kind)? {
        Some((number, record)) if is_resource_type(record) => number,
        _ => return Ok(None),
    };
    Ok(index.permission_named(kind, request.action)?.map(|_| kind))
}

fn held(index: &Index, name: Entity<'_>) -> Result<Option<u32>, Corrupt> {
    match index.type_named(name.kind)? {
        Some((kind, _)) => index.entity_named(kind, name.id),
        None => Ok(None),
    }
}

fn check_name(field: &str, text: &str) -> Result<(), Malformed> {
    name_problem(text).map_or(Ok(()), |problem| Err(Malformed::new(field, problem)))
}
