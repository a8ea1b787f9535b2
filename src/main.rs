//! The `sidegate` program: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    sidegate::cli::run().into()
}
