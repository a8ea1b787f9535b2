//! Compiles Sidegate's `proto/`, which an application copies beside its own sources. No `protoc` is needed.

use std::error::Error;

const PROTO: &str = "../../../proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let descriptors = protox::compile(["sidegate/v1/authorization.proto"], [PROTO])?;
    // The server half is for the tests, which need a Sidegate that lies.
    tonic_prost_build::configure().generate_default_stubs(true).compile_fds(descriptors)?;
    Ok(())
}
