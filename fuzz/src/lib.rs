//! Fuzzing Sidegate: each target is one function of [`replay`].

pub mod replay;
