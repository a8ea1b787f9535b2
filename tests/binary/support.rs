//! Children and what is asked of them. A child is killed by its own id when its handle goes, also by a panic.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use sidegate::client::{Blocking, ClientError, allows};
use sidegate::service::proto::v1;
use tempfile::TempDir;
use tonic::Code;

/// Where the files of `tests/it` look for them.
pub(crate) use crate::shared::support::{question, wire};

/// Longer than any honest wait on a machine with much else to do; the usual one is a few milliseconds.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Ana may access `workspace/prod`.
pub(crate) const POLICY: &str = "\
sidegate: 1
subject_types: {user: {}}
context: {mfa: bool}
types:
  account: {root: true}
  workspace: {parent: account, actions: [access, leave]}
roles:
  member: {at: workspace, allow: [{on: workspace, actions: [access]}]}
subjects: {user/ana: {}, user/bob: {}}
resources:
  account/orbit: {}
  workspace/prod: {parent: account/orbit}
";
/// What gives it to her.
pub(crate) const BINDING: &str = "bindings: [{subject: user/ana, role: member, at: workspace/prod}]\n";

/// The policy by which ana may.
pub(crate) fn good() -> String {
    POLICY.to_owned() + BINDING
}

/// The same, cut off in the middle.
pub(crate) fn half_written() -> String {
    let whole = good();
    whole.get(..whole.len() / 2).unwrap().to_owned()
}

/// Whether a thread is stopped, or gone. Its name stands in parentheses, and may hold any letter.
fn stands_still(task: &Path) -> bool {
    let Ok(text) = fs::read_to_string(task.join("stat")) else { return true };
    text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// Polls until it holds.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < LIMIT, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The program with these arguments, and nothing of this process's environment.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidegate"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// What a program that has ended has said.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    Process::spawn(&mut command(arguments)).end()
}

/// A child with its two streams, read as they come.
pub(crate) struct Process {
    child: Child,
    out: Lines,
    err: Lines,
}

type Lines = (Arc<Mutex<Vec<String>>>, Option<thread::JoinHandle<()>>);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap()));
        Self { child, out, err }
    }

    pub(crate) fn out(&self) -> Vec<String> {
        self.out.0.lock().unwrap().clone()
    }

    pub(crate) fn err(&self) -> Vec<String> {
        self.err.0.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Stops it until it is told to go on. The signal is there before it has stopped: another core may answer meanwhile.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
        until("every thread stands still", || {
            let tasks = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
            tasks.flatten().all(|task| stands_still(&task.path()))
        });
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.status().is_some()
    }

    /// What the kernel calls it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the end, by itself.
    pub(crate) fn end(mut self) -> Ended {
        until("the program ends", || self.has_ended());
        let status = self.status();
        for reader in [&mut self.out, &mut self.err] {
            reader.1.take().unwrap().join().unwrap();
        }
        let text = |lines: Vec<String>| lines.into_iter().fold(String::new(), |text, line| text + &line + "\n");
        Ended { code: status.unwrap().code(), out: text(self.out()), err: text(self.err()) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both do nothing to a child that has ended and been waited for.
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking() {
            eprintln!("the program had said:\n{}\n{}", self.out().join("\n"), self.err().join("\n"));
        }
    }
}

fn collect(stream: impl Read + Send + 'static) -> Lines {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&lines);
    let reader = thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            shared.lock().unwrap().push(line);
        }
    });
    (lines, Some(reader))
}

/// A running daemon and the directory that its source lies in.
pub(crate) struct Daemon {
    pub(crate) directory: TempDir,
    pub(crate) process: Process,
    /// The data listener.
    pub(crate) data: String,
    /// The ops listener.
    pub(crate) ops: String,
}

impl Daemon {
    /// Serves a file of this text.
    pub(crate) fn start(text: &str) -> Self {
        Self::start_with(text, &[])
    }

    pub(crate) fn start_with(text: &str, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("policy.yaml"), text).unwrap();
        let source = directory.path().join("policy.yaml");
        Self::serve(directory, &source, more)
    }

    /// Serves a source; the daemon need not be ready.
    pub(crate) fn serve(directory: TempDir, source: &Path, more: &[&str]) -> Self {
        let mut arguments = vec!["serve", "--snapshot", source.to_str().unwrap(), "--log-format", "json"];
        for (flag, default) in [("--listen", "127.0.0.1:0"), ("--ops-listen", "127.0.0.1:0")] {
            if !more.contains(&flag) {
                arguments.extend([flag, default]);
            }
        }
        arguments.extend(more);
        Self::of(directory, Process::spawn(&mut command(&arguments)))
    }

    /// A daemon that was started elsewhere, with its log as JSON.
    pub(crate) fn of(directory: TempDir, process: Process) -> Self {
        let mut daemon = Self { directory, process, data: String::new(), ops: String::new() };
        let fields = daemon.logged("listening");
        let address = |name: &str| fields[name].as_str().unwrap_or_default().replace("0.0.0.0", "127.0.0.1");
        (daemon.data, daemon.ops) = (address("data"), address("ops"));
        daemon
    }

    /// Waits until it serves.
    pub(crate) fn ready(self) -> Self {
        until("it is ready", || self.get("/readyz").0 == 200);
        self
    }

    /// Waits for a log line and returns its fields.
    pub(crate) fn logged(&self, message: &str) -> Json {
        let mut found = None;
        until(message, || {
            found = self.log(message).into_iter().next();
            found.is_some()
        });
        found.unwrap()
    }

    /// The fields of every log line so far whose message begins like this.
    pub(crate) fn log(&self, message: &str) -> Vec<Json> {
        let lines = self.process.err();
        let fields = lines.iter().filter_map(|line| Some(serde_json::from_str::<Json>(line).ok()?["fields"].clone()));
        fields.filter(|fields| fields["message"].as_str().is_some_and(|text| text.starts_with(message))).collect()
    }

    pub(crate) fn client(&self) -> Blocking {
        Blocking::connect(&self.data, LIMIT).unwrap()
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.directory.path().join("policy.yaml")
    }

    /// Puts another text in the source's place, in one step.
    pub(crate) fn write(&self, text: &str) {
        let next = self.directory.path().join("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.source()).unwrap();
    }

    /// Asks the ops listener over plain HTTP.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.ops).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: ops\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
    }

    /// The value of one line of the metrics; 0 where it is missing.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.get("/metrics");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap_or_else(|_| panic!("{name} {value}")))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(self) -> Ended {
        self.process.signal(Signal::TERM);
        self.process.end()
    }
}

/// May the user do this on `workspace/prod`?
pub(crate) fn question(user: &str, action: &str) -> v1::AuthorizeRequest {
    v1::AuthorizeRequest {
        subject: Some(v1::Subject { r#type: "user".into(), id: user.into(), ..Default::default() }),
        action: Some(v1::Action { name: action.into(), ..Default::default() }),
        resource: Some(v1::Resource { r#type: "workspace".into(), id: "prod".into(), ..Default::default() }),
        ..Default::default()
    }
}

/// Whether ana may, by an answer that must come.
pub(crate) fn ana_may(client: &Blocking) -> bool {
    allows(&client.call(|client| client.authorize(question("ana", "access"))).unwrap())
}

/// How a call was refused.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> (Code, String, Option<String>) {
    match answer {
        Err(ClientError::Refused { code, message, field }) => (code, message, field),
        other => panic!("not refused: {other:?}"),
    }
}

/// A runtime for what needs more than [`Blocking`].
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(2 * LIMIT, work).await.expect("within the limit") })
}
