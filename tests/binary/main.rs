//! The real program as a black box: a child process, its sockets, its files, its exit codes.
//!
//! Every wait has a deadline, and no child outlives its test.

/// The reference engine and the drawn worlds of `tests/it`, which the checker recomputes answers with.
#[cfg(test)]
#[path = "../it"]
#[expect(dead_code, unused_imports, reason = "the tests there use more of them than the checker does")]
mod shared {
    pub(crate) mod print;
    pub(crate) mod reference;
    pub(crate) mod support {
        pub(crate) mod question;
        pub(crate) mod wire;
    }
    pub(crate) mod universe;
}

#[cfg(test)]
use shared::{print, reference, universe};

#[cfg(test)]
mod authzen;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod checker;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod compiled;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod deaf;
#[cfg(test)]
mod decision_log;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod doors_agree;
#[cfg(test)]
mod exhaustion;
#[cfg(test)]
mod ext_authz;
#[cfg(test)]
mod flips;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod freeze;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod hot_path;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod observability;
#[cfg(test)]
mod odd_sources;
#[cfg(test)]
mod otlp;
#[cfg(test)]
mod overload;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod start;
#[cfg(test)]
mod storms;
#[cfg(test)]
mod supervised;
#[cfg(test)]
mod support;
#[cfg(test)]
mod swaps;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod test_verb;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod torn;
#[cfg(test)]
mod vitals;
#[cfg(test)]
mod writers;
