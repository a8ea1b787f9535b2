//! Namespaces that live as long as a child that does nothing: when it ends, the kernel unmounts and removes all.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::launch::Launch;
use crate::privileges::{ip, nsenter, shell, unshare};
use crate::support::{Process, until};

/// What every script may call.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A mount, network or user namespace.
pub(crate) struct Namespace {
    holder: Process,
    flag: &'static str,
}

impl Namespace {
    /// Mounts of its own, made by a script.
    pub(crate) fn of_mounts(script: &str) -> Self {
        Self::new("--mount", &["--propagation", "private"], script)
    }

    /// A network of its own, with loopback up.
    pub(crate) fn of_network() -> Self {
        Self::new("--net", &[], &format!("{} link set lo up", ip()))
    }

    /// Users of its own, of whom root is root.
    pub(crate) fn of_users(script: &str) -> Self {
        Self::new("--user", &["--map-root-user"], script)
    }

    fn new(flag: &'static str, more: &[&str], script: &str) -> Self {
        let script = format!("{script}\necho ready\nexec cat");
        let mut command = Command::new(unshare());
        command.arg(flag).args(more).args([&shell(), "-ec", &script]);
        // The end of this process, however it comes, ends the holder too: nobody is left to write to it.
        command.env_clear().env("PATH", PATH).stdin(Stdio::piped());
        let holder = Process::spawn(&mut command);
        until("the namespace is made", || {
            let said = holder.err();
            assert!(said.is_empty(), "a namespace cannot be made ({flag}): {}", said.join("\n"));
            holder.out().iter().any(|line| line == "ready")
        });
        Self { holder, flag }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.holder.pid().as_raw_nonzero().get()
    }

    /// A path as it is in there, for whoever is outside.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.pid()))
    }

    /// A daemon in there.
    pub(crate) fn launch(&self) -> Launch {
        Launch::new().by(self.entry())
    }

    /// What starts a program in there.
    pub(crate) fn entry(&self) -> [String; 3] {
        [nsenter(), self.flag.to_owned(), format!("--target={}", self.pid())]
    }

    /// Runs a script in there, to its end.
    pub(crate) fn run(&self, script: &str) {
        let mut command = Command::new(nsenter());
        command.args(&self.entry()[1..]).args([&shell(), "-ec", script]);
        command.env_clear().env("PATH", PATH).stdin(Stdio::null());
        let ended = Process::spawn(&mut command).end();
        assert_eq!(ended.code, Some(0), "{script}: {}{}", ended.out, ended.err);
    }

    /// Runs it on a thread whose sockets are in there; for networks only.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let network = File::open(format!("/proc/{}/ns/net", self.pid())).unwrap();
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
