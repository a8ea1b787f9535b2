//! Fuzzing Sidegate: each target is one function of [`replay`].

pub mod replay;

/// The reference engine and the universes of `tests/it`, which targets compare with.
#[path = "../../tests/it"]
#[expect(dead_code, reason = "the tests use more of them than the targets do")]
mod shared {
    pub(crate) mod reference;
    pub(crate) mod support {
        pub(crate) mod question;
    }
    pub(crate) mod universe;
}
use shared::{reference, support, universe};
