//! What the tests of this binary share. Nothing here decides anything.

pub(crate) mod cases;
pub(crate) mod daemon;
pub(crate) mod question;
pub(crate) mod translate;
