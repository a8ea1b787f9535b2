//! The checker: whatever happens to a daemon, every answer that it gave is recomputed by the reference engine, on exactly
//! the snapshot and at the moment that the answer names.
//!
//! [`Versions`] keeps the model of every version that was ever written, [`Load`] asks over sockets and writes down what
//! came back, [`check`] compares. It draws no conclusion from what it cannot see: a version that nobody wrote is wrong
//! by itself.

mod clients;
mod dice;
mod judge;
#[cfg(test)]
mod tests;
mod versions;

pub(crate) use clients::{Answer, Asked, Exchange, Failed, Load, Named, Pace, Reply, now};
pub(crate) use dice::{Dice, seed};
pub(crate) use judge::{Findings, check};
pub(crate) use versions::{Version, Versions};
