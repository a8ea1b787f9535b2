//! `/access/v1/evaluations`: several questions, for which the top level gives what they leave out.

use prost::Message;

use super::{
    json::Json,
    read::{self, Members},
};
use crate::{
    model::Malformed,
    service::proto::v1::{self, BatchAuthorizeSemantics as Semantics},
};

/// What the body asks.
#[derive(Debug)]
pub(super) enum Asked {
    /// One question, as at `/access/v1/evaluation`.
    One(Box<v1::AuthorizeRequest>),
    /// Several. An item that is no question stands as an empty message, which is denied as malformed; what is wrong with
    /// it stands beside.
    Several(v1::BatchAuthorizeRequest, Vec<(usize, Malformed)>),
}

/// How much a batch may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub(super) items: usize,
    /// With what items take from the top level.
    pub(super) bytes: usize,
}

/// Reads a body.
pub(super) fn read(mut members: Members, request_id: &str, most: Most) -> Result<Asked, Malformed> {
    let items = match members.take("evaluations") {
        None => Vec::new(),
        Some(Json::List(items)) => items,
        Some(_) => return Err(Malformed::new("evaluations", "must be an array")),
    };
    let semantics = semantics(&mut members)?;
    if items.is_empty() {
        return read::question(&mut members, request_id).map(|question| Asked::One(Box::new(question)));
    }
    if items.len() > most.items {
        return Err(Malformed::new(
            "evaluations",
            format!("must not hold more than {} items (`limits.batch_items`)", most.items),
        ));
    }
    let consistency = read::consistency(&mut members)?;
    let mut top = Top::read(&mut members, most.bytes)?;
    let (mut requests, mut broken) = (Vec::with_capacity(items.len()), Vec::new());
    for (number, item) in items.into_iter().enumerate() {
        let request = Members::of(item, format!("evaluations[{number}]")).map(|item| top.complete(item));
        requests.push(match request {
            Ok(Ok(request)) => request,
            Ok(Err(malformed)) | Err(malformed) => {
                broken.push((number, malformed));
                v1::AuthorizeRequest::default()
            }
        });
        top.check_room()?;
    }
    let request_id = request_id.to_owned();
    Ok(Asked::Several(
        v1::BatchAuthorizeRequest { requests, semantics: semantics.into(), consistency, request_id },
        broken,
    ))
}

fn semantics(members: &mut Members) -> Result<Semantics, Malformed> {
    let Some(mut options) = members.object("options")? else { return Ok(Semantics::Unspecified) };
    match options.optional_text("evaluations_semantic")?.as_deref() {
        None => Ok(Semantics::Unspecified),
        Some("execute_all") => Ok(Semantics::ExecuteAll),
        Some("deny_on_first_deny") => Ok(Semantics::DenyOnFirstDeny),
        Some("permit_on_first_permit") => Ok(Semantics::PermitOnFirstPermit),
        Some(_) => Err(Malformed::new(
            "options.evaluations_semantic",
            "must be `execute_all`, `deny_on_first_deny` or `permit_on_first_permit`",
        )),
    }
}

/// One part of the top level: read once, copied whole into every item that lacks it. One that is incomplete harms only
/// the items that need it.
struct Shared<T> {
    value: Option<Result<T, Malformed>>,
    bytes: usize,
}

struct Top {
    subject: Shared<v1::Subject>,
    action: Shared<v1::Action>,
    resource: Shared<v1::Resource>,
    /// A context is only ever a message as the context of one.
    context: Shared<v1::AuthorizeRequest>,
    /// What copies may still take.
    room: Option<usize>,
    most: usize,
}

impl<T: Message + Clone> Shared<T> {
    fn read(
        members: &mut Members,
        name: &str,
        read: impl FnOnce(Members) -> Result<T, Malformed>,
    ) -> Result<Self, Malformed> {
        // What is no object at all is wrong whoever needs it.
        let value = members.object(name)?.map(read);
        let bytes = value.as_ref().and_then(|value| value.as_ref().ok()).map_or(0, Message::encoded_len);
        Ok(Self { value, bytes })
    }

    /// The item's own, or a copy.
    fn or(
        &self,
        own: Option<Members>,
        read: impl FnOnce(Members) -> Result<T, Malformed>,
        room: &mut Option<usize>,
    ) -> Result<Option<T>, Malformed> {
        if let Some(own) = own {
            return read(own).map(Some);
        }
        *room = room.and_then(|room| room.checked_sub(self.bytes));
        match (&self.value, room) {
            (None, _) | (_, None) => Ok(None),
            (Some(value), Some(_)) => value.clone().map(Some),
        }
    }
}

impl Top {
    fn read(members: &mut Members, most: usize) -> Result<Self, Malformed> {
        Ok(Self {
            subject: Shared::read(members, "subject", read::subject)?,
            action: Shared::read(members, "action", read::action)?,
            resource: Shared::read(members, "resource", read::resource)?,
            context: Shared::read(members, "context", context)?,
            room: Some(most),
            most,
        })
    }

    /// An item with what it lacks; what is still missing then is told by whoever decides it.
    fn complete(&mut self, mut item: Members) -> Result<v1::AuthorizeRequest, Malformed> {
        let room = &mut self.room;
        let subject = self.subject.or(item.object("subject")?, read::subject, room)?;
        let action = self.action.or(item.object("action")?, read::action, room)?;
        let resource = self.resource.or(item.object("resource")?, read::resource, room)?;
        let context = self.context.or(item.object("context")?, context, room)?;
        let context = context.map(|holder| holder.context).unwrap_or_default();
        Ok(v1::AuthorizeRequest { subject, action, resource, context, consistency: None, request_id: String::new() })
    }

    /// A short body could otherwise become a batch of any size.
    fn check_room(&self) -> Result<(), Malformed> {
        let problem = || {
            format!("hold more than {} bytes with what they take from the top level (`limits.batch_bytes`)", self.most)
        };
        self.room.map(drop).ok_or_else(|| Malformed::new("evaluations", problem()))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "read as the other parts are, which can be wrong")]
fn context(members: Members) -> Result<v1::AuthorizeRequest, Malformed> {
    Ok(v1::AuthorizeRequest { context: members.into_properties(), ..v1::AuthorizeRequest::default() })
}
