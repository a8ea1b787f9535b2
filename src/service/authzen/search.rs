//! `/access/v1/search/…`: what is sought has a type and nothing else.

use super::read::{self, Members, part};
use crate::{
    model::Malformed,
    service::{convert::missing, proto::v1},
};

/// Who may do this?
pub(super) fn subjects(members: &mut Members, request_id: &str) -> Result<v1::ListSubjectsRequest, Malformed> {
    let Paging { size, token } = Paging::read(members)?;
    Ok(v1::ListSubjectsRequest {
        subject_type: sought(members, "subject")?,
        action: Some(part(members, "action", read::action)?),
        resource: Some(part(members, "resource", read::resource)?),
        context: members.properties("context")?,
        consistency: read::consistency(members)?,
        page_size: size,
        page_token: token,
        request_id: request_id.to_owned(),
    })
}

/// On what may they do this?
pub(super) fn resources(members: &mut Members, request_id: &str) -> Result<v1::ListResourcesRequest, Malformed> {
    let Paging { size, token } = Paging::read(members)?;
    Ok(v1::ListResourcesRequest {
        subject: Some(part(members, "subject", read::subject)?),
        action: Some(part(members, "action", read::action)?),
        resource_type: sought(members, "resource")?,
        within: members.object("within")?.map(read::entity).transpose()?,
        context: members.properties("context")?,
        consistency: read::consistency(members)?,
        page_size: size,
        page_token: token,
        request_id: request_id.to_owned(),
    })
}

/// What may they do with this?
pub(super) fn actions(members: &mut Members, request_id: &str) -> Result<v1::ListActionsRequest, Malformed> {
    // Actions are few and never paged: whoever sends a token was given it by another search.
    if !Paging::read(members)?.token.is_empty() {
        return Err(Malformed::new("page.token", "was not given out by this search"));
    }
    Ok(v1::ListActionsRequest {
        subject: Some(part(members, "subject", read::subject)?),
        resource: Some(part(members, "resource", read::resource)?),
        context: members.properties("context")?,
        consistency: read::consistency(members)?,
        request_id: request_id.to_owned(),
        ..v1::ListActionsRequest::default()
    })
}

/// The type of what is sought. Its id is ignored. Properties would be said of all that could be found: an answer that
/// left them out would be one to another question.
fn sought(members: &mut Members, name: &str) -> Result<String, Malformed> {
    let mut sought = members.object(name)?.ok_or_else(|| missing(name))?;
    if !sought.properties("properties")?.is_empty() {
        return Err(Malformed::new(format!("{name}.properties"), "cannot be sent of what is searched for"));
    }
    let kind = sought.text("type")?;
    // An empty one stands for every type where lists are asked for by gRPC.
    if kind.is_empty() {
        return Err(Malformed::new(format!("{name}.type"), "must not be empty"));
    }
    Ok(kind)
}

struct Paging {
    size: u32,
    token: String,
}

impl Paging {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        let Some(mut page) = members.object("page")? else { return Ok(Self { size: 0, token: String::new() }) };
        let size = page.optional_count("limit")?.unwrap_or_default();
        let token = page.optional_text("token")?.unwrap_or_default();
        Ok(Self { size: u32::try_from(size).unwrap_or(u32::MAX), token })
    }
}
