//! `sidegate list resources` and `sidegate who-can`: every resource, or everybody, of whom `check` says ALLOW.

use clap::Args;
use serde_json::{Value as Json, json};

use crate::client::Listed;
use crate::decide::{ListError, Listing, PageBounds};
use crate::index::Index;
use crate::model::{Entity, EntityName, Request, Timestamp};
use crate::service::proto::v1;

use super::Exit;
use super::answer::moment;
use super::check::malformed;
use super::output::{Trouble, note, say, say_json};
use super::question::{Details, Question, entity};
use super::snapshot::{Whom, identity, now, open};
use super::wire::{connect, list_resources_request, list_subjects_request, refused};

/// What a subject may act on.
#[derive(Debug, Args)]
pub(super) struct ResourcesArguments {
    #[command(flatten)]
    whom: Whom,
    /// Who asks
    #[arg(value_name = "SUBJECT", value_parser = entity)]
    subject: EntityName,
    /// What for
    action: String,
    /// The type of the resources
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Only resources at or below this scope
    #[arg(long, value_name = "TYPE/ID", value_parser = entity)]
    within: Option<EntityName>,
    #[command(flatten)]
    details: Details,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Who may act on a resource.
#[derive(Debug, Args)]
pub(super) struct WhoCanArguments {
    #[command(flatten)]
    whom: Whom,
    /// What for
    action: String,
    /// On what
    #[arg(value_name = "RESOURCE", value_parser = entity)]
    resource: EntityName,
    /// Only subjects of this type
    #[arg(long = "type", value_name = "TYPE", default_value = "", hide_default_value = true)]
    kind: String,
    #[command(flatten)]
    details: Details,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A whole list, and what belongs to it.
struct Answer {
    entities: Vec<EntityName>,
    undetermined: u64,
    snapshot: Json,
    evaluated_at: String,
}

/// Lists resources: exit 0, also when the list is empty.
pub(super) fn resources(arguments: &ResourcesArguments) -> Exit {
    match every_resource(arguments) {
        Ok(answer) => answer.print("resources", arguments.json),
        Err(trouble) => trouble.tell(arguments.json),
    }
}

/// Lists subjects: exit 0, also when the list is empty.
pub(super) fn who_can(arguments: &WhoCanArguments) -> Exit {
    match every_subject(arguments) {
        Ok(answer) => answer.print("subjects", arguments.json),
        Err(trouble) => trouble.tell(arguments.json),
    }
}

fn every_resource(arguments: &ResourcesArguments) -> Result<Answer, Trouble> {
    let ResourcesArguments { whom, subject, action, kind, within, details, .. } = arguments;
    details.refuse("resource", "every resource of the type is asked about as the snapshot holds it")?;
    let resource = EntityName { kind: kind.clone(), id: String::new() };
    let question = Question { subject, action, resource: &resource, details };
    let within = within.as_ref().map(EntityName::as_entity);
    if let Some(address) = whom.server() {
        let message = question.with(|request| list_resources_request(request, within));
        let listed = connect(address, &whom.tls)?.call(|client| client.every_resource(message));
        return Ok(Answer::received(listed.map_err(|problem| refused(&problem))?));
    }
    decided(whom, &question, |index, request, time| Listing::of_resources(index, request, within, time))
}

fn every_subject(arguments: &WhoCanArguments) -> Result<Answer, Trouble> {
    let WhoCanArguments { whom, action, resource, kind, details, .. } = arguments;
    details.refuse("subject", "every subject is asked about as the snapshot holds it")?;
    let subject = EntityName { kind: kind.clone(), id: String::new() };
    let question = Question { subject: &subject, action, resource, details };
    if let Some(address) = whom.server() {
        let message = question.with(list_subjects_request);
        let listed = connect(address, &whom.tls)?.call(|client| client.every_subject(message));
        return Ok(Answer::received(listed.map_err(|problem| refused(&problem))?));
    }
    decided(whom, &question, |index, request, time| Listing::of_subjects(index, request, time))
}

/// Decides here, at one moment.
fn decided(
    whom: &Whom,
    question: &Question<'_>,
    list: impl for<'i, 'q> FnOnce(&'i Index, &Request<'q>, Timestamp) -> Result<Listing<'i, 'q>, ListError>,
) -> Result<Answer, Trouble> {
    let built = open(whom.path())?;
    let time = now();
    let everything = PageBounds { allowed: usize::MAX, looked_at: u32::MAX };
    let page = question.with(|request| list(&built.index, request, time)?.page(0, everything));
    let page = page.map_err(|problem| match problem {
        ListError::Malformed(problem) => malformed(&problem),
        ListError::Corrupt(problem) => Trouble::new(Exit::Runtime, problem.to_string()),
    })?;
    let owned = |Entity { kind, id }: Entity<'_>| EntityName { kind: kind.to_owned(), id: id.to_owned() };
    Ok(Answer {
        entities: page.allowed.into_iter().map(owned).collect(),
        undetermined: u64::from(page.undetermined),
        snapshot: identity(&built),
        evaluated_at: time.to_string(),
    })
}

impl Answer {
    fn received(listed: Listed) -> Self {
        let owned = |v1::Entity { r#type: kind, id }| EntityName { kind, id };
        Self {
            entities: listed.entities.into_iter().map(owned).collect(),
            undetermined: listed.undetermined,
            snapshot: json!({"sequence": listed.snapshot.sequence, "digest": listed.snapshot.digest}),
            evaluated_at: moment(listed.evaluated_at.as_ref()),
        }
    }

    fn print(&self, what: &str, as_json: bool) -> Exit {
        let Self { entities, undetermined, snapshot, evaluated_at } = self;
        if as_json {
            let entities: Json = entities.iter().map(|name| json!({"type": name.kind, "id": name.id})).collect();
            say_json(&json!({
                what: entities,
                "undetermined_count": undetermined,
                "snapshot": snapshot,
                "evaluated_at": evaluated_at,
            }));
            return Exit::Yes;
        }
        for name in entities {
            say(&name.to_string());
        }
        // Not among the names, which a program may read line by line.
        if *undetermined > 0 {
            note(&format!("{undetermined} more are denied only because a value is missing; `explain` names it"));
        }
        Exit::Yes
    }
}
