//! What the machine must offer. Whatever is missing is a failure that says what to install or to allow.

use std::env;
use std::path::Path;

use rustix::process::geteuid;

/// Programs that no shell of an ordinary user finds are in the last two.
const MORE_PLACES: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The full path of a program; the Debian package that has it is for who has it not.
pub(crate) fn program(name: &str, package: &str) -> String {
    assert!(geteuid().is_root(), "the privileged suite needs root: run `cargo test --test privileged` as root");
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(MORE_PLACES.map(Into::into));
    let found = places.map(|place| place.join(name)).find(|file| file.is_file());
    let found = found.unwrap_or_else(|| panic!("`{name}` is missing: install the Debian package `{package}`"));
    found.into_os_string().into_string().unwrap()
}

pub(crate) fn unshare() -> String {
    program("unshare", "util-linux")
}

pub(crate) fn nsenter() -> String {
    program("nsenter", "util-linux")
}

pub(crate) fn setpriv() -> String {
    program("setpriv", "util-linux")
}

pub(crate) fn prlimit() -> String {
    program("prlimit", "util-linux")
}

pub(crate) fn strace() -> String {
    program("strace", "strace")
}

pub(crate) fn ip() -> String {
    program("ip", "iproute2")
}

pub(crate) fn shell() -> String {
    program("sh", "dash")
}

/// A file of the kernel that a test reads, as a whole.
pub(crate) fn kernel(file: &str) -> String {
    std::fs::read_to_string(Path::new(file)).unwrap_or_else(|error| panic!("the kernel does not offer {file}: {error}"))
}
