//! Ways in which sources are changed: by a kubelet, by tools, by people.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The one file of a source, where a test needs no more.
pub(crate) const FILE: &str = "policy.yaml";

/// A volume as a kubelet keeps it: files are links into a directory that is swapped as a whole.
#[derive(Debug)]
pub(crate) struct Volume {
    root: PathBuf,
    swaps: usize,
}

impl Volume {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), swaps: 0 }
    }

    /// The steps of the kubelet's `AtomicWriter`, in their order; when the new text was in place.
    pub(crate) fn swap(&mut self, text: &str) -> Instant {
        let Self { root, swaps } = self;
        *swaps += 1;
        let old = fs::read_link(root.join("..data")).ok();
        let fresh = format!("..2026_11_22_07_00_00.{swaps:09}");
        fs::create_dir(root.join(&fresh)).unwrap();
        fs::set_permissions(root.join(&fresh), Permissions::from_mode(0o755)).unwrap();
        fs::write(root.join(&fresh).join(FILE), text).unwrap();
        fs::set_permissions(root.join(&fresh).join(FILE), Permissions::from_mode(0o644)).unwrap();
        symlink(&fresh, root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        let swapped = Instant::now();
        if fs::symlink_metadata(root.join(FILE)).is_err() {
            symlink(Path::new("..data").join(FILE), root.join(FILE)).unwrap();
        }
        if let Some(old) = old {
            fs::remove_dir_all(root.join(old)).unwrap();
        }
        swapped
    }
}

/// A way to replace `current/policy.yaml`, where `current` is a link to a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    RenameOver,
    UnlinkAndCreate,
    Rewrite,
    Copy,
    EditorSave,
    Retarget,
    RemakeDirectory,
}

impl Way {
    pub(crate) const ALL: [Self; 7] = [
        Self::RenameOver,
        Self::UnlinkAndCreate,
        Self::Rewrite,
        Self::Copy,
        Self::EditorSave,
        Self::Retarget,
        Self::RemakeDirectory,
    ];

    /// Makes what the ways change, with a first text.
    pub(crate) fn prepare(root: &Path, text: &str) {
        fs::create_dir(root.join("v0")).unwrap();
        fs::write(root.join("v0").join(FILE), text).unwrap();
        symlink("v0", root.join("current")).unwrap();
    }

    /// Puts a text in the place of what is there.
    pub(crate) fn write(self, root: &Path, text: &str) {
        let path = root.join("current").join(FILE);
        let beside = root.join("current/.next");
        match self {
            Self::RenameOver => {
                fs::write(&beside, text).unwrap();
                fs::rename(beside, path).unwrap();
            }
            Self::UnlinkAndCreate => {
                fs::remove_file(&path).unwrap();
                fs::write(path, text).unwrap();
            }
            Self::Rewrite => {
                let mut file = File::create(path).unwrap();
                file.write_all(text.as_bytes()).unwrap();
                file.sync_all().unwrap();
            }
            Self::Copy => {
                fs::write(root.join("original"), text).unwrap();
                fs::copy(root.join("original"), path).unwrap();
            }
            Self::EditorSave => {
                // What an editor does that keeps a backup while it writes.
                let backup = root.join("current/policy.yaml~");
                fs::rename(&path, &backup).unwrap();
                fs::write(&path, text).unwrap();
                fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
                fs::remove_file(backup).unwrap();
            }
            Self::Retarget => {
                let old = fs::read_link(root.join("current")).unwrap();
                // A number and no ever longer name: a soak does this ten thousand times.
                let number: u64 = old.to_str().unwrap().trim_start_matches('v').parse().unwrap();
                let fresh = format!("v{}", number + 1);
                fs::create_dir(root.join(&fresh)).unwrap();
                fs::write(root.join(&fresh).join(FILE), text).unwrap();
                symlink(fresh, root.join("next")).unwrap();
                fs::rename(root.join("next"), root.join("current")).unwrap();
                fs::remove_dir_all(root.join(old)).unwrap();
            }
            Self::RemakeDirectory => {
                let directory = root.join(fs::read_link(root.join("current")).unwrap());
                fs::remove_dir_all(&directory).unwrap();
                fs::create_dir(&directory).unwrap();
                fs::write(path, text).unwrap();
            }
        }
    }
}
