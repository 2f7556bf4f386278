//! The generated pages of `docs/reference` are what the binary prints.

use std::path::Path;

use signet_testkit::Sandbox;

use crate::run;

#[test]
fn the_reference_is_up_to_date() {
    let sandbox = Sandbox::new();
    for (page, file) in [
        ("cli", "cli.md"),
        ("codes", "codes.md"),
        ("stack-config", "stack-config.md"),
        ("stack-schema", "stack.schema.json"),
    ] {
        let printed = run(&sandbox, &["docs", page]).exits(0).stdout;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(file);
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(printed == committed, "run `cargo run -- docs {page} > docs/reference/{file}`");
    }
}
