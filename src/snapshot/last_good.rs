//! A copy of the newest good snapshot in a directory of the daemon's own, so that a restart serves when only a bad
//! source is there. One copy for each source; it is trusted no less and no more than the source itself.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::{
    load::Snapshot,
    write::{unfinished, write_in_steps},
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
        let path = directory.map(|directory| directory.join(format!("last-good-{name}.sgate")));
        if let Some(path) = &path {
            clear_away(path);
        }
        Self(path)
    }

    /// Keeps a copy. That it cannot be kept is said, and stops nothing.
    pub(super) fn keep(&self, snapshot: &Snapshot, pause: &mut dyn FnMut()) {
        let Some(path) = &self.0 else { return };
        let Snapshot { index, sequence, issued_at, max_age, .. } = snapshot;
        let publication = Publication { sequence: *sequence, issued_at: *issued_at, max_age: *max_age };
        if let Err(error) = write_in_steps(path, &publication, index, pause) {
            tracing::warn!(path = %path.display(), %error, "the last good snapshot could not be kept");
        }
    }

    /// The copy, if there is one that can be served, and when it was made.
    pub(super) fn open(&self) -> Option<(Snapshot, SystemTime)> {
        let path = self.0.as_ref()?;
        match open(path) {
            Ok(copy) => Some(copy),
            Err(Unusable::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the last good snapshot cannot be used");
                None
            }
        }
    }
}

/// Whoever is killed while it writes leaves half a copy beside the whole one; in time that fills the disk.
fn clear_away(path: &Path) {
    let Some(entries) = path.parent().and_then(|directory| fs::read_dir(directory).ok()) else { return };
    let prefix = unfinished(path);
    for entry in entries.flatten() {
        if entry.file_name().as_bytes().starts_with(prefix.as_bytes())
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::debug!(path = %entry.path().display(), %error, "half a copy is left behind");
        }
    }
}

fn open(path: &Path) -> Result<(Snapshot, SystemTime), Unusable> {
    let begun = Instant::now();
    // When it was known to be what the source holds.
    let kept_at = fs::metadata(path)?.modified()?;
    let (Publication { sequence, issued_at, max_age }, index) = file::open(fs::read(path)?)?;
    let snapshot = Snapshot {
        sequence,
        issued_at,
        max_age,
        digest: blake3::Hash::from_bytes(index.digest()).to_hex().to_string(),
        generation: 0,
        source: path.to_owned(),
        files: Vec::new(),
        file_count: 1,
        loaded_at: SystemTime::now(),
        took: begun.elapsed(),
        fresh: Arc::default(),
        restored: true,
        counts: index.counts(),
        warnings: Vec::new(),
        index,
    };
    Ok((snapshot, kept_at))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{super::testing, LastGood};

    #[test]
    fn what_a_kill_left_half_written_goes_at_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let start = || LastGood::new(Some(directory.path()), Path::new("/policy.yaml"));
        let copy = start();
        let other = LastGood::new(Some(directory.path()), Path::new("/other.yaml"));
        other.keep(&testing::snapshot("other"), &mut || {});
        let name = copy.0.as_ref().unwrap().file_name().unwrap().to_str().unwrap();
        let half = directory.path().join(format!(".{name}-a1b2c3"));
        let not_ours = directory.path().join(".last-good");
        for path in [&half, &not_ours] {
            fs::write(path, "half").unwrap();
        }
        copy.keep(&testing::snapshot("one"), &mut || {});
        let copy = start();
        assert!(!half.exists() && not_ours.exists());
        assert!(copy.open().is_some() && other.open().is_some());
    }
}
