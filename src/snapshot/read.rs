//! From a path to bytes that belong together: one file, or the files of one directory. Nothing here parses.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::document::Source;
use crate::index::STEP_BYTES;
use crate::model::order;

/// The largest source, all files together, unless configured otherwise: a compiled file of ten million bindings is a
/// third of it. What a text takes is bounded by its reader too, and by the memory that is left.
pub const MAX_SOURCE_BYTES: u64 = 1024 * 1024 * 1024;

/// The most files in a directory: beyond, it is not a policy directory.
const MAX_FILES: usize = 10_000;

/// How often a source that changes while it is read is tried again, and how long it is given in between.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("cannot read `{path}`: {error}")]
    Io {
        /// What was read.
        path: String,
        /// Why not.
        error: io::Error,
    },
    /// A directory, a pipe, a device.
    #[error("`{path}` is not a regular file")]
    NotAFile {
        /// What it is called.
        path: String,
    },
    /// More bytes than allowed; nothing was read.
    #[error("`{path}` holds {bytes} bytes, more than the {most} allowed; raise `snapshot.max_bytes` if that is meant")]
    TooLarge {
        /// The source.
        path: String,
        /// Its size.
        bytes: u64,
        /// The cap.
        most: u64,
    },
    /// A directory without a source file.
    #[error("`{path}` holds no `.yaml`, `.yml` or `.jsonl` file")]
    Empty {
        /// The directory.
        path: String,
    },
    /// A directory with too many files.
    #[error("`{path}` holds more than {MAX_FILES} source files")]
    TooMany {
        /// The directory.
        path: String,
    },
    /// Somebody kept writing.
    #[error("`{path}` kept changing while it was read; write it elsewhere and rename it into place")]
    Unstable {
        /// The source.
        path: String,
    },
}

/// Reads a file, or every source file of a flat directory, as one consistent set.
///
/// # Errors
/// See [`ReadError`]; a set that changes under the reader is tried again for a while.
pub fn read(path: &Path, max_bytes: u64) -> Result<Vec<Source>, ReadError> {
    read_in_steps(path, max_bytes, &mut || {})
}

/// As [`read`]; calls `pause` every few microseconds.
pub(super) fn read_in_steps(path: &Path, max_bytes: u64, pause: &mut dyn FnMut()) -> Result<Vec<Source>, ReadError> {
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        if let Some(sources) = attempt_read(path, max_bytes, pause)? {
            return Ok(sources);
        }
    }
    Err(ReadError::Unstable { path: path.display().to_string() })
}

/// The directory that really holds the files: a volume that is swapped as a whole has a link `..data` to it. Resolving
/// it once is what keeps two versions from being mixed.
pub(super) fn content_directory(directory: &Path) -> PathBuf {
    match fs::read_link(directory.join("..data")) {
        Ok(target) => directory.join(target),
        Err(_) => directory.to_owned(),
    }
}

/// The names of the source files in a directory, sorted.
pub(super) fn source_names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if is_source_name(&name) {
            names.push(name);
        }
    }
    order::natural(&mut names);
    Ok(names)
}

/// Whether a file of a directory is part of the source.
pub(super) fn is_source_name(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    !name.starts_with('.') && matches!(extension, Some("yaml" | "yml" | "jsonl"))
}

/// The files of a source, open and known to be regular, in order; `None` when the source changed meanwhile.
pub(super) fn open_all(path: &Path, max_bytes: u64) -> Result<Option<Vec<Opened>>, ReadError> {
    let metadata = fs::metadata(path).map_err(|error| io_error(path, error))?;
    if metadata.is_dir() {
        return Ok(open_directory(path, max_bytes)?.map(|(_, _, opened)| opened));
    }
    let opened = Opened::open(path, path)?;
    check_size(path, opened.size, max_bytes)?;
    Ok(Some(vec![opened]))
}

/// `None` when the source changed meanwhile.
fn attempt_read(path: &Path, max_bytes: u64, pause: &mut dyn FnMut()) -> Result<Option<Vec<Source>>, ReadError> {
    let metadata = fs::metadata(path).map_err(|error| io_error(path, error))?;
    if metadata.is_dir() { read_directory(path, max_bytes, pause) } else { read_file(path, max_bytes, pause) }
}

fn read_file(path: &Path, max_bytes: u64, pause: &mut dyn FnMut()) -> Result<Option<Vec<Source>>, ReadError> {
    let opened = Opened::open(path, path)?;
    check_size(path, opened.size, max_bytes)?;
    Ok(opened.read(pause)?.map(|source| vec![source]))
}

fn read_directory(path: &Path, max_bytes: u64, pause: &mut dyn FnMut()) -> Result<Option<Vec<Source>>, ReadError> {
    let Some((content, names, opened)) = open_directory(path, max_bytes)? else { return Ok(None) };
    let mut sources = Vec::with_capacity(opened.len());
    for file in opened {
        let Some(source) = file.read(pause)? else { return Ok(None) };
        sources.push(source);
    }
    let unchanged = content_directory(path) == content
        && source_names(&content).map_err(|error| io_error(path, error))? == names
        && Opened::same_files(&content, &names, &sources);
    Ok(unchanged.then_some(sources))
}

/// Where the files of a directory really are, their names, and the files.
type Listed = (PathBuf, Vec<String>, Vec<Opened>);

