//! Control groups of version 1 or 2, whichever the machine has mounted for a controller.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::Pid;

use crate::launch::Launch;
use crate::privileges::{kernel, shell};
use crate::support::until;

const ROOT: &str = "/sys/fs/cgroup";

/// A group of its own, removed when it goes: what is in it must have ended by then.
pub(crate) struct ControlGroup {
    path: PathBuf,
    is_v1: bool,
}

impl ControlGroup {
    /// A group in which this controller works.
    pub(crate) fn new(controller: &str, name: &str) -> Self {
        let old = Path::new(ROOT).join(controller);
        let is_v1 = old.join("cgroup.procs").exists();
        let parent = if is_v1 { old } else { unified(controller) };
        let path = parent.join(format!("sidegate-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; the privileged suite needs control groups that it may write", path.display())
        });
        Self { path, is_v1 }
    }

    /// Starts what is launched in this group.
    pub(crate) fn launch(&self) -> Launch {
        let enter = "echo $$ > \"$0\" && exec \"$@\"";
        Launch::new().by([&shell(), "-c", enter, self.path.join("cgroup.procs").to_str().unwrap()])
    }

    pub(crate) fn add(&self, pid: Pid) {
        self.write("cgroup.procs", &pid.as_raw_nonzero().to_string());
    }

    /// The file of version 1, or of version 2.
    pub(crate) fn set(&self, (old, new): (&str, &str), value: &str) {
        self.write(if self.is_v1 { old } else { new }, value);
    }

    pub(crate) fn get(&self, (old, new): (&str, &str)) -> String {
        kernel(self.path.join(if self.is_v1 { old } else { new }).to_str().unwrap())
    }

    /// What stands for no limit.
    pub(crate) fn no_limit(&self) -> &'static str {
        if self.is_v1 { "-1" } else { "max" }
    }

    /// The number behind a name in such a file.
    pub(crate) fn number(&self, files: (&str, &str), name: &str) -> u64 {
        let text = self.get(files);
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("no `{name}` in {text}"))
    }

    /// Stops all that is in it, until the handle goes.
    pub(crate) fn freeze(&self) -> Frozen<'_> {
        let frozen = Frozen(self);
        self.set(("freezer.state", "cgroup.freeze"), if self.is_v1 { "FROZEN" } else { "1" });
        until("it is frozen", || {
            if self.is_v1 {
                self.get(("freezer.state", "")).trim() == "FROZEN"
            } else {
                self.number(("", "cgroup.events"), "frozen ") == 1
            }
        });
        frozen
    }

    fn write(&self, file: &str, value: &str) {
        let file = self.path.join(file);
        fs::write(&file, value).unwrap_or_else(|error| panic!("{} = {value}: {error}", file.display()));
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // A process that has been waited for may stay in its group for a moment.
        for _ in 0..500 {
            if fs::remove_dir(&self.path).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        eprintln!("{} is left behind", self.path.display());
    }
}

/// While it is there, the group stands still.
pub(crate) struct Frozen<'a>(&'a ControlGroup);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let Self(group) = self;
        group.set(("freezer.state", "cgroup.freeze"), if group.is_v1 { "THAWED" } else { "0" });
    }
}

/// The one tree of version 2, with the controller switched on.
fn unified(controller: &str) -> PathBuf {
    let root = Path::new(ROOT);
    let offered = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    // Freezing needs no controller in version 2.
    if controller != "freezer" {
        assert!(
            offered.split_whitespace().any(|name| name == controller),
            "no control groups for `{controller}`: neither version 1 nor version 2 offers it under {ROOT}"
        );
        let switch = root.join("cgroup.subtree_control");
        fs::write(&switch, format!("+{controller}"))
            .unwrap_or_else(|error| panic!("{}: +{controller}: {error}", switch.display()));
    }
    root.to_owned()
}
