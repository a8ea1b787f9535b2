//! Other people's engines beside ours.
//!
//! [`conditions`] compares single conditions with the `cel` crate. [`world`] draws small policies with their facts, in a
//! language that [`cedar`] and [`cerbos`] can say too; they translate it, and tests compare every decision.

pub mod cedar;
pub mod cerbos;
pub mod conditions;
pub mod shrink;
pub mod world;
