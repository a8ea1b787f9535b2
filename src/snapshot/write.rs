//! Writing a compiled file, so that whoever watches its directory sees all of it or nothing.

use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
};

use crate::index::{
    Index,
    file::{Publication, header},
};

/// Writes beside the place, brings it to the disk and renames it; returns how many bytes.
///
/// # Errors
/// The directory is not there or not writable, or the disk is full; then nothing has changed.
pub fn write_compiled(path: &Path, publication: &Publication, index: &Index) -> io::Result<usize> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let head = header(publication, index);
    let mut file = tempfile::Builder::new().prefix(&unfinished(path)).tempfile_in(directory)?;
    file.write_all(&head)?;
    file.write_all(index.bytes())?;
    // A temporary file is its owner's alone; who may read a snapshot is decided as for any other file.
    file.as_file().set_permissions(permissions(path)?)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(directory)?.sync_all()?;
    Ok(head.len() + index.bytes().len())
}

/// Removes what a process left that was killed in the middle of [`write_compiled`] to this path.
pub(super) fn remove_unfinished(path: &Path) -> io::Result<()> {
    let (Some(directory), prefix) = (path.parent(), unfinished(path)) else { return Ok(()) };
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// How the names of files begin that are to take the place of this one: hidden, so that no source is made of them.
fn unfinished(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name
}

/// Those of the file that is replaced, or `rw-r--r--`.
fn permissions(path: &Path) -> io::Result<Permissions> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Permissions::from_mode(0o644)),
        Err(error) => Err(error),
    }
}
