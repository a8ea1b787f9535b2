//! `sidegate serve`: flags into overrides, then the daemon.

use std::path::PathBuf;

use clap::Args;

use crate::app::{self, AppError, ExitReason};
use crate::config::{Origin, Overrides};

use super::Exit;
use super::output::{fail, say};

/// What to serve and where.
#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// The snapshot: a file or a directory
    #[arg(long, value_name = "PATH")]
    snapshot: Option<String>,
    /// A configuration file; every key is in config/sidegate.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of the data listener; empty for none [default: 127.0.0.1:8650]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Unix socket of the data listener
    #[arg(long, value_name = "PATH")]
    uds: Option<String>,
    /// Address of the ops listener; empty for none [default: 127.0.0.1:8651]
    #[arg(long, value_name = "ADDRESS")]
    ops_listen: Option<String>,
    /// Unix socket of the admin listener
    #[arg(long, value_name = "PATH")]
    admin_uds: Option<String>,
    /// End with 65 when the first load is refused, instead of waiting for better
    #[arg(long)]
    fail_fast: bool,
    /// Let other machines reach the data and admin listeners, without TLS or authentication
    #[arg(long)]
    insecure_listen: bool,
    /// text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Print the effective configuration, with where each value comes from, and end
    #[arg(long)]
    print_config: bool,
    /// Which log lines: info, or warn,sidegate=debug
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

/// Serves until told to end.
pub(super) fn serve(arguments: &ServeArguments) -> Exit {
    let overrides = Overrides {
        snapshot: arguments.snapshot.clone(),
        listen: arguments.listen.clone(),
        uds: arguments.uds.clone(),
        ops_listen: arguments.ops_listen.clone(),
        admin_uds: arguments.admin_uds.clone(),
        fail_fast: arguments.fail_fast,
        insecure_listen: arguments.insecure_listen,
        log_format: arguments.log_format.clone(),
        log_filter: arguments.log.clone(),
    };
    let origin = Origin { file: arguments.config.clone(), overrides };
    match origin.load() {
        Ok(loaded) if arguments.print_config => {
            say(loaded.print().trim_end());
            Exit::Yes
        }
        Ok(loaded) => ended(app::run_from(&loaded.config, origin, |_| {})),
        Err(mistakes) => fail(Exit::BadConfig, &format!("the configuration is wrong\n{mistakes}")),
    }
}

/// How a daemon's end is told.
pub(super) fn ended(end: Result<ExitReason, AppError>) -> Exit {
    match end {
        Ok(ExitReason::Stopped { .. }) => Exit::Yes,
        Ok(ExitReason::FailedFast(report)) => fail(Exit::BadPolicy, &format!("the first load was refused\n\n{report}")),
        Ok(reason @ ExitReason::Died(_)) => fail(Exit::Runtime, &reason.to_string()),
        Err(problem) if problem.code() == Exit::BadConfig as u8 => fail(Exit::BadConfig, &problem.to_string()),
        Err(problem) => fail(Exit::Runtime, &problem.to_string()),
    }
}
