//! `sidegate bench`: puts load on a running daemon and says how it bore it.

mod questions;
mod tell;

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::client::bench::{Address, Door, Length, MOST, Plan, Questions, run};
use crate::model::EntityName;

use super::Exit;
use super::compile::duration;
use super::output::{Trouble, note, say_json};
use super::question::{Details, entity};
use super::wire::refused;

/// What to ask, how, and for how long.
#[derive(Debug, Args)]
pub(super) struct BenchArguments {
    /// The daemon: HOST:PORT or unix:PATH. It has to bear whatever is asked for here
    #[arg(long, value_name = "ADDRESS")]
    server: String,
    /// Who asks
    #[arg(value_name = "SUBJECT", value_parser = entity, required_unless_present = "questions", requires = "resource")]
    subject: Option<EntityName>,
    /// What for
    action: Option<String>,
    /// On what
    #[arg(value_name = "RESOURCE", value_parser = entity)]
    resource: Option<EntityName>,
    #[command(flatten)]
    details: Details,
    /// The decision that the question must have; another one is a wrong answer
    #[arg(long, value_enum, value_name = "DECISION", conflicts_with = "questions")]
    expect: Option<Expected>,
    /// Many questions instead of one: a file of JSON lines, each written as the `ask` of a test, with an `expect`
    #[arg(long, value_name = "FILE", conflicts_with = "subject")]
    questions: Option<PathBuf>,
    /// Draw the questions at random, the same for the same number, and not in their order
    #[arg(long, value_name = "N", requires = "questions")]
    seed: Option<u64>,
    /// Ask so many questions with each call
    #[arg(long, value_name = "N", value_parser = bounded, conflicts_with = "stream")]
    batch: Option<NonZeroUsize>,
    /// Ask over one stream for each connection
    #[arg(long)]
    stream: bool,
    /// Calls a second in all, due at equal distances whatever the answers do. Without: as fast as answers come
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// Connections
    #[arg(long, value_name = "N", value_parser = bounded, default_value = "4")]
    connections: NonZeroUsize,
    /// The most calls that wait for their answers on each connection
    #[arg(long, value_name = "N", value_parser = bounded, default_value = "32")]
    in_flight: NonZeroUsize,
    /// Threads that ask, at most one for each connection
    #[arg(long, value_name = "N", value_parser = bounded, default_value = "1")]
    threads: NonZeroUsize,
    /// How long, like 10s or 5m
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s", conflicts_with = "count")]
    duration: Duration,
    /// Make so many calls, however long it takes
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Ask for so long before anything counts. Default: 1s, and nothing with --count
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    warm_up: Option<Duration>,
    /// The deadline of each call
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    deadline: Duration,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A decision as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Expected {
    Allow,
    Deny,
}

/// Asks: exit 0 if every answer came and none was wrong, 1 if one was wrong, 69 if one did not come.
pub(super) fn bench(arguments: &BenchArguments) -> Exit {
    match measure(arguments) {
        Ok(exit) => exit,
        Err(trouble) => trouble.tell(arguments.json),
    }
}

fn measure(arguments: &BenchArguments) -> Result<Exit, Trouble> {
    let plan = arguments.plan()?;
    let questions = questions::of(arguments)?;
    let questions = Questions::new(&questions, plan.door, arguments.seed)
        .ok_or_else(|| Trouble::new(Exit::Usage, "there is nothing to ask"))?;
    if !plan.address.is_local() {
        note(&format!("`{}` is another machine: it gets the load, and the network is measured too", plan.address));
    }
    let mut progress = tell::progress;
    let is_watched = std::io::stderr().is_terminal();
    let outcome = run(&plan, questions, if is_watched { Some(&mut progress) } else { None });
    if is_watched {
        tell::end_of_progress();
    }
    let outcome = outcome.map_err(|problem| refused(&problem))?;
    if arguments.json {
        say_json(&tell::json(&plan, &outcome));
    } else {
        tell::lines(&plan, &outcome);
    }
    Ok(tell::exit(&outcome))
}

impl BenchArguments {
    fn plan(&self) -> Result<Plan, Trouble> {
        let door = match (self.batch, self.stream) {
            (Some(size), _) => Door::Batch(size),
            (None, true) => Door::Stream,
            (None, false) => Door::Authorize,
        };
        Ok(Plan {
            address: Address::parse(&self.server).map_err(|problem| refused(&problem))?,
            door,
            rate: self.rate,
            connections: self.connections,
            in_flight: self.in_flight,
            threads: self.threads,
            length: self.count.map_or(Length::Time(self.duration), Length::Calls),
            warm_up: self.warm_up.unwrap_or(Duration::from_secs(u64::from(self.count.is_none()))),
            deadline: self.deadline,
        })
    }
}

fn bounded(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= MOST);
    number.ok_or_else(|| format!("write a number from 1 to {MOST}"))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| (0.001..=10_000_000.0).contains(rate));
    rate.ok_or_else(|| "write a number from 0.001 to 10000000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{bounded, rate};

    #[test]
    fn numbers_have_bounds() {
        assert!(bounded("1").is_ok() && bounded("10000").is_ok() && rate("0.5").is_ok());
        for wrong in ["0", "-1", "10001", "x", ""] {
            assert!(bounded(wrong).is_err(), "{wrong}");
        }
        for wrong in ["0", "-1", "NaN", "inf", "1e9"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
