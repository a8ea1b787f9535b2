//! Starts the daemon by way of other programs, each of which becomes the next: the child is the daemon in the end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::privileges::setpriv;
use crate::support::{Daemon, Process};

/// Nobody's.
pub(crate) const NOBODY: u32 = 65534;

/// How to start it.
pub(crate) struct Launch {
    words: Vec<String>,
    program: PathBuf,
    more: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Launch {
    pub(crate) fn new() -> Self {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_sidegate"));
        Self { words: Vec::new(), program, more: Vec::new(), environment: Vec::new() }
    }

    /// By way of a program that takes the rest as its arguments.
    pub(crate) fn by<T: AsRef<str>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// As another user, who holds no privilege and gets none.
    pub(crate) fn of_user(self, user: u32) -> Self {
        self.by([setpriv()]).by([
            format!("--reuid={user}"),
            format!("--regid={user}"),
            "--clear-groups".to_owned(),
            "--bounding-set=-all".to_owned(),
            "--inh-caps=-all".to_owned(),
            "--no-new-privs".to_owned(),
        ])
    }

    /// From a copy that every user can reach: what cargo builds may lie in somebody's home.
    pub(crate) fn program(mut self, program: &Path) -> Self {
        program.clone_into(&mut self.program);
        self
    }

    /// With more arguments.
    pub(crate) fn with(mut self, more: &[&str]) -> Self {
        self.more.extend(more.iter().map(|&word| word.to_owned()));
        self
    }

    /// With a configuration variable.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Any verb.
    pub(crate) fn run(&self, verb: &[&str]) -> Process {
        let program = self.program.to_str().unwrap().to_owned();
        let mut words = self.words.iter().chain([&program]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(verb).args(&self.more).env_clear().stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Process::spawn(&mut command)
    }

    /// Serves a source on loopback.
    pub(crate) fn serve(&self, source: &str) -> Process {
        let loopback = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--log-format", "json"];
        self.run(&[&["serve", "--snapshot", source], loopback.as_slice()].concat())
    }

    /// Serves a file of this text, and waits until it listens.
    pub(crate) fn daemon(&self, text: &str) -> Daemon {
        let directory = public_directory();
        let source = directory.path().join("policy.yaml");
        fs::write(&source, text).unwrap();
        Daemon::of(directory, self.serve(source.to_str().unwrap()))
    }

    /// Serves a source that lies elsewhere, and waits until it listens.
    pub(crate) fn daemon_of(&self, source: &str) -> Daemon {
        Daemon::of(public_directory(), self.serve(source))
    }
}

/// A directory that every user can look into.
pub(crate) fn public_directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// A copy of the program that every user can run.
pub(crate) fn public_program(directory: &Path) -> PathBuf {
    let program = directory.join("sidegate");
    fs::copy(env!("CARGO_BIN_EXE_sidegate"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}
