//! Sidegate: a sidecar that decides whether a subject may do an action on a resource.
//!
//! This is the map of the house. Floors stand one on another; each imports only from the floors above it in this list,
//! and a test (`tests/floors.rs`) reads the source to prove it.
//!
//! **The engine**: pure. No I/O, no clock, no lock, no global, no log.
//! - [`model`]: the nouns. What a policy, a fact, a request and a verdict are.
//! - [`compile`]: policy and facts → flat tables in one buffer; every mistake is found here, all together.
//! - [`index`]: those tables, opened once and read in place.
//! - [`decide`]: index, request and moment → verdict. The only place that knows what allow means.
//! - [`mapping`]: a request of HTTP → the question that it asks, as the policy maps it.
//!
//! **The snapshot**: files and threads, but no request.
//! - [`document`]: YAML and JSON Lines → model, and findings rendered with a caret under the mistake.
//! - [`cases`]: an author's tests of a policy, run through that same decision.
//! - [`snapshot`]: load, watch, swap whole or not at all, keep the last good one, retire the old one.
//!
//! **The daemon**: requests.
//! - [`observe`]: the names and shapes of metrics and logs.
//! - [`service`]: the doors (gRPC, health, reflection, ops), listeners and workers. Each door converts, asks, converts
//!   back.
//! - [`client`]: a small client that fails closed.
//!
//! **The program**: wiring.
//! - [`config`]: defaults, file, environment, flags; the only reader of the environment.
//! - [`app`]: binds, loads, serves, drains.
//! - [`cli`]: the verbs of the command line.
//!
//! What holds throughout: nothing missing, wrong or broken ever widens access; an answer comes from exactly one
//! snapshot; a bad snapshot never replaces a good one; no `unsafe`, and nothing panics on what it is given.

pub mod app;
pub mod cases;
pub mod cli;
pub mod client;
pub mod compile;
pub mod config;
pub mod decide;
pub mod document;
pub mod index;
pub mod mapping;
pub mod model;
pub mod observe;
pub mod service;
pub mod snapshot;
