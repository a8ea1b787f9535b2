//! Who may change who holds what, which levels somebody has, and how many seats are taken.

use std::{mem::take, sync::Arc};

use super::{Caller, Pdp, Place, Refusal, lists::page_size};
use crate::{
    decide::{self, CountError, GovernorLevel, GrantCheck, GrantError, LevelsError},
    model::{Entity, Malformed, name_problem, order},
    observe::decision_log::Origin,
    service::{
        convert::{self, Question},
        proto::v1,
    },
    snapshot::Snapshot,
};

impl From<LevelsError> for Refusal {
    fn from(error: LevelsError) -> Self {
        match error {
            LevelsError::UnknownSubject | LevelsError::UnknownScope => Self::NotFound(error.to_string()),
            LevelsError::Corrupt(corrupt) => Self::Corrupt(corrupt),
        }
    }
}

impl From<CountError> for Refusal {
    fn from(error: CountError) -> Self {
        match error {
            CountError::UnknownClass | CountError::UnknownScope => Self::NotFound(error.to_string()),
            CountError::Corrupt(corrupt) => Self::Corrupt(corrupt),
        }
    }
}

impl From<GrantError> for Refusal {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Malformed(malformed) => Self::Malformed(malformed),
            GrantError::NoChange { .. } => Self::Malformed(Malformed::new("action.name", error.to_string())),
        }
    }
}

impl Pdp {
    /// Decides a request whose action stands for a change, and says what would be wrong with the result.
    pub(in crate::service) fn check_grant(
        &self,
        snapshot: &Arc<Snapshot>,
        request: &v1::AuthorizeRequest,
        origin: Origin,
        caller: &Caller,
    ) -> Result<v1::CheckGrantResponse, Refusal> {
        let time = self.now();
        let question = Question::of(request)?;
        let checked = question.ask(|question| {
            caller.may_ask(&snapshot.index, question, Place::Resource)?;
            let checked = decide::check_grant(&snapshot.index, question, time)?;
            self.note(snapshot, (question, &request.request_id), checked.verdict, time, origin);
            Ok::<_, Refusal>(checked)
        })?;
        let GrantCheck { verdict, mut violations } = checked;
        // They name what the author wrote.
        if !caller.reasons().show_rules() {
            violations.clear();
        }
        let response = convert::response(snapshot, &verdict, time, &request.request_id, caller.reasons());
        Ok(v1::CheckGrantResponse { response: Some(response), violations })
    }

    /// A page of the levels of a subject at a scope.
    pub(in crate::service) fn list_levels(
        &self,
        snapshot: &Snapshot,
        mut request: v1::ListLevelsRequest,
        caller: &Caller,
    ) -> Result<v1::ListLevelsResponse, Refusal> {
        let request_id = take(&mut request.request_id);
        convert::check_request_id(&request_id)?;
        let (size, token) = (take(&mut request.page_size), take(&mut request.page_token));
        request.consistency = None;
        let query = self.tokens.query("ListLevels", &request);
        let v1::ListLevelsRequest { subject, scope, .. } = request;
        let subject = named("subject", subject.as_ref())?;
        let scope = named("scope", scope.as_ref())?;
        caller.may_ask_of(subject.kind)?;
        caller.may_ask_at(&snapshot.index, scope)?;
        let place = self.place(snapshot, &token, query)?;
        let levels = decide::list_levels(&snapshot.index, subject, scope, place.time)?;
        let first = usize::try_from(place.position).unwrap_or(usize::MAX);
        let page: Vec<v1::EffectiveLevel> = levels
            .iter()
            .skip(first)
            .take(page_size(size))
            .map(|level| caller.reasons().level(effective_level(level)))
            .collect();
        let behind = first.saturating_add(page.len());
        let next = u32::try_from(behind).ok().filter(|_| behind < levels.len());
        let next = next.map(|position| self.tokens.seal(&place.at(position), query));
        Ok(v1::ListLevelsResponse {
            levels: page,
            next_page_token: next.unwrap_or_default(),
            snapshot: Some(convert::snapshot_ref(snapshot, self.now())),
            evaluated_at: Some(convert::timestamp(place.time)),
            request_id,
        })
    }

    /// How many seats are taken at a scope, of every class that is named, or of all.
    pub(in crate::service) fn count_seats(
        &self,
        snapshot: &Snapshot,
        request: v1::CountSeatsRequest,
        caller: &Caller,
    ) -> Result<v1::CountSeatsResponse, Refusal> {
        let v1::CountSeatsRequest { scope, mut seat_classes, request_id, .. } = request;
        convert::check_request_id(&request_id)?;
        let scope = named("scope", scope.as_ref())?;
        caller.may_ask_at(&snapshot.index, scope)?;
        let time = self.now();
        if seat_classes.is_empty() {
            seat_classes = decide::seat_classes(&snapshot.index)?;
        }
        order::natural(&mut seat_classes);
        seat_classes.dedup();
        let mut counts = Vec::with_capacity(seat_classes.len());
        for seat_class in seat_classes {
            check_name("seat_classes", &seat_class)?;
            let count = decide::count_seats(&snapshot.index, &seat_class, scope, time)?;
            counts.push(v1::SeatCount { seat_class, count });
        }
        Ok(v1::CountSeatsResponse {
            counts,
            snapshot: Some(convert::snapshot_ref(snapshot, self.now())),
            evaluated_at: Some(convert::timestamp(time)),
            request_id,
        })
    }
}

fn effective_level(level: &GovernorLevel) -> v1::EffectiveLevel {
    let GovernorLevel { governor, level, narrowed, rule_id } = level.clone();
    v1::EffectiveLevel { governor, level, narrowed, rule_id: rule_id.unwrap_or_default() }
}

/// An entity that must be there and be well formed.
fn named<'w>(field: &str, wire: Option<&'w v1::Entity>) -> Result<Entity<'w>, Malformed> {
    let name = convert::entity(wire.ok_or_else(|| convert::missing(field))?);
    check_name(&format!("{field}.type"), name.kind)?;
    check_name(&format!("{field}.id"), name.id)?;
    Ok(name)
}

fn check_name(field: &str, text: &str) -> Result<(), Malformed> {
    name_problem(text).map_or(Ok(()), |problem| Err(Malformed::new(field, problem)))
}
