//! The published schemas are those that the program prints: editors and other tools read them from the repository.

use std::{path::Path, process::Command};

#[test]
fn published_schemas_are_what_the_program_says() {
    for name in ["scenario", "result"] {
        let printed = Command::new(env!("CARGO_BIN_EXE_load-gate"))
            .args(["schema", name])
            .output()
            .expect("load-gate runs");
        assert!(printed.status.success());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/schema/{name}.schema.json"));
        let published = std::fs::read(&path).expect("a published schema");
        assert!(
            printed.stdout == published,
            "docs/schema/{name}.schema.json is not what `load-gate schema {name}` prints: write it again"
        );
    }
}
