//! The chain of links from a path to its content: which directories to watch, and whether anything about it changed.
//! Resolved anew every time: a chain that was remembered is how a retargeted link is missed.

use std::{
    collections::{BTreeSet, VecDeque},
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::read::{content_directory, is_source_name, source_names};

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;

/// What a look at a file and at every link on the way to it says: two that are equal mean that nothing was replaced.
pub fn fingerprint(path: &Path) -> Fingerprint {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Chain::resolve(&path).fingerprint()
}

/// A path resolved link by link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// Every link on the way and what the last one leads to.
    pub(super) members: BTreeSet<PathBuf>,
    /// The directory that holds the source files, where the source is a directory.
    pub(super) content: Option<PathBuf>,
    /// The directories in which a change can matter.
    pub(super) watched: BTreeSet<PathBuf>,
}

impl Chain {
    /// Resolves an absolute path as it is now.
    pub(super) fn resolve(path: &Path) -> Self {
        let mut chain = Self::default();
        let target = chain.follow(path);
        if target.is_dir() {
            chain.watched.insert(target.clone());
            let content = chain.follow(&content_directory(&target));
            chain.members.insert(target.join("..data"));
            chain.watched.insert(content.clone());
            chain.content = Some(content);
        } else if let Some(directory) = target.parent() {
            // The directory itself may be renamed over or made anew: that shows in its own parent.
            chain.member(directory.to_owned());
        }
        chain
    }

    /// Whether a change of this path can change what would be read.
    pub(super) fn concerns(&self, path: &Path) -> bool {
        self.members.contains(path)
            || self.watched.contains(path)
            || self.content.as_deref().is_some_and(|content| path.parent() == Some(content))
    }

    /// Whether this path is what would be read: somebody who writes to it is somebody to wait for.
    pub(super) fn is_read(&self, path: &Path) -> bool {
        let is_within = self.content.as_deref().is_some_and(|content| path.parent() == Some(content));
        let is_source = path.file_name().and_then(|name| name.to_str()).is_some_and(is_source_name);
        (is_within && is_source) || (self.content.is_none() && self.members.contains(path))
    }

    /// What a `stat` of everything in the chain says now: two that are equal mean that nothing was replaced or written.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        // Before the first look: whoever is not run for a while must not take what it saw for older than it was.
        let taken = SystemTime::now();
        let mut stamps: Vec<_> = self.members.iter().map(|path| (path.clone(), stamp(path, false))).collect();
        if let Some(content) = &self.content {
            for name in source_names(content).unwrap_or_default() {
                let path = content.join(name);
                let stamp = stamp(&path, true);
                stamps.push((path, stamp));
            }
        }
        Fingerprint { taken, stamps }
    }

    /// Follows links one at a time, noting each.
    fn follow(&mut self, path: &Path) -> PathBuf {
        let mut rest: VecDeque<OsString> = parts(path);
        let mut current = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = rest.pop_front() {
            if part == ".." {
                current.pop();
                continue;
            }
            let next = current.join(&part);
            match fs::read_link(&next) {
                Ok(target) if links < MAX_LINKS => {
                    links += 1;
                    self.member(next);
                    if target.is_absolute() {
                        current = PathBuf::from("/");
                    }
                    for part in parts(&target).into_iter().rev() {
                        rest.push_front(part);
                    }
                }
                Ok(_) | Err(_) => current = next,
            }
        }
        self.member(current.clone());
        current
    }

    fn member(&mut self, path: PathBuf) {
        if let Some(parent) = path.parent() {
            self.watched.insert(nearest_existing(parent));
        }
        self.members.insert(path);
    }
}

/// What a look saw. Equal ones saw the same, whenever they were taken.
#[derive(Debug, Clone)]
pub struct Fingerprint {
    taken: SystemTime,
    /// Device, inode, size, modification and change of each member; `None` for one that is not there.
    stamps: Vec<(PathBuf, Option<[i128; 5]>)>,
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.stamps == other.stamps
    }
}

impl Eq for Fingerprint {}

impl Fingerprint {
    /// How old the youngest member was then, by the system's clock; none at all for one from the future.
    pub(super) fn age(&self) -> Duration {
        let youngest = self.stamps.iter().filter_map(|(_, stamp)| stamp.map(|[.., modified, _]| modified)).max();
        let taken = self.taken.duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = i128::try_from(taken.as_nanos()).unwrap_or(0).saturating_sub(youngest.unwrap_or(0));
        Duration::from_nanos(u64::try_from(age.max(0)).unwrap_or(u64::MAX))
    }
}

fn stamp(path: &Path, follow: bool) -> Option<[i128; 5]> {
    let metadata = if follow { fs::metadata(path) } else { fs::symlink_metadata(path) }.ok()?;
    if metadata.is_dir() {
        // A directory's times change with any entry, also with one that is none of ours.
        return Some([metadata.dev().into(), metadata.ino().into(), 0, 0, 0]);
    }
    let nanoseconds = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Some([
        metadata.dev().into(),
        metadata.ino().into(),
        metadata.len().into(),
        nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    ])
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(part) => Some(part.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        })
        .collect()
}

/// A directory that is not there yet shows first in the nearest one that is.
fn nearest_existing(directory: &Path) -> PathBuf {
    directory.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::Chain;

    #[test]
    fn every_link_of_a_volume_is_watched_by_its_parent() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir(root.join("..v1")).unwrap();
        fs::write(root.join("..v1/policy.yaml"), "one").unwrap();
        symlink("..v1", root.join("..data")).unwrap();
        symlink("..data/policy.yaml", root.join("policy.yaml")).unwrap();
        let chain = Chain::resolve(&root.join("policy.yaml"));
        for member in ["policy.yaml", "..data", "..v1/policy.yaml"] {
            assert!(chain.members.contains(&root.join(member)), "{member}");
        }
        assert!(chain.watched.contains(&root) && chain.watched.contains(&root.join("..v1")));
        let directory = Chain::resolve(&root);
        assert_eq!(directory.content, Some(root.join("..v1")));
        assert!(directory.concerns(&root.join("..data")) && !directory.concerns(&root.join("other")));
    }

    #[test]
    fn loops_and_absent_paths_end() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        assert!(!Chain::resolve(&root.path().join("a")).watched.is_empty());
        let absent = Chain::resolve(&root.path().join("x/y/z.yaml"));
        assert!(absent.watched.contains(&root.path().canonicalize().unwrap()));
    }
}
