//! `sidegate check` and `sidegate explain`: one question, to a snapshot on disk or to a running daemon.

use clap::Args;

use crate::decide;
use crate::model::{EntityName, Malformed};

use super::Exit;
use super::answer::{Answer, Told};
use super::output::{Trouble, say, say_json};
use super::question::{Details, Question, entity};
use super::snapshot::{Whom, now, open};
use super::wire::{authorize_request, connect, refused};

/// One question.
#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    whom: Whom,
    /// Who asks
    #[arg(value_name = "SUBJECT", value_parser = entity)]
    subject: EntityName,
    /// What for
    action: String,
    /// On what
    #[arg(value_name = "RESOURCE", value_parser = entity)]
    resource: EntityName,
    #[command(flatten)]
    details: Details,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl CheckArguments {
    fn question(&self) -> Question<'_> {
        Question { subject: &self.subject, action: &self.action, resource: &self.resource, details: &self.details }
    }
}

/// Asks: exit 0 for allow, 1 for deny.
pub(super) fn check(arguments: &CheckArguments) -> Exit {
    match answer(arguments) {
        Err(trouble) => trouble.tell(arguments.json),
        Ok(answer) => {
            if arguments.json {
                say_json(&answer.json());
            } else {
                say(&answer.line());
            }
            answer.exit()
        }
    }
}

/// Asks and says why: the same exit code as `check`.
pub(super) fn explain(arguments: &CheckArguments) -> Exit {
    match explanation(arguments) {
        Err(trouble) => trouble.tell(arguments.json),
        Ok((answer, told)) => {
            if arguments.json {
                say_json(&told.json(&answer));
            } else {
                say(&answer.line());
                told.lines().iter().for_each(|line| say(line));
            }
            answer.exit()
        }
    }
}

fn answer(arguments: &CheckArguments) -> Result<Answer, Trouble> {
    if let Some(address) = arguments.whom.server() {
        let message = arguments.question().with(authorize_request);
        let response = connect(address, &arguments.whom.tls)?
            .call(|client| client.authorize(message))
            .map_err(|problem| refused(&problem))?;
        return Ok(Answer::received(&response));
    }
    let built = open(arguments.whom.path())?;
    let time = now();
    let verdict = arguments.question().with(|request| decide::authorize(&built.index, request, time));
    Ok(Answer::decided(&built, &verdict.map_err(|problem| malformed(&problem))?, time))
}

fn explanation(arguments: &CheckArguments) -> Result<(Answer, Told), Trouble> {
    if let Some(address) = arguments.whom.server() {
        let message = arguments.question().with(authorize_request);
        let response = connect(address, &arguments.whom.tls)?
            .call(|client| client.explain(message))
            .map_err(|problem| refused(&problem))?;
        let answer = Answer::received(&response.response.clone().unwrap_or_default());
        return Ok((answer, Told::received(&response)));
    }
    let built = open(arguments.whom.path())?;
    let time = now();
    let explanation = arguments.question().with(|request| decide::explain(&built.index, request, time));
    let explanation = explanation.map_err(|problem| malformed(&problem))?;
    Ok((Answer::decided(&built, &explanation.verdict, time), Told::decided(&explanation)))
}

/// A question that cannot be asked is a mistake of the command line.
pub(super) fn malformed(problem: &Malformed) -> Trouble {
    Trouble::new(Exit::Usage, problem.to_string())
}
