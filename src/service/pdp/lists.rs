//! Pages of lists: the engine's answers, bound to one snapshot and one moment by a token.

use std::mem::take;

use super::{Caller, Pdp, Place as Where, Refusal};
use crate::{
    decide::{Listing, PageBounds},
    model::{Entity, Request, Timestamp},
    service::{
        convert::{self, Question},
        page_token::{Place, Query},
        proto::v1,
    },
    snapshot::Snapshot,
};

/// Entities on a page where the caller names no size.
const DEFAULT_PAGE: u32 = 100;
/// Entities on a page at most, whatever the caller names.
const LARGEST_PAGE: u32 = 1_000;
/// Entities looked at for one page at most, so that no page holds up the others for long: a page may be short.
const MOST_LOOKED_AT: u32 = 50_000;

/// One page, whatever it lists.
struct Answered {
    entities: Vec<v1::Entity>,
    next_page_token: String,
    undetermined: u32,
    time: Timestamp,
}

/// What the caller says about paging.
struct Paging {
    size: u32,
    token: String,
    query: Query,
}

impl Pdp {
    /// A page of the resources on which a subject may do an action.
    pub(in crate::service) fn list_resources(
        &self,
        snapshot: &Snapshot,
        mut request: v1::ListResourcesRequest,
        caller: &Caller,
    ) -> Result<v1::ListResourcesResponse, Refusal> {
        let request_id = take(&mut request.request_id);
        convert::check_request_id(&request_id)?;
        let (size, token) = (take(&mut request.page_size), take(&mut request.page_token));
        request.consistency = None;
        let query = self.tokens.query("ListResources", &request);
        let v1::ListResourcesRequest { subject, action, resource_type, within, context, .. } = request;
        let subject = subject.ok_or_else(|| convert::missing("subject"))?;
        let action = action.ok_or_else(|| convert::missing("action"))?;
        let resource = v1::Resource { r#type: resource_type, ..v1::Resource::default() };
        let question = Question::from_parts(&subject, &action, &resource, &context);
        let within = within.as_ref().map(convert::entity);
        let page = self.page(snapshot, &question, &Paging { size, token, query }, |request, time| {
            caller.may_ask(&snapshot.index, request, Where::Within(within))?;
            Ok(Listing::of_resources(&snapshot.index, request, within, time)?)
        })?;
        Ok(v1::ListResourcesResponse {
            resources: page.entities,
            next_page_token: page.next_page_token,
            undetermined_count: caller.reasons().count(page.undetermined),
            snapshot: Some(convert::snapshot_ref(snapshot, self.now())),
            evaluated_at: Some(convert::timestamp(page.time)),
            request_id,
        })
    }

    /// A page of the subjects who may do an action on a resource.
    pub(in crate::service) fn list_subjects(
        &self,
        snapshot: &Snapshot,
        mut request: v1::ListSubjectsRequest,
        caller: &Caller,
    ) -> Result<v1::ListSubjectsResponse, Refusal> {
        let request_id = take(&mut request.request_id);
        convert::check_request_id(&request_id)?;
        let (size, token) = (take(&mut request.page_size), take(&mut request.page_token));
        request.consistency = None;
        let query = self.tokens.query("ListSubjects", &request);
        let v1::ListSubjectsRequest { action, resource, subject_type, context, .. } = request;
        let action = action.ok_or_else(|| convert::missing("action"))?;
        let resource = resource.ok_or_else(|| convert::missing("resource"))?;
        let subject = v1::Subject { r#type: subject_type, ..v1::Subject::default() };
        let question = Question::from_parts(&subject, &action, &resource, &context);
        let page = self.page(snapshot, &question, &Paging { size, token, query }, |request, time| {
            caller.may_ask(&snapshot.index, request, Where::Resource)?;
            Ok(Listing::of_subjects(&snapshot.index, request, time)?)
        })?;
        Ok(v1::ListSubjectsResponse {
            subjects: page.entities,
            next_page_token: page.next_page_token,
            undetermined_count: caller.reasons().count(page.undetermined),
            snapshot: Some(convert::snapshot_ref(snapshot, self.now())),
            evaluated_at: Some(convert::timestamp(page.time)),
            request_id,
        })
    }

    /// Where a page begins: at the first of the list, or where its token says, if that is of the live snapshot.
    pub(super) fn place(&self, snapshot: &Snapshot, token: &str, query: Query) -> Result<Place, Refusal> {
        let digest = snapshot.index.digest();
        let first = || Place::new(digest, self.now(), 0);
        let place = if token.is_empty() { first() } else { self.tokens.open(token, query)? };
        if place.is_of(digest) {
            return Ok(place);
        }
        Err(Refusal::Unmeetable(
            "the page token is of a snapshot that is not live any more; ask for the first page again".to_owned(),
        ))
    }

    fn page<'i>(
        &self,
        snapshot: &'i Snapshot,
        question: &Question<'_>,
        paging: &Paging,
        list: impl for<'q> FnOnce(&Request<'q>, Timestamp) -> Result<Listing<'i, 'q>, Refusal>,
    ) -> Result<Answered, Refusal> {
        let Paging { size, token, query } = paging;
        let place = self.place(snapshot, token, *query)?;
        let bounds = PageBounds { allowed: page_size(*size), looked_at: MOST_LOOKED_AT };
        let page =
            question.ask(|request| Ok::<_, Refusal>(list(request, place.time)?.page(place.position, bounds)?))?;
        let next = page.next.map(|position| self.tokens.seal(&place.at(position), *query));
        Ok(Answered {
            entities: page.allowed.into_iter().map(named).collect(),
            next_page_token: next.unwrap_or_default(),
            undetermined: page.undetermined,
            time: place.time,
        })
    }
}

/// How many a caller gets on a page.
pub(super) fn page_size(asked: u32) -> usize {
    let size = if asked == 0 { DEFAULT_PAGE } else { asked.min(LARGEST_PAGE) };
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn named(Entity { kind, id }: Entity<'_>) -> v1::Entity {
    v1::Entity { r#type: kind.to_owned(), id: id.to_owned() }
}