fn open_directory(path: &Path, max_bytes: u64) -> Result<Option<Listed>, ReadError> {
    let content = content_directory(path);
    let names = source_names(&content).map_err(|error| io_error(path, error))?;
    if names.is_empty() {
        return Err(ReadError::Empty { path: path.display().to_string() });
    }
    if names.len() > MAX_FILES {
        return Err(ReadError::TooMany { path: path.display().to_string() });
    }
    // Everything is opened, and its size known, before the first byte is read.
    let mut opened = Vec::with_capacity(names.len());
    for name in &names {
        match Opened::open(&content.join(name), &path.join(name)) {
            Ok(file) => opened.push(file),
            // Listed a moment ago and gone now: the set is changing.
            Err(ReadError::Io { error, .. })
                if error.kind() == io::ErrorKind::NotFound && !is_dangling(&content, name) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    let total = opened.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
    check_size(path, total, max_bytes)?;
    Ok(Some((content, names, opened)))
}

fn is_dangling(directory: &Path, name: &str) -> bool {
    fs::symlink_metadata(directory.join(name)).is_ok_and(|metadata| metadata.is_symlink())
}

fn check_size(path: &Path, bytes: u64, most: u64) -> Result<(), ReadError> {
    if bytes > most { Err(ReadError::TooLarge { path: path.display().to_string(), bytes, most }) } else { Ok(()) }
}

fn io_error(path: &Path, error: io::Error) -> ReadError {
    ReadError::Io { path: path.display().to_string(), error }
}

/// A file that is open and known to be a regular one.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    /// As it is called in what is told.
    pub(super) name: PathBuf,
    pub(super) size: u64,
    stamp: Stamp,
}

/// What changes when a file's content does.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Opened {
    fn open(path: &Path, name: &Path) -> Result<Self, ReadError> {
        // Without NONBLOCK, opening a pipe would wait for a writer for ever.
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file =
            OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| io_error(name, error))?;
        let metadata = file.metadata().map_err(|error| io_error(name, error))?;
        if !metadata.is_file() {
            return Err(ReadError::NotAFile { path: name.display().to_string() });
        }
        let stamp = Stamp::of(&metadata);
        Ok(Self { file, name: name.to_owned(), size: metadata.len(), stamp })
    }

    /// Whether its content is still what it was when it was opened.
    pub(super) fn is_unchanged(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| Stamp::of(&metadata) == self.stamp)
    }

    /// The bytes; `None` when the file changed since it was opened.
    pub(super) fn read(self, pause: &mut dyn FnMut()) -> Result<Option<Source>, ReadError> {
        let Self { mut file, name, size, stamp } = self;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // One byte more than the size tells a file that grew from one that did not.
        let mut rest = file.by_ref().take(size.saturating_add(1));
        while rest.by_ref().take(STEP_BYTES as u64).read_to_end(&mut bytes).map_err(|error| io_error(&name, error))? > 0
        {
            pause();
        }
        let after = Stamp::of(&file.metadata().map_err(|error| io_error(&name, error))?);
        let stable = after == stamp && u64::try_from(bytes.len()).is_ok_and(|length| length == size);
        Ok(stable.then(|| Source { name: name.display().to_string(), bytes }))
    }

    /// Whether the directory still holds files of these sizes: catches a set that was half replaced while it was read.
    fn same_files(directory: &Path, names: &[String], sources: &[Source]) -> bool {
        names.iter().zip(sources).all(|(name, source)| {
            fs::metadata(directory.join(name)).is_ok_and(|metadata| metadata.len() == source.bytes.len() as u64)
        })
    }
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::{ReadError, read};

    #[test]
    fn a_directory_is_flat_sorted_and_without_hidden_files() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "c.jsonl", ".hidden.yaml", "..x.yaml", "notes.txt"] {
            fs::write(directory.path().join(name), name).unwrap();
        }
        fs::create_dir(directory.path().join("deeper")).unwrap();
        let sources = read(directory.path(), 1000).unwrap();
        let contents: Vec<_> = sources.iter().map(|source| String::from_utf8(source.bytes.clone()).unwrap()).collect();
        assert_eq!(contents, ["a.yml", "b.yaml", "c.jsonl"]);
        assert_eq!(sources[0].name, directory.path().join("a.yml").display().to_string());
    }

    #[test]
    fn a_swapped_volume_is_read_through_its_data_link() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("..v1")).unwrap();
        fs::write(directory.path().join("..v1/policy.yaml"), "one").unwrap();
        symlink("..v1", directory.path().join("..data")).unwrap();
        symlink("..data/policy.yaml", directory.path().join("policy.yaml")).unwrap();
        let sources = read(directory.path(), 1000).unwrap();
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0].bytes, b"one");
        assert_eq!(sources[0].name, directory.path().join("policy.yaml").display().to_string());
    }

    #[test]
    fn what_cannot_be_a_source_is_refused_before_reading() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(read(directory.path(), 10), Err(ReadError::Empty { .. })));
        assert!(matches!(read(&directory.path().join("none"), 10), Err(ReadError::Io { .. })));
        let file = directory.path().join("policy.yaml");
        fs::write(&file, "12345678901").unwrap();
        assert!(matches!(read(&file, 10), Err(ReadError::TooLarge { bytes: 11, .. })));
        assert!(matches!(read(directory.path(), 10), Err(ReadError::TooLarge { bytes: 11, .. })));
        fs::create_dir(directory.path().join("odd.yaml")).unwrap();
        assert!(matches!(read(directory.path(), 100), Err(ReadError::NotAFile { .. })));
        assert!(matches!(read(std::path::Path::new("/dev/null"), 100), Err(ReadError::NotAFile { .. })));
    }
}
