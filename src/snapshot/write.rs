//! Writing a compiled file, so that whoever watches its directory sees all of it or nothing.

use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use crate::index::{
    Index, STEP_BYTES,
    file::{Publication, header},
};

/// Writes beside the place, brings it to the disk and renames it; returns how many bytes.
///
/// # Errors
/// The directory is not there or not writable, the disk is full, or something stands there that is no file, nor a link to
/// one; then nothing has changed.
pub fn write_compiled(path: &Path, publication: &Publication, index: &Index) -> io::Result<usize> {
    write_in_steps(path, publication, index, &mut || {})
}

/// As [`write_compiled`]; calls `pause` every few microseconds.
pub(super) fn write_in_steps(
    path: &Path,
    publication: &Publication,
    index: &Index,
    pause: &mut dyn FnMut(),
) -> io::Result<usize> {
    let permissions = permissions(path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let head = header(publication, index);
    let mut file = tempfile::Builder::new().prefix(&unfinished(path)).tempfile_in(directory)?;
    file.write_all(&head)?;
    for step in index.bytes().chunks(STEP_BYTES) {
        file.write_all(step)?;
        pause();
    }
    // A temporary file is its owner's alone; who may read a snapshot is decided as for any other file.
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(directory)?.sync_all()?;
    Ok(head.len() + index.bytes().len())
}

/// What the name of a file begins with while it is written; hidden, so that no reader takes it for a source.
pub(super) fn unfinished(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push("-");
    prefix
}

/// Those of the file that is replaced, or `rw-r--r--`. Whatever else stands there stays: whoever may rename in `/dev` would
/// find a file in the place of the device that was named.
fn permissions(path: &Path) -> io::Result<Permissions> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(metadata.permissions()),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Permissions::from_mode(0o644)),
        Err(error) => Err(error),
    }
}
