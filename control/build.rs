//! Compiles the shipped signatures into the binary, so that it recognises applications before any file is installed. A
//! signature whose samples fail stops the build.

use std::path::Path;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sigdb/signatures");
    println!("cargo::rerun-if-changed={}", folder.display());
    match sigdb::compile_folder(&folder) {
        Ok(database) => {
            let target = std::env::var_os("OUT_DIR").map(|out| Path::new(&out).join("shipped.sigdb"));
            let target = target.expect("cargo sets OUT_DIR for build scripts");
            std::fs::write(&target, database.encode()).expect("OUT_DIR is writable");
        }
        Err(faults) => {
            for fault in faults {
                println!("cargo::error={fault}");
            }
        }
    }
}
