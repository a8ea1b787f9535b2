//! `sidegate seats`: how many seats are taken at a scope, class by class.

use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::decide::{self, CountError};
use crate::index::Index;
use crate::model::{Entity, EntityName, Timestamp, order};

use super::Exit;
use super::answer::moment;
use super::output::{Trouble, say, say_json};
use super::question::entity;
use super::snapshot::{Whom, identity, now, open};
use super::wire::{connect, count_seats_request, refused_name};

/// Which seats, and where.
#[derive(Debug, Args)]
pub(super) struct SeatsArguments {
    #[command(flatten)]
    whom: Whom,
    /// Where
    #[arg(value_name = "SCOPE", value_parser = entity)]
    scope: EntityName,
    /// Only these classes of seats; all where none is named
    #[arg(value_name = "CLASS")]
    classes: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// All counts, and what belongs to them.
struct Answer {
    counts: Vec<(String, u64)>,
    snapshot: Json,
    evaluated_at: String,
}

/// Counts: exit 0.
pub(super) fn seats(arguments: &SeatsArguments) -> Exit {
    let Answer { counts, snapshot, evaluated_at } = match answer(arguments) {
        Ok(answer) => answer,
        Err(trouble) => return trouble.tell(arguments.json),
    };
    if arguments.json {
        let seats: Map<String, Json> = counts.into_iter().map(|(class, count)| (class, count.into())).collect();
        say_json(&json!({"seats": seats, "snapshot": snapshot, "evaluated_at": evaluated_at}));
        return Exit::Yes;
    }
    for (class, count) in counts {
        say(&format!("{class:<24} {count}"));
    }
    Exit::Yes
}

fn answer(arguments: &SeatsArguments) -> Result<Answer, Trouble> {
    let scope = arguments.scope.as_entity();
    if let Some(address) = arguments.whom.server() {
        let message = count_seats_request(scope, &arguments.classes);
        let response = connect(address, &arguments.whom.tls)?.call(|client| client.count_seats(message));
        let response = response.map_err(|problem| refused_name(&problem))?;
        let identity = response.snapshot.unwrap_or_default();
        return Ok(Answer {
            counts: response.counts.into_iter().map(|one| (one.seat_class, one.count)).collect(),
            snapshot: json!({"sequence": identity.sequence, "digest": identity.digest}),
            evaluated_at: moment(response.evaluated_at.as_ref()),
        });
    }
    let built = open(arguments.whom.path())?;
    let time = now();
    let counts = counted(&built.index, &arguments.classes, scope, time).map_err(|problem| match problem {
        CountError::UnknownClass | CountError::UnknownScope => Trouble::new(Exit::Usage, problem.to_string()),
        CountError::Corrupt(problem) => Trouble::new(Exit::Runtime, problem.to_string()),
    })?;
    Ok(Answer { counts, snapshot: identity(&built), evaluated_at: time.to_string() })
}

fn counted(
    index: &Index,
    classes: &[String],
    scope: Entity<'_>,
    time: Timestamp,
) -> Result<Vec<(String, u64)>, CountError> {
    let mut classes = if classes.is_empty() { decide::seat_classes(index)? } else { classes.to_vec() };
    order::natural(&mut classes);
    classes.dedup();
    let one = |class: String| decide::count_seats(index, &class, scope, time).map(|count| (class, count));
    classes.into_iter().map(one).collect()
}
