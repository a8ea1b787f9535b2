//! Compiles the same `proto/` as the daemon, with the stock generator and codec.

use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let proto = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", proto.display());
    let files = protox::compile(["sidegate/v1/authorization.proto"], [proto])?;
    tonic_prost_build::configure().generate_default_stubs(true).compile_fds(files)?;
    Ok(())
}
