//! The command line: text in, calls down, text out. It holds no rule of the product and no default of the daemon.

mod answer;
mod bench;
mod check;
mod compile;
mod demo;
mod entities;
mod health;
mod inspect;
mod levels;
mod list;
mod output;
mod question;
mod seats;
mod serve;
mod snapshot;
mod test;
mod validate;
mod value;
mod wire;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// How a command ended, as its exit code (DESIGN section 4; the numbers from 64 on are those of `sysexits.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Yes, or done.
    Yes = 0,
    /// The answer is no.
    No = 1,
    /// The command line is wrong.
    Usage = 64,
    /// The policy or the facts are wrong.
    BadPolicy = 65,
    /// The server cannot be reached, or is not serving.
    Unavailable = 69,
    /// Something broke while running.
    Runtime = 70,
    /// The configuration is wrong.
    BadConfig = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A sidecar that decides: may this subject do this action on this resource?
#[derive(Debug, Parser)]
#[command(name = "sidegate", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a snapshot and reload it when it changes
    Serve(serve::ServeArguments),
    /// Serve the built-in example and print calls to try
    Demo(demo::DemoArguments),
    /// Ask one question: exit 0 for allow, 1 for deny
    Check(check::CheckArguments),
    /// Ask one question and say why
    Explain(check::CheckArguments),
    /// Check a policy and its facts: exit 65 if anything is wrong
    Validate(validate::ValidateArguments),
    /// Run the tests beside a policy: exit 1 if one fails, 65 if there are none
    Test(test::TestArguments),
    /// Compile a policy and its facts to the one file that machines ship
    Compile(compile::CompileArguments),
    /// Show what is in a compiled file
    Inspect(inspect::InspectArguments),
    /// List what a subject may do, or what it may do something to
    List(list::ListArguments),
    /// List who may do something to a resource
    WhoCan(entities::WhoCanArguments),
    /// List the levels of a subject at a scope, one for each governor
    Levels(levels::LevelsArguments),
    /// Count the seats that are taken at a scope
    Seats(seats::SeatsArguments),
    /// Put load on a running daemon: exit 1 if an answer is wrong
    Bench(bench::BenchArguments),
    /// Ask a running daemon whether it is serving: for exec probes
    Health(health::HealthArguments),
}

/// Runs one command.
pub fn run() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(problem) => return usage(&problem),
    };
    match arguments.command {
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Demo(arguments) => demo::demo(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Explain(arguments) => check::explain(&arguments),
        Command::Validate(arguments) => validate::validate(&arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::Compile(arguments) => compile::compile(&arguments),
        Command::Inspect(arguments) => inspect::inspect(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::WhoCan(arguments) => entities::who_can(&arguments),
        Command::Levels(arguments) => levels::levels(&arguments),
        Command::Seats(arguments) => seats::seats(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::Health(arguments) => health::health(&arguments),
    }
}

/// Prints what clap has to say: help is an answer, anything else a wrong command line.
fn usage(problem: &clap::Error) -> Exit {
    let printed = problem.print();
    if problem.use_stderr() || printed.is_err() { Exit::Usage } else { Exit::Yes }
}
