//! A route and a request → the question, put together from what the request says.

use std::borrow::Cow;

use crate::compile::layout::{
    CLAIM_SEPARATOR, HttpPartRecord, HttpPartSort, HttpRouteRecord, HttpTemplateRecord, HttpValueOwner, HttpValueRecord,
};
use crate::index::{Corrupt, Index, optional};
use crate::model::{EntityName, Request, Value};

use super::values::{self, Said};
use super::{Claim, HttpRequest, Unmapped, headers};

/// A question that owns what it was put together from.
#[derive(Debug)]
pub struct HttpQuestion<'i> {
    /// Who asks.
    pub subject: EntityName,
    /// What for.
    pub action: &'i str,
    /// On what.
    pub resource: EntityName,
    /// Where that would stand.
    pub parent: Option<EntityName>,
    values: Vec<(HttpValueOwner, &'i str, Said<'i>)>,
}

impl HttpQuestion<'_> {
    /// Lends it as any door hands a question on.
    pub fn ask<R>(&self, ask: impl FnOnce(&Request<'_>) -> R) -> R {
        let items: Vec<Vec<Value<'_>>> = self.values.iter().map(|(_, _, said)| said.items()).collect();
        let of = |owner: HttpValueOwner| -> Vec<(&str, Value<'_>)> {
            let mine = self.values.iter().zip(&items).filter(|((other, _, _), _)| *other == owner);
            mine.map(|((_, name, said), items)| (*name, said.value(items))).collect()
        };
        ask(&Request {
            subject: self.subject.as_entity(),
            subject_properties: &of(HttpValueOwner::Subject),
            action: self.action,
            action_properties: &of(HttpValueOwner::Action),
            resource: self.resource.as_entity(),
            parent: self.parent.as_ref().map(EntityName::as_entity),
            resource_properties: &of(HttpValueOwner::Resource),
            context: &of(HttpValueOwner::Context),
        })
    }
}

/// The question of a request that takes a route.
pub(super) fn of<'i>(
    index: &'i Index,
    route: &'i HttpRouteRecord,
    request: &HttpRequest<'_>,
    segments: &[Cow<'_, str>],
) -> Result<HttpQuestion<'i>, Unmapped> {
    let path: &[HttpPartRecord] = index.records(route.path.get(), route.path_end.get())?;
    let reading = Reading { index, request, path, segments };
    let subject = reading.subject(route)?;
    let resource = reading.entity(index.record(route.resource.get())?)?.ok_or(Unmapped::Missing)?;
    let parent = match optional(route.parent) {
        None => None,
        Some(parent) => Some(reading.entity(index.record(parent)?)?.ok_or(Unmapped::Missing)?),
    };
    let mut values = Vec::new();
    for record in index.records::<HttpValueRecord>(route.values.get(), route.values_end.get())? {
        let owner = HttpValueOwner::from_code(record.owner).ok_or(Corrupt)?;
        if let Some(said) = reading.value(record)? {
            values.push((owner, index.text(record.name.get())?, said));
        }
    }
    Ok(HttpQuestion { subject, action: index.text(route.action.get())?, resource, parent, values })
}

struct Reading<'i, 'r, 's> {
    index: &'i Index,
    request: &'s HttpRequest<'r>,
    path: &'i [HttpPartRecord],
    segments: &'s [Cow<'s, str>],
}

impl<'i> Reading<'i, '_, '_> {
    /// The first of a route's subjects that is there. One that is there and empty, or said twice, is a denial.
    fn subject(&self, route: &HttpRouteRecord) -> Result<EntityName, Unmapped> {
        for template in self.index.records(route.subjects.get(), route.subjects_end.get())? {
            if let Some(subject) = self.entity(template)? {
                return if subject.id.is_empty() { Err(Unmapped::NoSubject) } else { Ok(subject) };
            }
        }
        Err(Unmapped::NoSubject)
    }

    /// An entity; `None` where a part of its id is not there.
    fn entity(&self, template: &HttpTemplateRecord) -> Result<Option<EntityName>, Unmapped> {
        let parts: &[HttpPartRecord] = self.index.records(template.parts.get(), template.parts_end.get())?;
        let mut id = String::new();
        for (place, part) in (1..).zip(parts) {
            let Some(text) = self.text(part)? else { return Ok(None) };
            // A slash in any part but the last would make one id of several.
            if text.is_empty() || (place < parts.len() && text.contains('/')) {
                return Err(Unmapped::Missing);
            }
            if place > 1 {
                id.push('/');
            }
            id.push_str(&text);
        }
        Ok(Some(EntityName { kind: self.index.text(template.kind.get())?.to_owned(), id }))
    }

    /// A part's text; `None` where it is not there. A claim that is no text is none.
    fn text(&self, part: &HttpPartRecord) -> Result<Option<Cow<'_, str>>, Unmapped> {
        match HttpPartSort::from_code(part.sort).ok_or(Corrupt)? {
            HttpPartSort::Claim => match self.claim(part)? {
                Some(Claim::Text(text)) => Ok(Some(Cow::Borrowed(text))),
                Some(Claim::Null) | None => Ok(None),
                Some(_) => Err(Unmapped::NoSubject),
            },
            sort => Ok(self.plain(sort, part)?),
        }
    }

    fn plain(&self, sort: HttpPartSort, part: &HttpPartRecord) -> Result<Option<Cow<'_, str>>, Unmapped> {
        let name = self.index.text(part.text.get())?;
        Ok(match sort {
            HttpPartSort::Literal => Some(Cow::Borrowed(name)),
            HttpPartSort::Capture | HttpPartSort::Rest => Some(self.captured(part)?),
            HttpPartSort::Header => headers::one(self.request, name)?.map(Cow::Borrowed),
            HttpPartSort::Extension => self.request.extensions.get(name).map(|text| Cow::Borrowed(text.as_str())),
            HttpPartSort::Principal => Some(self.request.principal).filter(|name| !name.is_empty()).map(Cow::Borrowed),
            HttpPartSort::Claim => return Err(Corrupt.into()),
        })
    }

    fn captured(&self, part: &HttpPartRecord) -> Result<Cow<'_, str>, Corrupt> {
        let place = self.path.iter().position(|own| own == part).ok_or(Corrupt)?;
        let rest = self.segments.get(place..).ok_or(Corrupt)?;
        match (part.sort == HttpPartSort::Rest as u8, rest) {
            (false, [segment, ..]) => Ok(Cow::Borrowed(segment)),
            (true, [_, ..]) => Ok(Cow::Owned(rest.join("/"))),
            (_, []) => Err(Corrupt),
        }
    }

    fn claim(&self, part: &HttpPartRecord) -> Result<Option<Claim<'_>>, Corrupt> {
        let path = self.index.text(part.text.get())?;
        Ok(self.request.claims.find(&mut path.split(CLAIM_SEPARATOR)))
    }

    fn value(&self, record: &HttpValueRecord) -> Result<Option<Said<'i>>, Unmapped> {
        let part: &HttpPartRecord = self.index.record(record.part.get())?;
        let declared = values::Declared::of(self.index, record)?;
        match HttpPartSort::from_code(part.sort).ok_or(Corrupt)? {
            HttpPartSort::Claim => Ok(self.claim(part)?.and_then(|claim| declared.of_claim(&claim))),
            sort => Ok(self.plain(sort, part)?.map(|text| declared.of_text(&text))),
        }
    }
}
