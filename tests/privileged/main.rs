//! What needs root, namespaces, control groups or strace: the real program on a machine that fails under it.
//!
//! `cargo test --test privileged`, as root; plain `cargo test` leaves it out. What is missing fails a test by name and
//! skips nothing. Whatever a test mounts, freezes or injects ends with it, also by a panic.

/// What the support of the black-box tests is built on.
#[cfg(test)]
#[path = "../it"]
#[expect(dead_code, reason = "the tests there use more of it")]
mod shared {
    pub(crate) mod support {
        pub(crate) mod question;
        pub(crate) mod wire;
    }
}

#[cfg(test)]
mod accepting;
#[cfg(test)]
mod control_group;
#[cfg(test)]
mod disks;
#[cfg(test)]
mod frozen;
#[cfg(test)]
mod launch;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod mounts;
#[cfg(test)]
mod namespace;
#[cfg(test)]
mod network;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod privileges;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod starved;
#[cfg(test)]
#[path = "../binary/support.rs"]
#[expect(dead_code, unused_imports, reason = "shared with the tests that need no privilege, which use more of it")]
mod support;
#[cfg(test)]
mod tracer;
#[cfg(test)]
mod unwatched;
