//! The life of a snapshot: read, built, checked, swapped in whole, watched, retired.
//!
//! Files and threads live here; no request type, no gRPC, no metric. What a snapshot means is the engine's business:
//! the way from sources to an index is injected as a [`Builder`].

mod chain;
mod freshness;
mod keeper;
mod last_good;
mod load;
mod memory;
mod mounts;
mod pace;
mod read;
mod reload;
mod retire;
mod store;
mod streamed;
mod watch;
mod write;
mod writing;

#[cfg(test)]
pub(crate) mod testing;

pub use chain::{Fingerprint, fingerprint};
pub use freshness::Freshness;
pub use keeper::{Keeper, KeeperHandle, KeeperOptions, OnOutcome};
pub use load::{Builder, Failure, LoadError, Snapshot, document_builder, load};
pub use read::{MAX_SOURCE_BYTES, ReadError, read};
pub use reload::{Applied, Outcome};
pub use store::{Status, Store};
pub use streamed::build_streamed;
pub use write::write_compiled;
