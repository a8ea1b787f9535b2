//! What the tests of this binary share. Nothing here decides anything.

pub(crate) mod cases;
pub(crate) mod daemon;
pub(crate) mod overlay;
pub(crate) mod pack;
pub(crate) mod question;
pub(crate) mod served;
pub(crate) mod translate;
pub(crate) mod vocabulary;
pub(crate) mod wire;
