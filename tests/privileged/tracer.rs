//! strace: makes system calls of a running daemon fail, and tells which it made.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::launch::Launch;
use crate::privileges::strace;
use crate::support::{Process, until};

/// A tracer that is attached, until the handle goes.
pub(crate) struct Tracer {
    process: Option<Process>,
    directory: TempDir,
}

impl Tracer {
    /// Attaches to every thread of a process; what it injects is in force from then on.
    pub(crate) fn attach(pid: Pid, rules: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(strace());
        command.args(["-f", "-ttt", "-o"]).arg(directory.path().join("log")).args(rules);
        command.arg("-p").arg(pid.as_raw_nonzero().to_string()).env_clear().stdin(Stdio::null());
        let process = Process::spawn(&mut command);
        until("strace is attached", || {
            let said = process.err();
            let refused = said.iter().find(|line| line.contains("not permitted") || line.contains("nvalid"));
            assert!(refused.is_none(), "strace cannot attach: {}", said.join("\n"));
            said.iter().any(|line| line.contains("attached"))
        });
        Self { process: Some(process), directory }
    }

    /// The traced calls so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        calls(&self.directory.path().join("log"))
    }

    /// Lets the process go, and returns every traced call.
    pub(crate) fn detach(mut self) -> Vec<String> {
        self.let_go();
        self.calls()
    }

    fn let_go(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal(Signal::TERM);
            process.end();
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Starts what is launched under a tracer that ends with it; the child is the daemon.
pub(crate) fn traced(log: &Path, rules: &[&str]) -> Launch {
    Launch::new().by([&strace(), "-D", "-f", "-q", "-ttt", "-o", log.to_str().unwrap()]).by(rules)
}

/// The lines of a tracer's log.
pub(crate) fn calls(log: &Path) -> Vec<String> {
    fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// When a call was made, in seconds.
pub(crate) fn moment(call: &str) -> f64 {
    call.split_whitespace().nth(1).and_then(|moment| moment.parse().ok()).unwrap()
}
