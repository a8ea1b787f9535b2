//! Makes a Unix socket that nobody can reach with another mode than its own, not even for a moment, in a directory
//! where nobody else can put another in its place. Not the accept loop.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown},
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
};
use tokio::net::UnixListener;

use super::listener::Listener;

/// The longest path that the kernel takes for a socket, and what a private directory and its `/s` add to its directory.
const LONGEST_PATH: usize = 107;
const PRIVATE: &str = ".sidegate-";
const PRIVATE_BYTES: usize = PRIVATE.len() + 6 + 3;
/// How long a directory is waited for in which another daemon is just making a socket.
const BUSY: Duration = Duration::from_secs(2);
/// Where groups have their numbers: without the system's name service, which a static binary cannot ask.
const GROUPS: &str = "/etc/group";

/// Who may connect to a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Its mode.
    pub mode: u32,
    /// Its group, by name or number; `None` for the process's own.
    pub group: Option<String>,
}

impl Default for Access {
    fn default() -> Self {
        Self { mode: 0o660, group: None }
    }
}

/// Binds a Unix socket. To be called within a runtime, which will own it. A missing directory is made; a socket file
/// that nobody listens on any more is replaced.
///
/// # Errors
/// Somebody listens there, something else is there, everybody may write to the directory, the group is unknown.
pub fn bind_unix(path: &Path, access: &Access) -> io::Result<Listener> {
    let directory = directory_of(path);
    let group = access.group.as_deref().map(group_number).transpose()?;
    if path.as_os_str().len() > LONGEST_PATH || directory.as_os_str().len() + PRIVATE_BYTES > LONGEST_PATH {
        return Err(refused("the path is too long for a socket".to_owned()));
    }
    make_directory(&directory)?;
    check_directory(&directory)?;
    let _lock = lock(&directory)?;
    make_room(path)?;
    // In a directory that only its maker can enter, mode and group are set before anybody can connect.
    let private = tempfile::Builder::new().prefix(PRIVATE).rand_bytes(6).tempdir_in(&directory)?;
    let made = private.path().join("s");
    let listener = UnixListener::bind(&made)?;
    if let Some(group) = group {
        chown(&made, None, Some(group))?;
    }
    fs::set_permissions(&made, Permissions::from_mode(access.mode))?;
    let inode = fs::symlink_metadata(&made)?.ino();
    fs::rename(&made, path)?;
    Ok(Listener::Unix(listener, SocketFile { path: path.to_owned(), inode }))
}

/// Removes a socket's file when dropped, unless somebody has put another in its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            // Left behind at worst: the next start replaces it.
            drop(fs::remove_file(&self.path));
        }
    }
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn directory_of(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Makes the last directory of the path: in a volume that everybody may write to, one that nobody else may.
fn make_directory(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        // The socket's own mode says who may connect; to get there, everybody may pass. The umask says nothing.
        Ok(()) => fs::set_permissions(directory, Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Who may write to a directory can put another socket in the place of ours, which clients would then believe.
fn check_directory(directory: &Path) -> io::Result<()> {
    let metadata = fs::metadata(directory)?;
    let (everybody, sticky) = (metadata.mode() & 0o002 != 0, metadata.mode() & 0o1000 != 0);
    let name = directory.display();
    if everybody && !sticky {
        return Err(refused(format!(
            "everybody may write to `{name}`, so anybody could put another socket there; name one in a directory below \
             it, which will be made"
        )));
    }
    if everybody {
        tracing::warn!(directory = %name, "anybody may make a socket here before this daemon does; use another directory");
    }
    Ok(())
}

/// Keeps other daemons from making a socket in the same directory for as long as it is held.
fn lock(directory: &Path) -> io::Result<File> {
    let file = File::open(directory)?;
    let begun = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if begun.elapsed() < BUSY => thread::sleep(Duration::from_millis(5)),
            Err(Errno::WOULDBLOCK) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process keeps its directory locked"));
            }
            // Without locks, as on some file systems, two daemons that start in the same moment are on their own.
            Ok(()) | Err(_) => return Ok(file),
        }
    }
}

/// Nothing may be at the path but a socket that nobody listens on; `rename` will replace that.
fn make_room(path: &Path) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if there.is_symlink() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a symbolic link is there"));
    }
    if !there.is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else than a socket is there"));
    }
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&socket, &SocketAddrUnix::new(path.as_os_str().as_bytes())?) {
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
        // Also one whose queue is full, or that does not let us in.
        Ok(()) | Err(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
    }
}

fn group_number(group: &str) -> io::Result<u32> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let groups = fs::read_to_string(GROUPS)?;
    let number = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == group).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    number.ok_or_else(|| refused(format!("there is no group `{group}` in {GROUPS}")))
}

#[cfg(test)]
mod tests {
    use std::{
        fs, io,
        os::unix::{
            fs::{MetadataExt, PermissionsExt, symlink},
            net::UnixListener,
        },
        path::Path,
    };

    use super::{Access, bind_unix, group_number};

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    fn kind(path: &Path) -> io::ErrorKind {
        bind_unix(path, &Access::default()).unwrap_err().kind()
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sock");
        drop(UnixListener::bind(&path).unwrap());
        let live = bind_unix(&path, &Access::default()).unwrap();
        assert_eq!(mode(&path), 0o660);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left there");
        assert_eq!(kind(&path), io::ErrorKind::AddrInUse);
        drop(live);
        assert!(!path.exists(), "the file goes with the socket");
        fs::write(&path, "precious").unwrap();
        assert_eq!(kind(&path), io::ErrorKind::AlreadyExists);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_link_is_not_followed_and_a_busy_listener_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("s.sock"), directory.path().join("link.sock"));
        symlink("elsewhere.sock", &link).unwrap();
        assert_eq!(kind(&link), io::ErrorKind::AlreadyExists);
        assert!(!directory.path().join("elsewhere.sock").exists());
        // Its queue is full, so connecting to it would wait for ever.
        let listener = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let _waiting = std::os::unix::net::UnixStream::connect(&path).unwrap();
        assert_eq!(kind(&path), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn a_directory_that_everybody_may_write_to_is_refused_and_one_below_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let open = directory.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let error = bind_unix(&open.join("s.sock"), &Access::default()).unwrap_err().to_string();
        assert!(error.contains("everybody may write") && error.contains("below"), "{error}");
        let below = open.join("mine/s.sock");
        let access = Access { mode: 0o600, group: Some(fs::metadata(&open).unwrap().gid().to_string()) };
        let _bound = bind_unix(&below, &access).unwrap();
        assert_eq!((mode(&below), mode(&open.join("mine"))), (0o600, 0o755));
        fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(bind_unix(&open.join("s.sock"), &Access::default()).is_ok(), "as in /tmp");
    }

    #[tokio::test]
    async fn a_path_that_does_not_fit_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let error = bind_unix(&directory.path().join("x".repeat(120)), &Access::default()).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }

    #[test]
    fn groups_are_known_by_number_and_name() {
        assert_eq!(group_number("4711").unwrap(), 4711);
        assert_eq!(group_number("root").unwrap(), 0);
        assert!(group_number("no such group").unwrap_err().to_string().contains("`no such group`"));
    }
}
