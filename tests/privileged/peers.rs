//! Unix sockets and other users: who may not open the file is refused by the kernel, who
//! may by the caller rules.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use sidegate::client::Blocking;
use tempfile::TempDir;
use tonic::Code;

use crate::launch::{Launch, NOBODY, public_directory, public_program};
use crate::support::{Daemon, Ended, LIMIT, ana_may, good, question, refusal, until};
use crate::tracer::Tracer;

const STRANGER: u32 = 54_322;
const OTHER: u32 = 54_323;

/// A socket that every user can open, and a configuration whose rules decide.
struct Served {
    daemon: Daemon,
    configuration: TempDir,
    socket: String,
    path: PathBuf,
}

impl Served {
    fn to(users: &[u32]) -> Self {
        let (directory, configuration) = (public_directory(), public_directory());
        public_program(directory.path());
        let (source, path) = (directory.path().join("policy.yaml"), directory.path().join("data.sock"));
        fs::write(&source, good()).unwrap();
        let file = configuration.path().join("sidegate.toml");
        fs::write(&file, rules(users)).unwrap();
        let sockets = ["--uds", path.to_str().unwrap(), "--config", file.to_str().unwrap()];
        let process = Launch::new().with(&sockets).serve(source.to_str().unwrap());
        let daemon = Daemon::of(directory, process).ready();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        Self { daemon, configuration, socket: format!("unix:{}", path.display()), path }
    }

    fn allow(&self, users: &[u32]) {
        let next = self.configuration.path().join("next");
        fs::write(&next, rules(users)).unwrap();
        fs::rename(next, self.configuration.path().join("sidegate.toml")).unwrap();
    }

    /// The exit code of a question by a user.
    fn ask(&self, user: u32) -> Option<i32> {
        ask(&self.daemon, user, &self.socket).code
    }
}

fn rules(users: &[u32]) -> String {
    format!("[[callers]]\nname = \"known\"\nuid = {users:?}\n")
}

#[test]
fn where_the_mode_lets_everybody_in_the_rules_decide_and_can_change() {
    let served = Served::to(&[NOBODY, OTHER]);
    assert_eq!(fs::metadata(&served.path).unwrap().permissions().mode() & 0o777, 0o666);
    assert_eq!([NOBODY, OTHER, STRANGER].map(|user| served.ask(user)), [Some(0), Some(0), Some(69)]);
    let refused = ask(&served.daemon, STRANGER, &served.socket);
    assert!(refused.err.contains("PermissionDenied"), "{}{}", refused.out, refused.err);
    assert_eq!(served.ask(0), Some(69), "root is nobody special");
    // A change of the rules needs no restart, and takes from one what it gives to another.
    served.allow(&[STRANGER]);
    until("the stranger is known", || served.ask(STRANGER) == Some(0));
    assert_eq!([NOBODY, OTHER].map(|user| served.ask(user)), [Some(69), Some(69)]);
    // A mistake in the rules leaves those that are in force.
    fs::write(served.configuration.path().join("sidegate.toml"), "[[callers]]\nname = 7\n").unwrap();
    until("the mistake is told", || served.daemon.process.err().join("").contains("callers.name"));
    assert_eq!([NOBODY, STRANGER].map(|user| served.ask(user)), [Some(69), Some(0)]);
}

#[test]
fn a_connection_that_is_open_is_judged_by_the_rules_of_now() {
    let served = Served::to(&[0]);
    let held = Blocking::connect(&served.socket, LIMIT).unwrap();
    assert!(ana_may(&held));
    served.allow(&[NOBODY]);
    let ask = || held.call(|client| client.authorize(question("ana", "access")));
    until("it is refused", || ask().is_err());
    assert_eq!(refusal(ask()).0, Code::PermissionDenied);
    assert_eq!(served.ask(NOBODY), Some(0));
    served.allow(&[0, NOBODY]);
    until("it is answered again", || ask().is_ok());
}

/// A rule that is taken away must not stay for a fault of the disk that is over.
#[test]
fn rules_that_could_not_be_read_are_read_again() {
    let served = Served::to(&[NOBODY]);
    let file = served.configuration.path().join("sidegate.toml");
    let rules = ["-P", file.to_str().unwrap(), "-e", "trace=openat", "-e", "inject=openat:error=EIO"];
    let tracer = Tracer::attach(served.daemon.process.pid(), &rules);
    served.allow(&[OTHER]);
    let told = served.daemon.logged("the configuration was refused").to_string();
    assert!(told.contains("Input/output error"), "{told}");
    assert_eq!([NOBODY, OTHER].map(|user| served.ask(user)), [Some(0), Some(69)]);
    tracer.detach();
    until("the rules are in force", || served.ask(OTHER) == Some(0));
    assert_eq!(served.ask(NOBODY), Some(69));
    assert_eq!(served.daemon.log("the configuration was refused").len(), 1, "said once");
}

/// Asks as another user, with a group of its own.
fn ask(daemon: &Daemon, user: u32, socket: &str) -> Ended {
    let program = daemon.directory.path().join("sidegate");
    let question = ["check", "--server", socket, "user/ana", "access", "workspace/prod"];
    Launch::new().of_user(user).program(&program).run(&question).end()
}

#[test]
fn the_mode_of_the_socket_keeps_other_users_out() {
    let sockets = public_directory();
    // The daemon's user owns it; everybody may look into it.
    rustix::fs::chown(sockets.path(), Some(rustix::fs::Uid::from_raw(NOBODY)), None).unwrap();
    let path = sockets.path().join("data.sock");
    let directory = public_directory();
    let program = public_program(directory.path());
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let launch = Launch::new().of_user(NOBODY).program(&program).with(&["--uds", path.to_str().unwrap()]);
    let daemon = Daemon::of(directory, launch.serve(source.to_str().unwrap())).ready();
    let socket = format!("unix:{}", path.display());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "{mode:o}");
    assert_eq!(ask(&daemon, NOBODY, &socket).code, Some(0), "its own user");
    let refused = ask(&daemon, STRANGER, &socket);
    assert_eq!(refused.code, Some(69), "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("Permission denied"), "{}", refused.err);
    // Opened by hand for everybody, everybody gets through: the mode alone kept them out.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(ask(&daemon, STRANGER, &socket).code, Some(0));
}
