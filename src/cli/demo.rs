//! `sidegate demo`: serve an example that is built into the program, from a copy that may be edited.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use clap::Args;

use crate::app::{self, Running};
use crate::config::{Config, Overrides};

use super::Exit;
use super::output::{fail, say};
use super::serve::ended;

const POLICY: &str = include_str!("../../config/studios/dialog-studio/policy.yaml");
const FACTS: &str = include_str!("../../config/studios/dialog-studio/facts.yaml");

/// How long the example may take to be served: a tenth of a second on any machine that is not very busy.
const START: Duration = Duration::from_secs(10);

/// Where to serve the example.
#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// Address of the data listener
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8650")]
    listen: String,
    /// Address of the ops listener
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8651")]
    ops_listen: String,
}

/// Serves the example until told to end; the copy is removed then.
pub(super) fn demo(arguments: &DemoArguments) -> Exit {
    let directory = match tempfile::Builder::new().prefix("sidegate-demo-").tempdir() {
        Ok(directory) => directory,
        Err(problem) => return fail(Exit::Runtime, &format!("cannot make a directory for the example: {problem}")),
    };
    if let Err(problem) = write_example(directory.path()) {
        return fail(Exit::Runtime, &format!("cannot write the example: {problem}"));
    }
    let overrides = Overrides {
        snapshot: Some(directory.path().to_string_lossy().into_owned()),
        listen: Some(arguments.listen.clone()),
        ops_listen: Some(arguments.ops_listen.clone()),
        ..Overrides::default()
    };
    match Config::load(None, &overrides) {
        Ok(config) => ended(app::run(&config, |running| introduce(running, directory.path()))),
        Err(mistakes) => fail(Exit::BadConfig, &format!("the configuration is wrong\n{mistakes}")),
    }
}

fn write_example(directory: &Path) -> io::Result<()> {
    fs::write(directory.join("policy.yaml"), POLICY)?;
    fs::write(directory.join("facts.yaml"), FACTS)
}

fn introduce(running: &Running, directory: &Path) {
    // What was written a moment ago may be half of what is to come: the daemon waits, and who reads this would not. If it
    // is in vain, its log tells why.
    running.ready(START);
    let addresses = running.addresses();
    let address = addresses.data.map(|address| address.to_string()).unwrap_or_default();
    let ops = addresses.ops.map(|address| address.to_string()).unwrap_or_default();
    let facts = directory.join("facts.yaml");
    say("Sidegate serves the example `dialog-studio`.");
    say("");
    say(&format!("grpc    {address}"));
    say(&format!("ops     {ops}"));
    say(&format!("policy  {}", directory.join("policy.yaml").display()));
    say(&format!("facts   {}", facts.display()));
    say("");
    say("Try, in another terminal:");
    say("");
    for (call, note) in [
        ("check", "user/ana update analytics_dashboard/kpi     # allowed: analysts write dashboards"),
        ("check", "user/ana update bot/helper                  # denied: everything else they only read"),
        ("explain", "user/cleo update bot/support                # denied: and why"),
        ("list actions", "user/dev bot/helper"),
    ] {
        say(&format!("  cargo run --release -- {call} --server {address} {note}"));
    }
    say("");
    say(&format!("Then remove ana's line from {} and ask again.", facts.display()));
    say("Stop with Ctrl-C; the copy is removed.");
}
