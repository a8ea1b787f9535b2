//! The real program as a black box: a child process, its sockets, its files, its exit codes.
//!
//! Every wait has a deadline, and no child outlives its test.

#[cfg(test)]
mod commands;
#[cfg(test)]
mod compiled;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod decision_log;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod start;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod test_verb;
#[cfg(test)]
mod tls;
