//! The `sidegate` program.

fn main() {}
