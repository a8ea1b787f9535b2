//! A copy of the newest good snapshot in a directory of the daemon's own, so that a restart serves when only a bad
//! source is there. One copy for each source; it is trusted no less and no more than the source itself.

use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    load::Snapshot,
    write::{remove_unfinished, write_compiled},
};
use crate::index::{
    OpenError,
    file::{self, Publication},
};

/// Where the copy is, if one is wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct LastGood(Option<PathBuf>);

/// Why there is no copy to serve.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// It could not be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is damaged, or of another version of the program.
    #[error("{0}")]
    Open(#[from] OpenError),
}

impl LastGood {
    /// The copy of this source in a directory; two daemons may share the directory, not the source's name.
    pub(super) fn new(directory: Option<&Path>, source: &Path) -> Self {
        let name = blake3::hash(source.as_os_str().as_bytes()).to_hex();
        let name: String = name.chars().take(16).collect();
        Self(directory.map(|directory| directory.join(format!("last-good-{name}.sgate"))))
    }

    /// Removes what a process left that was killed while it kept a copy: each would be as large as the copy.
    pub(super) fn tidy(&self) {
        let Some(path) = &self.0 else { return };
        if let Err(error) = remove_unfinished(path) {
            tracing::warn!(path = %path.display(), %error, "what an earlier process left cannot be removed");
        }
    }

    /// Keeps a copy. That it cannot be kept is said, and stops nothing.
    pub(super) fn keep(&self, snapshot: &Snapshot) {
        let Some(path) = &self.0 else { return };
        let Snapshot { index, sequence, issued_at, max_age, .. } = snapshot;
        let publication = Publication { sequence: *sequence, issued_at: *issued_at, max_age: *max_age };
        if let Err(error) = write_compiled(path, &publication, index) {
            tracing::warn!(path = %path.display(), %error, "the last good snapshot could not be kept");
        }
    }

    /// The copy, if there is one that can be served.
    pub(super) fn open(&self) -> Option<Snapshot> {
        let path = self.0.as_ref()?;
        match open(path) {
            Ok(snapshot) => Some(snapshot),
            Err(Unusable::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the last good snapshot cannot be used");
                None
            }
        }
    }
}

fn open(path: &Path) -> Result<Snapshot, Unusable> {
    let (Publication { sequence, issued_at, max_age }, index) = file::open(std::fs::read(path)?)?;
    Ok(Snapshot {
        sequence,
        issued_at,
        max_age,
        digest: blake3::Hash::from_bytes(index.digest()).to_hex().to_string(),
        generation: 0,
        source: path.to_owned(),
        loaded_at: SystemTime::now(),
        counts: index.counts(),
        warnings: Vec::new(),
        index,
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{super::testing, LastGood};

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let state = tempfile::tempdir().unwrap();
        let (own, other) = (Path::new("/p/a.yaml"), Path::new("/p/b.yaml"));
        let [own, other] = [own, other].map(|source| LastGood::new(Some(state.path()), source));
        own.keep(&testing::snapshot("a"));
        other.keep(&testing::snapshot("b"));
        let name = |good: &LastGood| good.0.as_ref().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let left = |good: &LastGood| state.path().join(format!(".{}.x1y2z3", name(good)));
        fs::write(left(&own), "half").unwrap();
        fs::write(left(&other), "half").unwrap();
        own.tidy();
        assert!(!left(&own).exists() && left(&other).exists(), "another daemon may be writing its own");
        assert!(own.open().is_some() && other.open().is_some());
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 3);
        LastGood::default().tidy();
    }
}
