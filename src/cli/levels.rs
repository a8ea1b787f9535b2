//! `sidegate levels`: what a subject reaches on every governor, at one scope.

use clap::Args;
use serde_json::{Value as Json, json};

use crate::decide::{self, LevelsError};
use crate::model::EntityName;
use crate::service::proto::v1;

use super::Exit;
use super::answer::moment;
use super::output::{Trouble, say, say_json};
use super::question::entity;
use super::snapshot::{Whom, identity, now, open};
use super::wire::{connect, list_levels_request, refused_name};

/// Whose levels, and where.
#[derive(Debug, Args)]
pub(super) struct LevelsArguments {
    #[command(flatten)]
    whom: Whom,
    /// Whose levels
    #[arg(value_name = "SUBJECT", value_parser = entity)]
    subject: EntityName,
    /// Where: what the subject holds there and above counts
    #[arg(value_name = "SCOPE", value_parser = entity)]
    scope: EntityName,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// All levels, and what belongs to them.
struct Answer {
    levels: Vec<v1::EffectiveLevel>,
    snapshot: Json,
    evaluated_at: String,
}

/// Lists levels: exit 0, also when all are the lowest.
pub(super) fn levels(arguments: &LevelsArguments) -> Exit {
    let Answer { levels, snapshot, evaluated_at } = match answer(arguments) {
        Ok(answer) => answer,
        Err(trouble) => return trouble.tell(arguments.json),
    };
    if arguments.json {
        let one = |one: &v1::EffectiveLevel| json!({"governor": one.governor, "level": one.level, "narrowed": one.narrowed, "rule_id": one.rule_id});
        let levels: Json = levels.iter().map(one).collect();
        say_json(&json!({"levels": levels, "snapshot": snapshot, "evaluated_at": evaluated_at}));
        return Exit::Yes;
    }
    for v1::EffectiveLevel { governor, level, narrowed, rule_id } in &levels {
        let from = if rule_id.is_empty() { String::new() } else { format!(" {rule_id}") };
        let narrowed = if *narrowed { " (narrowed)" } else { "" };
        say(&format!("{governor:<24} {level}{from}{narrowed}"));
    }
    Exit::Yes
}

fn answer(arguments: &LevelsArguments) -> Result<Answer, Trouble> {
    let (subject, scope) = (arguments.subject.as_entity(), arguments.scope.as_entity());
    if let Some(address) = arguments.whom.server() {
        let message = list_levels_request(subject, scope);
        let response = connect(address, &arguments.whom.tls)?.call(|client| client.every_level(message));
        let response = response.map_err(|problem| refused_name(&problem))?;
        let identity = response.snapshot.unwrap_or_default();
        return Ok(Answer {
            levels: response.levels,
            snapshot: json!({"sequence": identity.sequence, "digest": identity.digest}),
            evaluated_at: moment(response.evaluated_at.as_ref()),
        });
    }
    let built = open(arguments.whom.path())?;
    let time = now();
    let levels = decide::list_levels(&built.index, subject, scope, time).map_err(|problem| match problem {
        LevelsError::UnknownSubject | LevelsError::UnknownScope => Trouble::new(Exit::Usage, problem.to_string()),
        LevelsError::Corrupt(problem) => Trouble::new(Exit::Runtime, problem.to_string()),
    })?;
    let one = |level: decide::GovernorLevel| v1::EffectiveLevel {
        governor: level.governor,
        level: level.level,
        narrowed: level.narrowed,
        rule_id: level.rule_id.unwrap_or_default(),
    };
    Ok(Answer {
        levels: levels.into_iter().map(one).collect(),
        snapshot: identity(&built),
        evaluated_at: time.to_string(),
    })
}
