//! Compiles `proto/` with protox, so that no `protoc` is needed, and keeps the descriptors for server reflection.

use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 5] = [
    "sidegate/v1/value.proto",
    "sidegate/v1/authorization.proto",
    "sidegate/v1/snapshot.proto",
    "grpc/health/v1/health.proto",
    "envoy/service/auth/v3/external_auth.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed=proto/{file}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    // Comments go into the generated code; the descriptors for reflection carry none of their positions.
    compiler.include_source_info(true).include_imports(true).open_files(FILES)?;
    let descriptors = compiler.file_descriptor_set();
    compiler.include_source_info(false);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    // Sorted maps: properties are few, and their order must not depend on a random seed.
    // Of `ext_authz` no message may be an error (see `service::envoy`), so its code is taken from a folder of its own.
    for (folder, codec) in [("", "crate::service::wire::Frugal"), ("lenient", "crate::service::envoy::Lenient")] {
        fs::create_dir_all(out.join(folder))?;
        let builder = tonic_prost_build::configure().btree_map(".").codec_path(codec).out_dir(out.join(folder));
        builder.compile_fds(descriptors.clone())?;
    }
    Ok(())
}
