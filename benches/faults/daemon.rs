//! The daemon as a child, and what the kernel says of it. It is killed by its own id when its handle goes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use tempfile::TempDir;

pub(crate) const POLICY: &str = "\
sidegate: 1
subject_types: {user: {}}
types:
  account: {root: true}
  workspace: {parent: account, actions: [access, leave]}
roles:
  member: {at: workspace, allow: [{on: workspace, actions: [access]}]}
subjects: {user/ana: {}, user/bob: {}}
resources:
  account/orbit: {}
  workspace/prod: {parent: account/orbit}
bindings: [{subject: user/ana, role: member, at: workspace/prod}]
";

/// A running daemon.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) data: String,
    pub(crate) ops: String,
    _directory: TempDir,
}

impl Daemon {
    /// Serves the small policy under these lines of configuration.
    pub(crate) fn start(binary: &Path, config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (source, file) = (directory.path().join("policy.yaml"), directory.path().join("sidegate.toml"));
        fs::write(&source, POLICY).unwrap();
        fs::write(&file, config).unwrap();
        let mut command = Command::new(binary);
        command.args(["serve", "--log-format", "json", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
        command.arg("--snapshot").arg(&source).arg("--config").arg(&file);
        let mut child = command.env_clear().stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let listening = lines.find(|line| line.contains("\"listening\"")).expect("it listens");
        let fields: serde_json::Value = serde_json::from_str(&listening).unwrap();
        let address = |name: &str| fields["fields"][name].as_str().unwrap().to_owned();
        let (data, ops) = (address("data"), address("ops"));
        // Read on: a full pipe would hold up whoever logs.
        thread::spawn(move || lines.for_each(drop));
        let daemon = Self { child, data, ops, _directory: directory };
        daemon.wait("it is ready", || daemon.get("/readyz").contains(" 200 "));
        daemon
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.ops).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: ops\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// The sum of the metrics whose names, with labels, begin like this.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics");
        let values = text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next());
        values.filter_map(|value| value.parse::<u64>().ok()).sum()
    }

    /// Processor time so far.
    pub(crate) fn cpu(&self) -> Duration {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // A tick is a hundredth of a second wherever Linux runs today.
        Duration::from_millis(ticks * 10)
    }

    /// A line of its status, in KiB.
    pub(crate) fn kib(&self, name: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Polls until it holds; how long that took.
    pub(crate) fn wait(&self, what: &str, mut done: impl FnMut() -> bool) -> Duration {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(120), "waited in vain until {what} ({})", self.child.id());
            thread::sleep(Duration::from_millis(5));
        }
        begun.elapsed()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both do nothing to a child that has ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
