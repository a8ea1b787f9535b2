//! Whether there is room for a build: what it needs at most, against what the control group still lets this process
//! take. A build that is killed half-way takes the last good snapshot with it; a refused one does not.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{document::Source, index::file::is_compiled};

/// What a build takes at its peak for each byte of YAML: 17 were measured (200,000 bindings), the tree being the most.
const PER_YAML_BYTE: u64 = 20;
/// The same for JSON Lines, of which only one line at a time is a tree: 7 were measured (300,000 bindings).
const PER_LINES_BYTE: u64 = 9;
/// A compiled file is read in place: when it is here, it has all that it needs.
const PER_COMPILED_BYTE: u64 = 0;
/// A control group without a limit says some number that no machine has.
const NO_LIMIT: u64 = 1 << 60;

/// Too little memory for a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLittle {
    /// Bytes that the build may need.
    pub(super) needed: u64,
    /// Bytes that are left.
    pub(super) left: u64,
}

/// Where the kernel tells of control groups.
#[derive(Debug, Clone)]
pub(super) struct ControlGroup {
    /// Which groups this process is in, as the kernel lists them.
    pub(super) membership: PathBuf,
    /// Where groups are shown.
    pub(super) mount: PathBuf,
}

impl Default for ControlGroup {
    fn default() -> Self {
        Self { membership: PathBuf::from("/proc/self/cgroup"), mount: PathBuf::from("/sys/fs/cgroup") }
    }
}

impl ControlGroup {
    /// Whether a build of these sources fits; where no limit can be read, it does.
    pub(super) fn check(&self, sources: &[Source]) -> Result<(), TooLittle> {
        let needed = needed(sources);
        match self.left() {
            Some(left) if needed > left => Err(TooLittle { needed, left }),
            Some(_) | None => Ok(()),
        }
    }

    /// The bytes that this process may still take: the least that any of its groups leaves. `None` without a limit.
    pub(super) fn left(&self) -> Option<u64> {
        let membership = fs::read_to_string(&self.membership).ok()?;
        let group = |line: &str| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let is_memory = controllers.split(',').any(|controller| controller == "memory");
            (is_memory || controllers.is_empty()).then(|| (is_memory, path.to_owned()))
        };
        let groups = membership.lines().filter_map(group);
        groups.filter_map(|(is_v1, path)| self.left_in(is_v1, &path)).min()
    }

    fn left_in(&self, is_v1: bool, path: &str) -> Option<u64> {
        let mount = if is_v1 { self.mount.join("memory") } else { self.mount.clone() };
        let own = mount.join(path.trim_start_matches('/'));
        // Within a container the path may be the host's, and the mount the container's own group.
        let within = own.ancestors().take_while(|group| group.starts_with(&mount)).map(Path::to_owned);
        within.filter_map(|group| left_of(is_v1, &group)).min()
    }
}

fn left_of(is_v1: bool, group: &Path) -> Option<u64> {
    let number = |file: &str| fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok();
    let (limit, used, idle) = if is_v1 {
        (number("memory.limit_in_bytes")?, number("memory.usage_in_bytes")?, "total_inactive_file ")
    } else {
        (number("memory.max")?, number("memory.current")?, "inactive_file ")
    };
    if limit >= NO_LIMIT {
        return None;
    }
    // Pages of files that nobody uses are given back before anybody is killed.
    let statistics = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let idle = statistics.lines().find_map(|line| line.strip_prefix(idle)?.trim().parse().ok()).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(idle)))
}

fn needed(sources: &[Source]) -> u64 {
    let each = sources.iter().map(|source| {
        let bytes = u64::try_from(source.bytes.len()).unwrap_or(u64::MAX);
        bytes.saturating_mul(match source {
            source if is_compiled(&source.bytes) => PER_COMPILED_BYTE,
            source if source.is_lines() => PER_LINES_BYTE,
            _ => PER_YAML_BYTE,
        })
    });
    each.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{ControlGroup, TooLittle};
    use crate::document::Source;

    fn sources(bytes: usize) -> Vec<Source> {
        vec![Source { name: "policy.yaml".to_owned(), bytes: vec![b' '; bytes] }]
    }

    fn group(membership: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, ControlGroup) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files.iter().chain(&[("membership", membership)]) {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let group = ControlGroup { membership: root.path().join("membership"), mount: root.path().to_owned() };
        (root, group)
    }

    #[test]
    fn the_tightest_group_of_version_2_counts() {
        let (_root, group) = group(
            "0::/pod/app\n",
            &[
                ("pod/memory.max", "1000\n"),
                ("pod/memory.current", "900\n"),
                ("pod/memory.stat", "anon 100\ninactive_file 400\n"),
                ("pod/app/memory.max", "max\n"),
                ("pod/app/memory.current", "700\n"),
            ],
        );
        assert_eq!(group.left(), Some(500));
        assert_eq!(group.check(&sources(25)), Ok(()));
        assert_eq!(group.check(&sources(26)), Err(TooLittle { needed: 520, left: 500 }));
    }

    #[test]
    fn version_1_and_the_mount_of_a_container() {
        let (_root, group) = group(
            "5:cpu:/x\n4:cpuset,memory:/somewhere/of/the/host\n0::/\n",
            &[("memory/memory.limit_in_bytes", "300\n"), ("memory/memory.usage_in_bytes", "100\n")],
        );
        assert_eq!(group.left(), Some(200));
    }

    #[test]
    fn without_a_limit_everything_fits() {
        let none = |membership: &str, files: &[(&str, &str)]| {
            let (_root, group) = group(membership, files);
            assert_eq!(group.left(), None, "{membership}");
            assert_eq!(group.check(&sources(1 << 20)), Ok(()));
        };
        none("", &[]);
        none("0::/\n", &[("memory.max", "max\n"), ("memory.current", "5\n")]);
        let unlimited =
            [("memory/memory.limit_in_bytes", "9223372036854771712\n"), ("memory/memory.usage_in_bytes", "5")];
        none("4:memory:/\n", &unlimited);
    }
}
