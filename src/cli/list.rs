//! `sidegate list`: what a subject may do to a resource, or to which resources it may do something.

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use crate::decide;
use crate::model::EntityName;
use crate::service::proto::v1;

use super::Exit;
use super::answer::code;
use super::check::malformed;
use super::entities;
use super::output::{Trouble, say, say_json};
use super::question::{Details, Question, entity};
use super::snapshot::{Whom, now, open};
use super::wire::{connect, list_actions_request, refused};

/// What to list.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The actions that a subject may do on a resource
    Actions(ActionsArguments),
    /// The resources of a type on which a subject may do an action
    Resources(entities::ResourcesArguments),
}

#[derive(Debug, Args)]
struct ActionsArguments {
    #[command(flatten)]
    whom: Whom,
    /// Who asks
    #[arg(value_name = "SUBJECT", value_parser = entity)]
    subject: EntityName,
    /// On what
    #[arg(value_name = "RESOURCE", value_parser = entity)]
    resource: EntityName,
    #[command(flatten)]
    details: Details,
    /// Print the denied actions too, with the reason
    #[arg(long)]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One action and its answer.
struct Listed {
    action: String,
    allowed: bool,
    reason: String,
}

/// Lists: exit 0, also when the list is empty.
pub(super) fn list(arguments: &ListArguments) -> Exit {
    match &arguments.what {
        What::Actions(arguments) => list_actions(arguments),
        What::Resources(arguments) => entities::resources(arguments),
    }
}

fn list_actions(arguments: &ActionsArguments) -> Exit {
    let listed = match actions(arguments) {
        Ok(listed) => listed,
        Err(trouble) => return trouble.tell(arguments.json),
    };
    let shown = listed.iter().filter(|one| one.allowed || arguments.all);
    if arguments.json {
        let one = |one: &Listed| json!({"action": one.action, "allowed": one.allowed, "reason": one.reason});
        say_json(&json!({"actions": shown.map(one).collect::<Json>()}));
    } else if arguments.all {
        shown.for_each(|one| {
            say(&format!("{:<24} {} {}", one.action, if one.allowed { "ALLOW" } else { "DENY " }, one.reason));
        });
    } else {
        shown.for_each(|one| say(&one.action));
    }
    Exit::Yes
}

fn actions(arguments: &ActionsArguments) -> Result<Vec<Listed>, Trouble> {
    let ActionsArguments { subject, resource, details, .. } = arguments;
    let question = Question { subject, action: "", resource, details };
    if let Some(address) = arguments.whom.server() {
        let message = question.with(list_actions_request);
        let response = connect(address, &arguments.whom.tls)?
            .call(|client| client.list_actions(message))
            .map_err(|problem| refused(&problem))?;
        return Ok(response.actions.into_iter().map(received).collect());
    }
    let built = open(arguments.whom.path())?;
    let listed = question.with(|request| decide::list_actions(&built.index, request, now()));
    let listed = listed.map_err(|problem| malformed(&problem))?;
    let one = |listed: decide::ActionVerdict| Listed {
        action: listed.action,
        allowed: listed.verdict.is_allow(),
        reason: listed.verdict.reason.code().to_owned(),
    };
    Ok(listed.into_iter().map(one).collect())
}

fn received(listed: v1::ActionVerdict) -> Listed {
    let verdict = listed.verdict.unwrap_or_default();
    Listed { action: listed.action, allowed: verdict.decision() == v1::Decision::Allow, reason: code(verdict.reason()) }
}
