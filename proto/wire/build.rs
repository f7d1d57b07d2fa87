//! Compiles `proto/um/v1` with protox (no system protoc) into Rust and into the descriptor set that reflection and umctl use.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets it")?).join("..");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets it")?);
    println!("cargo::rerun-if-changed={}", root.join("um").display());
    println!("cargo::rerun-if-changed={}", root.join("google").display());

    let mut files = Vec::new();
    for entry in fs::read_dir(root.join("um/v1"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    // Encoded by protox itself, because prost's types lose the extension options.
    fs::write(out.join("um.v1.bin"), compiler.encode_file_descriptor_set())?;

    tonic_prost_build::configure()
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        // A password is never shown; the crate writes this one by hand.
        .skip_debug([".um.v1.Credential"])
        .btree_map(".um.v1")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
